"""`people.json` → who may sign in, as what, and by which links: frozen values, and the words for what can be none."""

import re
import secrets
from hashlib import sha256
from typing import Final

import msgspec

from app.keys.scopes import ROLE_NAMES, ROLES, PersonScope, Role
from kit.suggestions import did_you_mean

LONGEST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3, without its brackets
EMAIL: Final = re.compile(r"[^@\s<>()\[\],;:\"\\\x00-\x1f\x7f]{1,64}@[^@\s<>()\[\],;:\"\\\x00-\x1f\x7f]+")
TOKEN_BYTES: Final = 32
LINK_SECONDS: Final = 3_600
TWICE_SECONDS: Final = 30


class PeopleRefused(Exception):
    """What was asked for people is not done; `code` is a word for machines, the message says what would be right."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class TeamMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. The e-mail says who it is, whoever vouches for it: a link today, a provider later.

    `generation` is drawn anew with the role: what was begun in an earlier one has ended.
    """

    id: str
    email: str
    role: Role
    generation: str
    added: str

    @property
    def scopes(self) -> frozenset[PersonScope]:
        """What the role may do."""
        return ROLES[self.role]

    @property
    def subject(self) -> str:
        """How the audit names them."""
        return f"person:{self.email}"


class LinkUse(msgspec.Struct, frozen=True):
    """What used a link up: a form (by a digest), when (epoch seconds), and the session that it began."""

    form: str
    at: float
    session: str


class SignInLink(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A link that signs somebody in once, until `ends` (epoch seconds); `person` None is whoever comes first of all.

    Whoever presses its button twice presses it once: the same form may use it again within seconds.
    """

    digest: str
    person: str | None
    ends: float
    used: LinkUse | None = None

    def opens(self, form: str, now: float) -> bool:
        """Whether it signs in who sends this form now."""
        if self.used is None:
            return now < self.ends
        return bool(form) and self.used.form == token_digest(form) and now < self.used.at + TWICE_SECONDS


class PeopleList(msgspec.Struct, frozen=True):
    """All that the file says."""

    people: tuple[TeamMember, ...] = ()
    links: tuple[SignInLink, ...] = ()

    def by_id(self, identifier: str) -> TeamMember | None:
        """Who has this id."""
        return next((person for person in self.people if person.id == identifier), None)

    def by_email(self, email: str) -> TeamMember:
        """Who has this e-mail, in whatever capitals. Raises PeopleRefused."""
        wanted = email.strip().casefold()
        for person in self.people:
            if person.email.casefold() == wanted:
                return person
        known = [person.email for person in self.people]
        hint = did_you_mean(email.strip()[:LONGEST_EMAIL], known, otherwise="; `resonate people list` names all")
        raise PeopleRefused(
            "unknown_person", f"there is nobody with the e-mail {email.strip()[:LONGEST_EMAIL]!r}{hint}"
        )

    def with_person(self, person: TeamMember) -> "PeopleList":
        """The same with this person, new or changed."""
        kept = tuple(each for each in self.people if each.id != person.id)
        return PeopleList((*kept, person), self.links)

    def without(self, person: TeamMember) -> "PeopleList":
        """The same without this person, and without their links. Raises PeopleRefused for the last admin."""
        self.keep_an_admin(person, None)
        links = tuple(link for link in self.links if link.person != person.id)
        return PeopleList(tuple(each for each in self.people if each.id != person.id), links)

    def keep_an_admin(self, person: TeamMember, role: Role | None) -> None:
        """Raises PeopleRefused where nobody would be left who may add people."""
        others = any(each.role == "admin" and each.id != person.id for each in self.people)
        if person.role == "admin" and role != "admin" and not others:
            raise PeopleRefused("last_admin", f"{person.email} is the only admin; make somebody else one first")

    def with_link(self, link: SignInLink, now: float) -> "PeopleList":
        """The same with this link in place of an earlier one for the same person, and without those that are over."""
        kept = tuple(each for each in self.links if each.person != link.person and now < each.ends)
        return PeopleList(self.people, (*kept, link))

    def entered_by(self, token: str, form: str, now: float) -> "tuple[SignInLink, TeamMember | None] | None":
        """The link that a token opens for a form now, and whom it is for: None is whoever comes first of all."""
        digest = token_digest(token)
        link = next((link for link in self.links if link.digest == digest and link.opens(form, now)), None)
        if link is None:
            return None
        if link.person is None:
            return None if self.people else (link, None)  # somebody may have been added meanwhile
        person = self.by_id(link.person)
        return None if person is None else (link, person)


def email_of(text: str) -> str:
    """The e-mail that somebody wrote. Raises PeopleRefused for what is none."""
    email = text.strip()
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email) or not email.isprintable():
        shown = email[:60] + "…" * (len(email) > 60)
        raise PeopleRefused("invalid_email", f"{shown!r} is no e-mail address; write one such as ada@shop.example")
    return email


def role_of(text: str) -> Role:
    """The role of this name. Raises PeopleRefused."""
    for role in ROLE_NAMES:
        if text.strip().lower() == role:
            return role
    hint = did_you_mean(text.strip()[:60], ROLE_NAMES, otherwise=f"; there are {', '.join(ROLE_NAMES)}")
    raise PeopleRefused("unknown_role", f"there is no role {text.strip()[:60]!r}{hint}")


def new_token() -> str:
    """256 bits that nobody can guess, as they may stand in an address or a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> str:
    """What is kept in place of a token. Nobody finds 256 random bits by their digest, so it needs no salt."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
