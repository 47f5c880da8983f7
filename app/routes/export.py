"""The log, page by page, for a warehouse."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from app.routes.analysis_door import ask
from app.routes.callers import Asked, Secret, Worker

router = APIRouter(tags=["Export"])

NDJSON: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"application/x-ndjson": {}}}}
Cursor = Annotated[str | None, Query(max_length=4_000, description="`X-Resonate-Next-Cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=10_000, description="Most rows of a page.")]


@router.get("/v1/export/events", summary="Events as NDJSON, in the order of the log", responses=NDJSON)
async def events(_: Secret, asked: Asked, worker: Worker, cursor: Cursor = None, limit: Limit = 1_000) -> Response:
    return await ask(asked, worker, "export_events", cursor=cursor, limit=limit)
