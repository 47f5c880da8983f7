"""Visitor: what one of them was given and why, what is held of them, and its erasure. Ids come by forms alone, so that
they stand in no address and in no log on the way; who looks, and who erases, stands in the audit first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import ErasureQuery, PersonKind, PersonQuery
from app.dashboard.customers.held import given_now, newest_events, variants_seen
from app.dashboard.forms import PageRoute, posted
from app.dashboard.rendering import page
from app.dashboard.signed_in import Signed, SignedIn
from app.glossary.entries import sentences_in
from app.http.body import told_id
from app.http.errors import Problem
from app.management.audit import Act, auditing, note, subject_of
from app.routes.dependencies import Asked, Worker, analysed_for
from app.worker.resources import Resources
from kit.time import now_seconds

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/visitor"
KINDS: Final[Mapping[PersonKind, str]] = {"visitor": "Visitor id", "user": "User id"}
ONLY: Final = "only-"
"""What the names of fields begin with that say which of several users are meant."""
MOST_USERS: Final = 50
ENTER: Final = (
    "id: enter the id of a visitor, as the cookie resonate_id has it, or of a user, as the shop's backend sends it"
)
NOT_TYPED: Final = "Nothing was erased: what was typed is not the id {!r}. Type it as it stands here."
SEVERAL: Final = "More than one user was seen with this id: nothing was erased. Say which of them are meant."
Step = Literal["asked", "held", "preview", "erased"]


@dataclass(frozen=True, slots=True)
class LookedFor:
    """Whom a form asks for; of several users those in `only`, None where nobody said which."""

    kind: PersonKind
    id: str
    only: tuple[str, ...] | None = None
    page: int = 1

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "LookedFor":
        """What the fields of a form say. Raises Problem 400."""
        kind: PersonKind = "user" if fields.get("kind") == "user" else "visitor"
        wanted = told_id(fields.get("id", "").strip() or None, "id")
        if wanted is None:
            raise Problem(400, "invalid_id", ENTER)
        chosen = [told_id(value, "only") for name, value in fields.items() if name.startswith(ONLY)]
        only = tuple(each for each in chosen if each is not None)
        number = fields.get("turn", "1")
        whole = number.isascii() and number.isdigit() and len(number) < 6
        return cls(kind, wanted, only or None, max(1, int(number)) if whole else 1)

    @property
    def fields(self) -> dict[str, str]:
        """The same for another form."""
        chosen = {f"{ONLY}{place}": user for place, user in enumerate(self.only or ())}
        return {"kind": self.kind, "id": self.id, **chosen}


@router.get(HERE)
async def visitor_page(request: Request, signed: SignedIn) -> HTMLResponse:
    """The form that asks for somebody."""
    return _page(request, signed, "asked", None)


@router.post(f"{HERE}/look")
async def looked_at_visitor(request: Request, asked: Asked, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """All that is held about somebody."""
    wanted = LookedFor.of(await posted(request, signed))
    await note(asked, worker, Act("access", subject_of(wanted.kind, wanted.id)))
    status, held = await _person(signed, worker, PersonQuery(wanted.kind, wanted.id, wanted.only))
    if status == 409:
        return _page(request, signed, "held", wanted, several=held)
    now, rows = now_seconds(), held["events"]
    given = given_now(worker.visible_to(None, now), held, wanted.kind, wanted.id, now)
    shown: dict[str, Any] = {"given": given, "why": {**sentences_in("Reason"), **sentences_in("NotInReason")}}
    shown |= {"seen": variants_seen(rows), "paged": newest_events(rows, wanted.page)}
    return _page(request, signed, "held", wanted, held=held, **shown)


@router.post(f"{HERE}/preview")
async def erasure_previewed(request: Request, asked: Asked, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """Whom and how much an erasure would take, and the form that asks for the id once more."""
    wanted = LookedFor.of(await posted(request, signed))
    await note(asked, worker, Act("access", subject_of(wanted.kind, wanted.id)))
    return await _previewed(request, signed, worker, wanted)


@router.post(f"{HERE}/erase")
async def visitor_erased(request: Request, asked: Asked, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """Erases somebody whose id was typed once more."""
    fields = await posted(request, signed)
    wanted = LookedFor.of(fields)
    if fields.get("typed", "").strip() != wanted.id:
        await note(asked, worker, Act("access", subject_of(wanted.kind, wanted.id)))
        return await _previewed(request, signed, worker, wanted, refused=NOT_TYPED.format(wanted.id))
    reason = fields.get("reason", "").strip() or None
    async with auditing(asked, worker, Act("erase", subject_of(wanted.kind, wanted.id), reason=reason)):
        status, erased = await _person(signed, worker, ErasureQuery(wanted.kind, wanted.id, wanted.only))
        if status == 409:
            raise Problem(409, "several_people", SEVERAL)
    return _page(request, signed, "erased", wanted, erased=erased)


async def _previewed(
    request: Request, signed: Signed, worker: Resources, wanted: LookedFor, refused: str = ""
) -> HTMLResponse:
    query = PersonQuery(wanted.kind, wanted.id, wanted.only, counted=True)
    status, counted = await _person(signed, worker, query)
    if status == 409:
        return _page(request, signed, "preview", wanted, several=counted)
    return _page(request, signed, "preview", wanted, counted=counted, refused=refused)


async def _person(signed: Signed, worker: Resources, query: PersonQuery | ErasureQuery) -> tuple[int, dict[str, Any]]:
    """Who that is, as the JSON routes say it, with its status: 409 where several users are meant."""
    answer = await analysed_for(signed.email, worker, query)
    return answer.status, msgspec.json.decode(answer.body, type=dict[str, Any])


def _page(
    request: Request, signed: Signed, step: Step, wanted: LookedFor | None, refused: str = "", **shown: Any
) -> HTMLResponse:
    several: dict[str, Any] | None = shown.pop("several", None)
    told = {"step": step, "wanted": wanted, "kinds": KINDS, "several": several, "refused": refused, **shown}
    status = 409 if several is not None else 400 if refused else 200
    return page(request, signed, "visitor.html", status, most_users=MOST_USERS, **told)
