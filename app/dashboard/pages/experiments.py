"""The list of experiments: what each says, and what is wrong with the files."""

from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import ExperimentsQuery
from app.dashboard.charts import sparkline
from app.dashboard.pages.shown import ROWS
from app.dashboard.paging import one_page
from app.dashboard.rendering import answered, answered_soon, page
from app.dashboard.saying import Json
from app.dashboard.signed_in import SignedIn
from app.routes.dependencies import Worker

router = APIRouter(include_in_schema=False)

_ORDER: Final = ("enrolling", "paused", "not_started", "draft", "ended", "closed")


class Narrowing(BaseModel):
    """Which experiments are shown."""

    model_config = ConfigDict(frozen=True)

    text: Annotated[str, Field(max_length=200)] = ""
    state: Literal["", "draft", "not_started", "enrolling", "paused", "ended", "closed"] = ""
    owner: Annotated[str, Field(max_length=1_000)] = ""
    page: Annotated[int, Field(ge=1, le=100_000)] = 1

    @property
    def narrow(self) -> bool:
        """Whether not all are asked for."""
        return bool(self.text or self.state or self.owner)

    def takes(self, experiment: Json) -> bool:
        """Whether this experiment is one of them."""
        named = f"{experiment['key']}\n{experiment['name'] or ''}".casefold()
        wanted = self.state in ("", experiment["state"]) and self.owner in ("", experiment["owner"])
        return wanted and self.text.strip().casefold() in named

    def link(self, **changes: object) -> str:
        """The address of this list with some of it changed."""
        return f"?{urlencode(self.model_dump(exclude_defaults=True) | changes)}"


@router.get("/dashboard")
async def experiments_page(
    request: Request, signed: SignedIn, worker: Worker, asked: Annotated[Narrowing, Query()]
) -> HTMLResponse:
    """All of them, those that run first: read anew where that takes less than two seconds, else as they are known."""
    answer = await answered_soon(worker, signed, ExperimentsQuery("now"))
    if answer is None:
        answer = await answered(worker, signed, ExperimentsQuery())
    found = sorted(filter(asked.takes, answer["experiments"]), key=lambda each: _ORDER.index(each["state"]))
    pages = one_page(found, asked.page, ROWS)
    return page(
        request,
        signed,
        "experiments.html",
        answer=answer,
        asked=asked,
        owners=sorted({each["owner"] for each in answer["experiments"] if each["owner"]})[:100],
        experiments=pages.items,
        pages=pages,
        link=asked.link,
        line=sparkline,
    )
