"""What a page loads besides itself: one stylesheet, one small module and an icon, each named by what stands in it."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.http.exchange import matches
from app.routes.dependencies import Asked

router = APIRouter(include_in_schema=False)

ASSETS: Final = {
    "style": ("style.css", "text/css"),
    "script": ("script.js", "text/javascript"),
    "icon": ("icon.svg", "image/svg+xml"),
}
FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def _content(name: str) -> tuple[bytes, str]:
    """The bytes of an asset, and a name for exactly these."""
    content = Path(__file__).with_name(ASSETS[name][0]).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


def versions() -> dict[str, str]:
    """The path of each asset, with the name of what stands in it now."""
    return {name: f"/dashboard/{file}?v={_content(name)[1]}" for name, (file, _) in ASSETS.items()}


@router.get("/dashboard/style.css")
async def stylesheet(request: Request, asked: Asked) -> Response:
    """The stylesheet."""
    return _served("style", request, asked.headers.get(b"if-none-match"))


@router.get("/dashboard/script.js")
async def module(request: Request, asked: Asked) -> Response:
    """The module: without it every page works."""
    return _served("script", request, asked.headers.get(b"if-none-match"))


@router.get("/dashboard/icon.svg")
async def icon(request: Request, asked: Asked) -> Response:
    """What stands in the tab of a browser."""
    return _served("icon", request, asked.headers.get(b"if-none-match"))


def _served(name: str, request: Request, held: bytes | None) -> Response:
    content, version = _content(name)
    named = request.query_params.get("v") == version
    headers = {"etag": f'"{version}"', "cache-control": FOREVER if named else "no-cache"}
    if matches(held, headers["etag"].encode()):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=ASSETS[name][1])
