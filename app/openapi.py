"""The OpenAPI document: what FastAPI knows of the cold routes, joined by what the hot handlers say of themselves."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from app.openapi_hot import hot_paths

JSON = dict[str, Any]

OPEN_PATHS: Final = ("/healthz", "/readyz", "/metrics")
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"apiKey": []}, {"basic": []}]
ERRORS: Final[Mapping[str, str]] = {
    "400": "The request is unreadable or invalid; `detail` names the field, what is wrong and what would be right.",
    "401": "No key, or an unknown one.",
    "403": "The wrong class of key, or a page of an origin that the key is not for.",
    "404": "Nothing of this name.",
    "408": "The body took longer than 5 s to arrive.",
    "409": "The order makes no sense for the experiment as it is.",
    "413": "The body is too large.",
    "414": "The address is longer than 8 kB.",
    "415": "A Content-Encoding other than gzip.",
    "431": "The headers are larger than 16 kB.",
    "429": "Too many requests; `Retry-After` says when.",
    "503": "Not now; `Retry-After` says when.",
}
PROBLEM_SCHEMA: Final[JSON] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "message"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}
SCHEMES: Final[JSON] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A publishable (pk_…) or secret (sk_…) key."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, as Segment's clients send it."},
}


def describe(application: FastAPI) -> None:
    """Makes `application.openapi()` describe every route of the service, hot ones included."""
    original = application.openapi

    def openapi() -> JSON:
        if application.openapi_schema is None:
            application.openapi_schema = _complete(original())
        return application.openapi_schema

    application.openapi = openapi


def _complete(document: JSON) -> JSON:
    components = document.setdefault("components", {})
    components["securitySchemes"] = SCHEMES
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _with_errors(path, operation)
    document["paths"] = {**hot_paths(), **document["paths"]}
    return document


def _with_errors(path: str, operation: JSON) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status, description in ERRORS.items():
        responses.setdefault(status, {**problem_content(), "description": description})
    if path not in OPEN_PATHS:
        operation["security"] = SECURITY


def problem_content() -> JSON:
    """The content of every error outside /ofrep."""
    return {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
