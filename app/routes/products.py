"""`PUT /v1/products`: the shop's catalogue, streamed to disk and taken as a whole or not at all."""

import asyncio
import contextlib
import json
import secrets
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.http.cold import EXCHANGE
from app.http.errors import PROBLEM_TYPE, Problem
from app.http.exchange import Exchange
from app.routes.dependencies import Secret, Worker

router = APIRouter(tags=["Recommendations"])

FORMS: Final = {
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/json": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
PARQUET_MAGIC: Final = b"PAR1"
READING_SECONDS: Final = 120.0
LARGEST: Final = 64 * 1024 * 1024
EXAMPLE: Final = (
    '{"product_id": "sku-17", "category": "Camping > Stoves", "brand": "Primus", "price": 49.9, "in_stock": true}\n'
)
CSV_EXAMPLE: Final = "product_id,category,price,in_stock\nsku-17,Camping > Stoves,49.9,true\n"
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "NDJSON, CSV with a line of names, or Parquet; at most 64 MB. Columns: product_id, name, "
        "category (a path such as `Camping > Stoves`), brand, price, in_stock, url, image_url, group_id, "
        "accessories_of.",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}, "example": EXAMPLE},
            "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
            "application/vnd.apache.parquet": {
                "schema": {"type": "string", "format": "binary"},
                "example": "PAR1…PAR1",
            },
        },
    }
}


@router.put("/v1/products", summary="Replace the catalogue of products, atomically", openapi_extra=BODY)
async def put_products(request: Request, _: Secret, worker: Worker) -> Response:
    exchange: Exchange = request.scope["state"][EXCHANGE]
    folder = worker.settings.data / "products"
    folder.mkdir(parents=True, exist_ok=True)
    upload = folder / f".upload-{secrets.token_hex(8)}"
    try:
        first = await _stream_to(upload, request)
        imported = await _imported(folder, upload, _form(exchange, first))
    finally:
        upload.unlink(missing_ok=True)
    if imported["version"] is None:
        return _refusal(imported)
    told = {"products": imported["products"], "version": imported["version"]}
    return Response(msgspec.json.encode(told), media_type="application/json")


async def _stream_to(path: Path, request: Request) -> bytes:
    """Writes the body to disk piece by piece; its first bytes."""
    first = b""
    with path.open("wb") as file:
        async for piece in request.stream():
            first = first or piece[:4]
            await asyncio.to_thread(file.write, piece)
    return first


def _form(exchange: Exchange, first: bytes) -> str:
    """What the body is, by its own first bytes or by its Content-Type. Raises Problem 415."""
    if exchange.headers.get(b"content-encoding", b"identity") not in (b"identity", b""):
        raise Problem(415, "encoding_not_supported", "Content-Encoding: send the catalogue as it is")
    if first == PARQUET_MAGIC:
        return "parquet"
    content_type = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if content_type in FORMS:
        return FORMS[content_type]
    if first[:1] == b"{":
        return "ndjson"
    detail = f"Content-Type: it must be one of {', '.join(FORMS)}"
    raise Problem(415, "content_type_not_supported", detail)


async def _imported(folder: Path, upload: Path, form: str) -> dict[str, Any]:
    """Reads the upload in a process of its own. Raises Problem 400 when that process cannot make sense of it."""
    command = [sys.executable, "-P", "-m", "app.processes.product_import", str(folder), str(upload), form]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(READING_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        raise Problem(400, "catalogue_too_large", "the catalogue took too long to read; send fewer products") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
    if process.returncode != 0:
        raise Problem(400, "unreadable_catalogue", "the catalogue could not be read; the service's log says why")
    return json.loads(output)


def _refusal(imported: dict[str, Any]) -> Response:
    """400 that names the bad rows; nothing of the upload is used."""
    listed: list[str] = imported["errors"]
    more = imported["bad_rows"] - len(listed)
    text = "; ".join(listed) + (f"; and {more} more rows" if more > 0 else "")
    problem = {
        "type": "urn:resonate:problem:invalid_products",
        "title": "Bad Request",
        "status": 400,
        "detail": text[:1_500],
        "code": "invalid_products",
        "message": text[:1_500],
        "bad_rows": imported["bad_rows"],
    }
    return Response(msgspec.json.encode(problem), 400, media_type=PROBLEM_TYPE.decode())
