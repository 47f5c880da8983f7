"""The OpenAPI document, and as `/docs` one plain page of it, without scripts and without anything from elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from app.glossary.calls import PUBLISHABLE_KEY, SECRET_KEY, call_of
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
body { overflow-wrap: anywhere } h3 { margin-top: 2rem; font-weight: 400 } h4 { margin: 1rem 0 0; font-size: .9rem }
nav ul { list-style: none; padding-left: 1rem } nav a, h3 a { color: inherit } b { color: #0a5cb0; font-weight: 600 }
pre { background: #f4f6f8; padding: .8rem; overflow: auto; border-radius: .4rem; max-height: 24rem; margin: .4rem 0 }
dt { font-weight: 600 } :target { background: #fff3c4 }
@media (prefers-color-scheme: dark) {
  body { background: #15181c; color: #e3e6ea } pre { background: #20252b } b { color: #7cb7ff }
  :target { background: #4a3f12 }
}
"""


NAMED: Final = re.compile(r"`([^`]+)`")
OPEN_PATHS: Final = ("/healthz", "/readyz", "/readyz/events", "/metrics", "/share/{token}", "/survey/{token}")
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


def document(description: JSON) -> str:
    """The whole page: what there is, then operations by tag, each with its calls, its parameters and its answers.

    Nothing is folded away, so that a browser finds all of it; each operation has its name as its anchor.
    """
    tags: dict[str, list[tuple[str, str]]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            listed = (
                f'<li><a href="#{operation["operationId"]}"><b>{method.upper()}</b> <code>{escape(path)}</code></a> '
                f"{_words(operation['summary'])}"
            )
            tags.setdefault(operation["tags"][0], []).append((listed, _operation(method, path, operation)))
    contents = "".join(
        f'<li><a href="#{_anchor(tag)}">{escape(tag)}</a><ul>{"".join(listed for listed, _ in each)}</ul>'
        for tag, each in tags.items()
    )
    sections = "".join(
        f'<section><h2 id="{_anchor(tag)}">{escape(tag)}</h2>{"".join(whole for _, whole in each)}</section>'
        for tag, each in tags.items()
    )
    info = description["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}: the HTTP API</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="docs.css">'
        f"<h1>{escape(info['title'])}</h1><p>{_words(info['description'])}</p>"
        '<p>Machine-readable: <a href="openapi.json">openapi.json</a>. In the examples <code>SERVICE</code> is the '
        f"address of the service, <code>{PUBLISHABLE_KEY}</code> the key of pages, <code>{SECRET_KEY}</code> that of "
        "backends and analysts; JavaScript runs in pages and in node, Python asks with httpx.</p>"
        f'<nav aria-label="Operations"><ul>{contents}</ul></nav><main>{sections}</main></html>'
    )


def _anchor(tag: str) -> str:
    return f"tag-{tag.lower().replace(' ', '-')}"


def _operation(method: str, path: str, operation: JSON) -> str:
    """One operation: what it is, how it is called, what it takes and answers."""
    name, call = operation["operationId"], call_of(method, path, operation)
    parameters = "".join(
        f"<dt><code>{escape(each['name'])}</code> ({escape(each['in'])})</dt>"
        f"<dd>{_words(each.get('description', ''))}</dd>"
        for each in operation.get("parameters", [])
    )
    answers = "".join(
        f"<dt>{escape(status)}</dt><dd>{_words(answer.get('description', ''))}{_examples(answer)}</dd>"
        for status, answer in operation["responses"].items()
    )
    calls = "".join(
        f"<h4>{language}</h4>{_block(text)}"
        for language, text in (("curl", call.curl), ("JavaScript", call.javascript), ("Python", call.python))
    )
    return (
        f'<article aria-labelledby="{name}"><h3 id="{name}"><a href="#{name}"><b>{method.upper()}</b> '
        f"<code>{escape(path)}</code></a> {_words(operation['summary'])}</h3>"
        f"<p>{_words(operation.get('description', ''))}</p>{calls}"
        f"{'<h4>Parameters</h4><dl>' + parameters + '</dl>' if parameters else ''}"
        f"<h4>Answers</h4><dl>{answers}</dl></article>"
    )


def _words(text: str) -> str:
    """A description, with its names as such."""
    return NAMED.sub(r"<code>\1</code>", escape(text))


def _block(text: str) -> str:
    return f'<pre tabindex="0">{escape(text)}</pre>'


def _examples(part: dict[str, Any]) -> str:
    found = [each["example"] for each in part.get("content", {}).values() if "example" in each]
    texts = [msgspec.json.format(msgspec.json.encode(example), indent=2).decode() for example in found]
    return "".join(map(_block, texts))
