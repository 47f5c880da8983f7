"""A new experiment, or a draft of one: from fields to the text of its file, checked as it stands, and saved once."""

import asyncio
import os
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.dashboard.forms import PageRoute, posted, sent
from app.dashboard.program.saving import NotSaved, saved
from app.dashboard.program.typed import DraftSaid, Prefilled, Rows, drafts_of, typed, with_check
from app.dashboard.rendering import page, root_of
from app.dashboard.signed_in import Signed, SignedIn
from app.http.errors import Problem
from app.routes.dependencies import Asked, Worker
from app.worker.resources import Resources
from experiments.drafts.form import TESTS, filled
from kit.located import DefinitionError

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/new"
SAVED: Final = (
    "{} is saved, and not taken up yet: nothing new is served until the mistakes of the definition files are mended."
)
MEND: Final = "Nothing was saved: mend first what is said beside the fields."


@router.get(HERE)
async def new_experiment_page(
    request: Request, signed: SignedIn, worker: Worker, asked: Annotated[Prefilled, Query()]
) -> HTMLResponse:
    """An empty form, one with a plan of the calculator, or that of a draft."""
    if not asked.draft:
        return _shown(request, signed, worker, asked.fields, DraftSaid())
    found = await asyncio.to_thread(drafts_of(worker).find, asked.draft)
    if found is None:
        raise Problem(404, "unknown_draft", f"there is no file of a draft {asked.draft!r}; it may be gone or renamed")
    if found.kept_from:
        fields = found.written.fields if found.written else {}
        return _shown(request, signed, worker, fields, DraftSaid(f"{found.kept_from}.", file=found))
    fields = {**(found.written.fields if found.written else {}), "draft": asked.draft, "seen": found.seen}
    said = DraftSaid(SAVED.format(found.name) if asked.saved else "", good=asked.saved, file=found)
    return _shown(request, signed, worker, fields, await with_check(worker, signed, fields, said))


@router.post(f"{HERE}/check")
async def check_draft_page(request: Request, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """What `resonate check` would say of it; nothing is written."""
    fields = typed(await sent(request))
    said = await with_check(worker, signed, fields, DraftSaid(), history=fields.get("quick") != "yes")
    return _shown(request, signed, worker, fields, said)


@router.post(f"{HERE}/save")
async def save_draft(request: Request, signed: SignedIn, asked: Asked, worker: Worker) -> Response:
    """Writes the file of a draft that passes the check; what is refused is shown with what was typed."""
    fields = typed(await posted(request, signed))
    said = await with_check(worker, signed, fields, DraftSaid())
    if not said.passed:
        return _shown(request, signed, worker, fields, said if said.status == 503 else said.but(MEND, 409))
    try:
        place = await saved(asked, worker, signed, fields)
    except NotSaved as refusal:
        return _shown(request, signed, worker, fields, said.but(str(refusal), refusal.status))
    return RedirectResponse(f"{root_of(request)}{place}", 303)


@router.post(f"{HERE}/download")
async def download_draft(request: Request, _: SignedIn) -> Response:
    """The file, to be put into the folder by hand."""
    form = filled(typed(await sent(request)))
    headers = {"content-disposition": f'attachment; filename="{form.file}"'}
    return Response(form.text.encode(), headers=headers, media_type="application/yaml")


def _shown(
    request: Request, signed: Signed, worker: Resources, fields: Mapping[str, str], said: DraftSaid
) -> HTMLResponse:
    form, catalog = filled(fields), worker.catalogs.catalog
    shown: dict[str, Any] = {
        "value": lambda name: fields.get(name, ""),
        "mistakes": lambda name: said.wrong.get(name, ()),
        "field_of": lambda each: form.field_of(DefinitionError(**each)) if each["file"] == form.file else "",
        "rows": Rows.of(fields),
        "form": form,
        "said": said,
        "tests": TESTS,
        "editing": fields.get("draft", ""),
        "fixed": said.file is not None and bool(said.file.kept_from),
        "writable": os.access(worker.settings.definitions, os.W_OK),
        "metrics": sorted(catalog.metrics),
        "segments": sorted(catalog.segments),
        "holdouts": sorted(catalog.holdouts),
    }
    return page(request, signed, "new.html", said.status, **shown)
