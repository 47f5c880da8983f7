"""`PUT /v1/products`: the shop's catalogue, streamed to disk and taken as a whole or not at all."""

import asyncio
import logging
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.management.audit import Act, auditing
from app.routes.dependencies import Asked, Secret, Worker
from app.runtime.data_directory import DataDirectory
from kit.child import Busy, ChildFailed, ChildLate, ask, place
from kit.files import temporary_file

logger = logging.getLogger(__name__)

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
READER: Final = "recommender.model.product_feed"  # a process of its own: what reads Parquet never enters a worker
READING_SECONDS: Final = 120.0
AT_ONCE: Final = 2  # of them, because each takes 64 MB and more
RETRY_SECONDS: Final = 5
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
async def put_products(request: Request, _: Secret, asked: Asked, worker: Worker) -> Response:
    uploads = DataDirectory(worker.settings.data).uploads
    with temporary_file(uploads / "products") as file:
        first, digest = b"", sha256()
        async for piece in request.stream():
            first = first or piece[:4]
            digest.update(piece)
            await asyncio.to_thread(file.write, piece)
        file.flush()
        form, folder = _form(asked, first), worker.settings.data / "products"
        replaced, upload = {"version": worker.recommender.versions[1]}, {"sha256": digest.hexdigest()}
        async with auditing(asked, worker, Act("products", "products", replaced, upload)):
            imported = await _imported(folder, uploads, file.name, form)
            if imported["version"] is None:
                raise _bad_rows(imported)
    told = {"products": imported["products"], "version": imported["version"]}
    return Response(msgspec.json.encode(told), media_type="application/json")


def _bad_rows(imported: dict[str, Any]) -> Problem:
    """400: nothing of the upload is used."""
    listed: list[str] = imported["errors"]
    more = imported["bad_rows"] - len(listed)
    text = "; ".join(listed) + (f"; and {more} more rows" if more > 0 else "")
    return Problem(400, "invalid_products", text, members={"bad_rows": imported["bad_rows"]})


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


async def _imported(folder: Path, uploads: Path, upload: str, form: str) -> dict[str, Any]:
    """Reads the upload in a process of its own. Raises Problem 400 when that process cannot make sense of it, 503."""
    try:
        with place(uploads, AT_ONCE):
            return await ask(READER, (str(folder), upload, form), deadline_seconds=READING_SECONDS)
    except Busy:
        detail = f"{AT_ONCE} catalogues are being read already; send it again in {RETRY_SECONDS} s"
        raise retry_later(503, "catalogue_busy", detail, RETRY_SECONDS) from None
    except ChildLate:
        raise Problem(400, "catalogue_too_large", "the catalogue took too long to read; send fewer products") from None
    except ChildFailed as failure:
        logger.error("a catalogue could not be read: %s", failure, extra={"complaint": failure.complaint})
        raise Problem(
            400, "unreadable_catalogue", "the catalogue could not be read; the service's log says why"
        ) from None
