"""Keeps the people of one data directory: each change is in the audit first, and whole or not at all."""

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from app.keys.audit import Actor, Audit, AuditLine, line_of
from app.keys.scopes import Role
from app.people.member import (
    LINK_SECONDS,
    LinkUse,
    PeopleList,
    PeopleRefused,
    SignInLink,
    TeamMember,
    email_of,
    new_token,
    token_digest,
)
from kit.files import FileMark, create_file, locked, mark_of, read_or_none, replace_file
from kit.time import iso

logger = logging.getLogger(__name__)


class PeopleUnreadable(Exception):
    """The file of people is damaged; nobody is let in by it. The message says what to do."""


class LinkUsed(Exception):
    """A link that signs nobody in: used, over, or never made. Nobody is told which."""


class By(NamedTuple):
    """Who changes people, and why."""

    actor: Actor
    reason: str | None = None
    request_id: str | None = None

    def line(self, act: str, subject: str, before: Any = None, after: Any = None) -> AuditLine:
        """What the audit keeps of it."""
        return line_of(self.actor, act, subject, (before, after), self.reason, self.request_id)


class SignIn(NamedTuple):
    """What a sign-in form sends: the token of a link, who the first of all says to be, and the form's own name."""

    token: str
    form: str
    email: str = ""
    request_id: str | None = None


Change = tuple[PeopleList, Sequence[AuditLine]]  # what is there after it, and what the audit keeps of it


class People:
    """Whoever may sign in by one data directory; commands and workers change them side by side.

    Each change raises PeopleRefused, PeopleUnreadable, AuditUnusable or OSError with nothing changed.
    """

    def __init__(self, file: Path, audit: Audit) -> None:
        self.file = file
        self._audit = audit
        self._mark: FileMark | None = None
        self._known = PeopleList()

    @property
    def known(self) -> PeopleList:
        """All of them now; one look at the file's mark. Raises PeopleUnreadable."""
        mark = mark_of(self.file)
        if mark != self._mark:
            self._known, self._mark = read_people(self.file), mark
        return self._known

    def add(self, email: str, role: Role, by: By, now: float) -> tuple[TeamMember, str]:
        """Somebody new, and the token of the link that signs them in."""
        person = _new_person(email_of(email), role, now)
        token = new_token()

        def changed(before: PeopleList) -> Change:
            for each in before.people:
                if each.email.casefold() == person.email.casefold():
                    told = f"{each.email} is there already, as {each.role}; `resonate people link` makes a new link"
                    raise PeopleRefused("person_exists", told)
            after = before.with_person(person).with_link(_link(token, person, now), now)
            return after, [by.line("person.add", person.subject, None, {"role": role})]

        self._change(changed)
        return person, token

    def set_role(self, email: str, role: Role, by: By) -> TeamMember:
        """Gives somebody another role; what they had begun in the former one has ended."""
        found: list[TeamMember] = []

        def changed(before: PeopleList) -> Change:
            person = before.by_email(email)
            if person.role == role:
                raise PeopleRefused("role_unchanged", f"{person.email} is {role} already")
            before.keep_an_admin(person, role)
            found.append(msgspec.structs.replace(person, role=role, generation=secrets.token_hex(8)))
            line = by.line("person.role", person.subject, {"role": person.role}, {"role": role})
            return before.with_person(found[0]), [line]

        self._change(changed)
        return found[0]

    def remove(self, email: str, by: By) -> TeamMember:
        """Takes somebody out; their sessions and links have ended."""
        found: list[TeamMember] = []

        def changed(before: PeopleList) -> Change:
            person = before.by_email(email)
            found.append(person)
            return before.without(person), [by.line("person.remove", person.subject, {"role": person.role}, None)]

        self._change(changed)
        return found[0]

    def link(self, email: str, by: By, now: float) -> tuple[TeamMember, str]:
        """The token of a new link for somebody; the former one signs nobody in any more."""
        token, found = new_token(), list[TeamMember]()

        def changed(before: PeopleList) -> Change:
            person = before.by_email(email)
            found.append(person)
            return before.with_link(_link(token, person, now), now), [by.line("person.link", person.subject)]

        self._change(changed)
        return found[0], token

    def first_link(self, now: float) -> str | None:
        """The token of a link for whoever comes first, as an admin; None where there is somebody already."""
        token = new_token()

        def changed(before: PeopleList) -> Change:
            return (before if before.people else before.with_link(_link(token, None, now), now)), ()

        return None if self._change(changed).people else token

    def whose(self, sign_in: SignIn, now: float) -> TeamMember:
        """Whom a link would sign in, without using it up. Raises LinkUsed, PeopleRefused, PeopleUnreadable."""
        found = self.known.entered_by(sign_in.token, sign_in.form, now)
        if found is None:
            raise LinkUsed
        return found[1] or _new_person(email_of(sign_in.email), "admin", now)

    def enter(self, sign_in: SignIn, person: TeamMember, session: str, now: float) -> str | None:
        """Uses a link up for who `whose` said, and for the session of this id; one that the same form began has ended.

        Raises LinkUsed too.
        """
        former: list[str] = []

        def changed(before: PeopleList) -> Change:
            found = before.entered_by(sign_in.token, sign_in.form, now)
            if found is None or found[1] not in (None, person):
                raise LinkUsed
            link, known = found
            use = LinkUse(token_digest(sign_in.form), now, session)
            lines: list[AuditLine] = []
            if link.used is None:
                by = By(Actor("person", person.email), request_id=sign_in.request_id)
                lines += [by.line("person.add", person.subject, None, {"role": person.role})] if known is None else []
                lines.append(by.line("sign_in", person.subject, None, {"session": session}))
            else:
                former.append(link.used.session)
                use = msgspec.structs.replace(use, at=link.used.at)
            used = msgspec.structs.replace(link, person=person.id, used=use)
            links = tuple(each for each in before.links if each.digest != link.digest)
            return PeopleList(before.with_person(person).people, (*links, used)), lines

        self._change(changed)
        return next(iter(former), None)

    def _change(self, changed: Callable[[PeopleList], Change]) -> PeopleList:
        """What was there before, which is now changed."""
        with locked(self.file):
            before = read_people(self.file)
            after, lines = changed(before)
            self._audit.write(*lines)
            if after != before:
                if not self.file.exists():
                    create_file(self.file, b"", 0o600)
                replace_file(self.file, msgspec.json.encode(after), keeps_mode=True)
            return before


def read_people(file: Path) -> PeopleList:
    """What a file says; nobody where there is none. Raises PeopleUnreadable."""
    try:
        content = read_or_none(file)
        return msgspec.json.decode(content, type=PeopleList) if content else PeopleList()
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        told = f"{file} cannot be read ({error}); put it back from a backup, or move it away and start anew"
        raise PeopleUnreadable(told) from None


def _new_person(email: str, role: Role, now: float) -> TeamMember:
    added = iso(datetime.fromtimestamp(now, UTC))
    return TeamMember(id=secrets.token_hex(8), email=email, role=role, generation=secrets.token_hex(8), added=added)


def _link(token: str, person: TeamMember | None, now: float) -> SignInLink:
    return SignInLink(digest=token_digest(token), person=None if person is None else person.id, ends=now + LINK_SECONDS)
