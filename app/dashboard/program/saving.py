"""A draft becomes a file: with its line in the audit, once, and taken up by the service before anybody looks at it."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from app.dashboard.program.typed import drafts_of, kept
from app.dashboard.signed_in import Signed
from app.http.errors import Problem
from app.http.exchange import Exchange
from app.management.audit import Act, auditing
from app.worker.resources import Resources
from experiments.drafts.form import filled
from experiments.drafts.keeping import DraftRefused, draft_written, text_digest
from kit.time import iso, now_utc

LOOK_SECONDS: Final = 0.1
MOST_LOOKS: Final = 40
NOT_WRITTEN: Final = "{} cannot be written here ({}): download it and put it into the folder of the definition files"


class NotSaved(Exception):
    """Nothing was written; the message says why, and `status` is that of the page which says it."""

    def __init__(self, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.status = status


async def saved(asked: Exchange, worker: Resources, signed: Signed, fields: Mapping[str, str]) -> str:
    """Writes the file of a draft that passes its check; the page that shows what came of it. Raises NotSaved."""
    form, drafts, seen = filled(fields), drafts_of(worker), fields.get("seen", "")
    key, text, editing = form.draft.key, form.text, bool(fields.get("draft"))
    written = draft_written(text, signed.email, iso(now_utc(), "seconds"), kept(fields))
    act = Act("draft", key, {"sha256": seen} if editing else None, {"file": form.file, "sha256": text_digest(text)})
    version = "" if text_digest(text) == seen else worker.catalogs.catalog.version  # the same text changes nothing
    try:
        async with auditing(asked, worker, act):
            if editing:
                await asyncio.to_thread(drafts.replace, key, seen, text, written)
            else:
                await asyncio.to_thread(drafts.create, key, text, written)
    except DraftRefused as refusal:
        raise NotSaved(f"Nothing was saved: {refusal}.") from None
    except OSError as error:
        reason = (error.strerror or "unknown cause").lower()
        raise NotSaved(f"Nothing was saved: {NOT_WRITTEN.format(form.file, reason)}.") from None
    except Problem as problem:  # without a line in the audit nothing is done
        raise NotSaved(f"Nothing was saved: {problem.detail}", problem.status) from None
    if await _taken_up(worker, key, version):
        return f"/dashboard/experiments/{quote(key)}"
    return f"/dashboard/new?{urlencode({'draft': key, 'saved': 1})}"


async def _taken_up(worker: Resources, key: str, version: str) -> bool:
    """Whether the service has this draft now; a folder with mistakes is not taken up until they are mended."""
    for _ in range(MOST_LOOKS):
        worker.catch_up()
        catalogs = worker.catalogs
        if catalogs.errors:
            return False
        if key in catalogs.catalog.experiments and catalogs.catalog.version != version:
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return key in worker.catalogs.catalog.experiments  # the same design in other words
