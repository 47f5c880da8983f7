"""The OpenAPI document, and as `/docs` one plain page of it, without scripts and without anything from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from app.glossary.operations import answer_schemas, with_answers
from app.management.openapi import ERRORS, JSON, PROBLEM, SECURITY, hot_components, hot_paths
from app.management.openapi_sdks import sdk_paths
from app.routes.dependencies import Asked, Worker, key_if_any

router = APIRouter(include_in_schema=False, dependencies=[Depends(key_if_any)])

PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "public, max-age=60",
}
STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2127 }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dae0 } code, pre { font-family: ui-monospace, monospace }
summary { cursor: pointer; padding: .4rem 0 } summary b { display: inline-block; min-width: 4.5rem; color: #0b6bcb }
pre { background: #f4f6f8; padding: .8rem; overflow: auto; border-radius: .4rem } dt { font-weight: 600 }
@media (prefers-color-scheme: dark) { body { background: #15181c; color: #e3e6ea } pre { background: #20252b } }
"""


OPEN_PATHS: Final = ("/healthz", "/readyz", "/metrics", "/share/{token}", "/survey/{token}")
SHORT_NAMES: Final = tuple(f"/v1/{letter}" for letter in "tpsigab")  # served, and the same as the names in full
COLD_ERRORS: Final[Mapping[str, str]] = {
    **ERRORS,
    "404": "Nothing of this name.",
    "409": "The order makes no sense for the experiment as it is.",
}

SCHEMES: Final[JSON] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A publishable (pk_…) or secret (sk_…) key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, as Segment's clients send it."},
}


def describe(application: FastAPI) -> None:
    """Makes `application.openapi()` describe every route of the service, hot ones included."""
    original = application.openapi

    def described() -> JSON:
        if application.openapi_schema is not None:
            return application.openapi_schema
        application.openapi_schema = document = _whole(original())
        return document

    application.openapi = described


def _whole(document: JSON) -> JSON:
    """What FastAPI knows of the cold routes, with the hot ones, and with the types of all answers."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            for status, description in COLD_ERRORS.items():
                operation["responses"].setdefault(status, {**PROBLEM, "description": description})
            operation["security"] = [] if path in OPEN_PATHS else SECURITY
    paths = {**hot_paths(), **sdk_paths(), **document["paths"]}
    document["paths"] = {path: operations for path, operations in paths.items() if path not in SHORT_NAMES}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            with_answers(method, path, operation)
    document["components"] = {"securitySchemes": SCHEMES, "schemas": {**hot_components(), **answer_schemas()}}
    return document


@dataclass(frozen=True, slots=True)
class Rendered:
    """What describes an application, made once: anyone may ask for it, as often as they like.

    `json` lacks the address of the service, which is not the same for all who ask.
    """

    json: bytes
    page: bytes

    @classmethod
    def of(cls, application: FastAPI) -> "Rendered":
        """Of this application, which keeps it."""
        kept: Rendered | None = getattr(application.state, "rendered", None)
        if kept is None:
            description = application.openapi()
            kept = application.state.rendered = cls(msgspec.json.encode(description), document(description).encode())
        return kept


@router.get("/openapi.json")
async def openapi(request: Request, asked: Asked, worker: Worker) -> Response:
    address = worker.addresses.of(asked.scope, asked.headers)
    servers = msgspec.json.encode({"servers": [{"url": address.url}]})[:-1]
    document = b"%b,%b" % (servers, Rendered.of(request.app).json[1:])
    return Response(document, media_type="application/json", headers={"cache-control": address.caching})


@router.get("/docs")
async def docs_page(request: Request) -> HTMLResponse:
    return HTMLResponse(Rendered.of(request.app).page, headers=PAGE_HEADERS)


@router.get("/docs.css")
async def style() -> Response:
    return Response(STYLE, media_type="text/css", headers=PAGE_HEADERS)


def document(description: dict[str, Any]) -> str:
    """The whole page: operations by tag, each with its parameters, an example body and its answers."""
    tags: dict[str, list[str]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parameters = "".join(
                f"<dt><code>{escape(each['name'])}</code> ({escape(each['in'])})</dt>"
                f"<dd>{escape(each.get('description', ''))}</dd>"
                for each in operation.get("parameters", [])
            )
            answers = "".join(
                f"<dt>{escape(status)}</dt><dd>{escape(answer.get('description', ''))}{_examples(answer)}</dd>"
                for status, answer in operation.get("responses", {}).items()
            )
            tags.setdefault(operation.get("tags", ["Other"])[0], []).append(
                f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
                f"{escape(operation.get('summary', ''))}</summary>"
                f"<p>{escape(operation.get('description', ''))}</p><dl>{parameters}</dl>"
                f"{_examples(operation.get('requestBody', {}))}<dl>{answers}</dl></details>"
            )
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in tags.items())
    info = description["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}: the HTTP API</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="docs.css">'
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        f'<p>Machine-readable: <a href="openapi.json">openapi.json</a></p>{sections}</html>'
    )


def _examples(part: dict[str, Any]) -> str:
    found = [each["example"] for each in part.get("content", {}).values() if "example" in each]
    texts = [msgspec.json.format(msgspec.json.encode(example), indent=2).decode() for example in found]
    return "".join(f"<pre>{escape(text)}</pre>" for text in texts)
