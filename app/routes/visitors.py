"""What is held about one visitor or user, and its erasure."""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from app.analysis.queries import ErasureQuery, PersonQuery
from app.http.errors import Problem, unreadable
from app.routes.dependencies import Asked, Secret, Worker, analysis_response
from app.routes.openapi import TEXT
from events.dialects.validation import id_problem

router = APIRouter(tags=["Visitors"])

Identifier = Annotated[
    str, Path(max_length=1024, description="The id, percent-encoded.", examples=["v-1"], json_schema_extra=TEXT)
]
ERASED: Final = "Erase by an id in the body, so that it reaches no log on the way"
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id"],
                    "additionalProperties": False,
                    "properties": {"id": TEXT},
                },
                "example": {"id": "v-1"},
            }
        },
    }
}


@router.get("/v1/visitors/{identifier:path}", summary="Everything that is held about a visitor")
async def visitor(identifier: Identifier, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, PersonQuery("visitor", _checked(identifier)))


@router.get("/v1/users/{identifier:path}", summary="Everything that is held about a user")
async def user(identifier: Identifier, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, PersonQuery("user", _checked(identifier)))


@router.delete("/v1/visitors", summary=ERASED, status_code=202, openapi_extra=BODY)
async def erase_visitor_of_body(request: Request, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, ErasureQuery("visitor", _checked(_identifier(await request.body()))))


@router.delete("/v1/users", summary=ERASED, status_code=202, openapi_extra=BODY)
async def erase_user_of_body(request: Request, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, ErasureQuery("user", _checked(_identifier(await request.body()))))


@router.delete("/v1/visitors/{identifier:path}", summary="Erase a visitor and all joined ids", status_code=202)
async def erase_visitor(identifier: Identifier, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, ErasureQuery("visitor", _checked(identifier)))


@router.delete("/v1/users/{identifier:path}", summary="Erase a user and all joined ids", status_code=202)
async def erase_user(identifier: Identifier, _: Secret, asked: Asked, worker: Worker) -> Response:
    return await analysis_response(asked, worker, ErasureQuery("user", _checked(identifier)))


def _checked(identifier: str) -> str:
    problem = id_problem(identifier)
    if problem is not None:
        raise Problem(400, "invalid_id", f"id: {problem}")
    if not identifier.isascii() and any("\ud800" <= letter <= "\udfff" for letter in identifier):
        raise Problem(400, "invalid_id", "id: it is not valid Unicode text")
    return identifier


def _identifier(body: bytes) -> str:
    try:
        given: Any = json.loads(body.decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise unreadable('the body must be JSON such as {"id": "v-1"}, with each member once') from None
    if not isinstance(given, dict) or set(given) != {"id"} or not isinstance(given["id"], str):
        raise Problem(400, "invalid_id", "the body must be an object with one member `id`, the id as text")
    return given["id"]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members
