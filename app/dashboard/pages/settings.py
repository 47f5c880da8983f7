"""Settings: the tag to paste, keys, people, and where one is signed in."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.dashboard.forms import PageRoute, posted
from app.dashboard.rendering import PAGE_HEADERS, page
from app.dashboard.signed_in import Signed, SignedIn, door_of, known_people, store_away
from app.glossary.entries import sentences_in
from app.http.errors import Problem, retry_later
from app.keys.audit import LONGEST_REASON, Actor, AuditUnusable
from app.keys.changing import NO_FILE, KeyFile, KeysRefused, WantedKey
from app.keys.scopes import ROLE_NAMES, ROLES, SCOPES, PersonScope
from app.keys.uses import read_uses
from app.management.audit import unkept
from app.people.file import By, PeopleUnreadable
from app.people.links import sign_in_address
from app.people.member import PeopleList, PeopleRefused, role_of
from app.people.sessions import SignedInSession
from app.routes.dependencies import Asked, Worker, exchange_of
from app.tag.library import TagLines
from app.worker.resources import Resources
from events.store.availability import StoreUnavailable
from kit.files import read_or_none
from kit.time import now_seconds

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/settings"
SCOPE: Final = "scope-"
"""What the names of fields begin with that say what a new key may do."""
NO_KEY: Final = "YOUR-PUBLISHABLE-KEY"
MAY: Final[Mapping[PersonScope, str]] = {
    "read_results": "read results and reports",
    "export": "write drafts of experiments, make links to reports and take them back",
    "steer": "start, pause, resume, stop and ship experiments, and make preview links",
    "read_people": "look at visitors: what they sent, and what they are given",
    "erase": "erase visitors",
    "audit": "read who changed what",
    "people": "let people in, change their roles, and make and revoke keys",
}
"""What each scope that a page needs lets somebody do there."""
MINUTE: Final = "%Y-%m-%d %H:%M"
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class FormResult:
    """What a form came to, said above the page: a message, or a link or a key that is shown this once."""

    message: str = ""
    link: str = ""
    email: str = ""
    key: str = ""
    name: str = ""
    status: int = 200


@router.get(HERE)
async def settings_page(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """All that one may see of them."""
    return await _settings(request, signed, worker, FormResult())


@router.post("/dashboard/settings/add-person")
async def person_added(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Lets somebody open the pages, and shows the link by which they sign in."""
    fields = await posted(request, signed)
    people, email, role = worker.people, fields.get("email", ""), fields.get("role", "")
    return await _with_link(
        request, signed, worker, fields, lambda by: people.add(email, role_of(role), by, now_seconds())
    )


@router.post("/dashboard/settings/link")
async def link_made(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Shows a new link by which somebody signs in."""
    fields = await posted(request, signed)
    people, email = worker.people, fields.get("email", "")
    return await _with_link(request, signed, worker, fields, lambda by: people.link(email, by, now_seconds()))


@router.post("/dashboard/settings/role")
async def role_changed(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Gives somebody another role, which signs them out everywhere."""
    fields = await posted(request, signed)
    people, email, role = worker.people, fields.get("email", ""), fields.get("role", "")
    return await _done(request, signed, worker, fields, lambda by: people.set_role(email, role_of(role), by))


@router.post("/dashboard/settings/remove-person")
async def person_removed(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Takes somebody out, and signs them out everywhere."""
    fields = await posted(request, signed)
    people, email = worker.people, fields.get("email", "")
    return await _done(request, signed, worker, fields, lambda by: people.remove(email, by))


@router.post("/dashboard/settings/end-session")
async def session_ended(request: Request, signed: SignedIn, asked: Asked, worker: Worker) -> Response:
    """Ends a session: one's own, or as an admin anybody's. It waits for no audit: the line follows."""
    wanted = (await posted(request, signed)).get("session", "")
    found = next((each for each in await _sessions(worker) if each.session.id == wanted), None)
    if found is None:
        return await _settings(request, signed, worker, FormResult("This session has ended already.", status=404))
    if found.member.email != signed.email and not signed.may("people"):
        raise Problem(403, "role_may_not", f"as {signed.role} you may end your own sessions, and nobody else's")
    try:
        await worker.sessions.end(wanted)
    except StoreUnavailable as away:
        raise store_away(away) from None
    by = By(Actor("person", signed.email), request_id=asked.request_id.decode())
    line = by.line("session.end", found.member.subject, {"session": wanted})
    await asyncio.to_thread(worker.audit.follow, line)
    return _led_back(request)


@router.post("/dashboard/settings/new-key")
async def key_made(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Adds a key to the file of keys and shows it."""
    fields = await posted(request, signed)
    scopes = [name.removeprefix(SCOPE) for name in fields if name.startswith(SCOPE)]
    origins = [part.strip() for part in fields.get("origins", "").split(",") if part.strip()]
    name, expires, site = (fields.get(each, "").strip() for each in ("name", "expires", "site"))
    wanted = WantedKey(name, "publishable" if fields.get("class") == "publishable" else "secret", scopes, origins,
                       expires, site)  # fmt: skip
    try:
        key = await _changed(request, signed, fields, lambda by: _file_of_keys(worker, by).add(wanted))
    except KeysRefused as refused:
        return await _settings(request, signed, worker, FormResult(f"No key was made: {refused}", status=400))
    worker.keys.take_up()
    return await _settings(request, signed, worker, FormResult(key=key, name=name))


@router.post("/dashboard/settings/revoke-key")
async def key_revoked(request: Request, signed: SignedIn, worker: Worker) -> Response:
    """Takes a key out of the file of keys: it opens nothing any more."""
    fields = await posted(request, signed)
    name = fields.get("name", "")
    try:
        await _changed(request, signed, fields, lambda by: _file_of_keys(worker, by).revoke(name))
    except KeysRefused as refused:
        return await _settings(request, signed, worker, FormResult(f"Nothing was revoked: {refused}", status=400))
    worker.keys.take_up()
    return _led_back(request)


def _file_of_keys(worker: Resources, by: By) -> KeyFile:
    """The file that keys are listed in. Raises KeysRefused where the settings name none."""
    if worker.settings.keys is None:
        raise KeysRefused(NO_FILE)
    data = worker.settings.data.absolute()
    return KeyFile(worker.settings.keys.absolute(), data, worker.audit, by.actor, by.reason, by.request_id)


async def _with_link(
    request: Request, signed: Signed, worker: Resources, fields: Any, change: Callable[[By], tuple[Any, str]]
) -> Response:
    try:
        member, token = await _changed(request, signed, fields, change)
    except PeopleRefused as refused:
        return await _settings(request, signed, worker, FormResult(str(refused), status=400))
    said = FormResult(link=sign_in_address(door_of(request).url, token), email=member.email)
    return await _settings(request, signed, worker, said)


async def _done(
    request: Request, signed: Signed, worker: Resources, fields: Any, change: Callable[[By], Any]
) -> Response:
    try:
        await _changed(request, signed, fields, change)
    except PeopleRefused as refused:
        return await _settings(request, signed, worker, FormResult(str(refused), status=400))
    return _led_back(request)


async def _changed(request: Request, signed: Signed, fields: Any, change: Callable[[By], Done]) -> Done:
    """What a change comes to, once the audit has it. Raises PeopleRefused, KeysRefused, Problem 400 or 503."""
    reason = fields.get("reason", "").strip() or None
    if reason is not None and len(reason) > LONGEST_REASON:
        raise Problem(400, "invalid_reason", f"a reason may have {LONGEST_REASON} characters")
    by = By(Actor("person", signed.email), reason, exchange_of(request).request_id.decode())
    try:
        return await asyncio.to_thread(change, by)
    except AuditUnusable as error:
        raise unkept(error) from None
    except PeopleUnreadable as error:
        raise retry_later(503, "people_unreadable", str(error), 60) from None
    except OSError as error:
        what = f"{error.filename or 'the file'} cannot be changed: {error.strerror}; nothing was done"
        raise retry_later(503, "not_kept", what, 5) from None


def _led_back(request: Request) -> Response:
    return RedirectResponse(f"{door_of(request).root}{HERE}", 303, PAGE_HEADERS)


async def _sessions(worker: Resources) -> list[SignedInSession]:
    try:
        return [*await worker.sessions.listed(known_people(worker), now_seconds())]
    except StoreUnavailable as away:
        raise store_away(away) from None


async def _settings(request: Request, signed: Signed, worker: Resources, said: FormResult) -> Response:
    known, everybody = known_people(worker), signed.may("people")
    sessions = [each for each in await _sessions(worker) if everybody or each.member.email == signed.email]
    url = door_of(request).url
    key = _publishable_key(worker)
    return page(
        request,
        signed,
        "settings.html",
        said.status,
        said=said,
        tag=TagLines.of(url, key),
        key_is_known=key != NO_KEY,
        url=url,
        keys=await asyncio.to_thread(_keys, worker) if everybody else None,
        listed={each.name for each in worker.keys.listed.in_force},
        keys_are_listed=worker.settings.keys is not None,
        scopes=[(scope, sentences_in("KeyScope")[scope]) for scope in SCOPES],
        people=_people(known) if everybody else None,
        roles=[(role, [MAY[scope] for scope in MAY if scope in ROLES[role]]) for role in ROLE_NAMES],
        sessions=[_session(each, signed) for each in sessions],
    )


def _publishable_key(worker: Resources) -> str:
    """The first that can be read in the settings, else that of the pair which the first start made."""
    configured = worker.settings.publishable_keys
    for text in configured:
        if not text.startswith("sha256:"):
            return text.partition("@")[0]
    made = None if configured or worker.settings.keys else read_or_none(worker.settings.data / "keys.json")
    return NO_KEY if made is None else json.loads(made)["publishable"]


def _keys(worker: Resources) -> list[dict[str, Any]]:
    uses = read_uses(worker.settings.data)
    return [
        {"expires": None} | grant.told | {"used": uses[grant.name].told["minute"] if grant.name in uses else None}
        for grant in worker.access.keys.grants
    ]


def _people(known: PeopleList) -> list[dict[str, Any]]:
    now = now_seconds()
    ends = {link.person: link.ends for link in known.links if link.used is None and now < link.ends}
    return [
        {"email": each.email, "role": each.role, "added": each.added[:10], "link": _minute(ends.get(each.id))}
        for each in sorted(known.people, key=lambda each: each.email)
    ]


def _session(each: SignedInSession, signed: Signed) -> dict[str, Any]:
    return {
        "id": each.session.id,
        "email": each.member.email,
        "browser": each.session.browser or "a browser that does not say which",
        "began": _minute(each.session.began),
        "seen": _minute(each.seen),
        "this": each.session.id == signed.session,
    }


def _minute(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime(MINUTE)
