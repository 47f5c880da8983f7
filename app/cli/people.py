"""`resonate people`: who may open the pages, as what; each of them signs in by a link that is printed once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.cli.output import (
    NO_SERVICE,
    AsJson,
    Reason,
    Refused,
    checked_reason,
    environment_settings,
    say,
    say_json,
    say_table,
)
from kit.files import read_or_none
from kit.time import iso, now_seconds

if TYPE_CHECKING:
    from app.people.file import By, People
    from app.runtime.settings import Settings

commands = typer.Typer(no_args_is_help=True, help="Who may open the pages, and as what.")

Email = Annotated[str, typer.Argument(help="Their e-mail address, by which the audit names them.", show_default=False)]
ROLES = "viewer, editor, publisher or admin (docs/security.md says what each may do)."
Done = TypeVar("Done")


@commands.command("add")
def add_person(
    email: Email,
    role: Annotated[str, typer.Option(help=ROLES)],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody open the pages, and print the link by which they sign in: once, within 60 minutes."""
    from app.people.member import role_of

    settings = environment_settings("writes")
    person, token = _changed(settings, reason, lambda people, by: people.add(email, role_of(role), by, now_seconds()))
    _say_link(settings, person.email, person.role, token, as_json=as_json)


@commands.command("link")
def link_person(email: Email, reason: Reason = None, as_json: AsJson = False) -> None:
    """Print a new link by which somebody signs in; the one before it opens nothing any more."""
    settings = environment_settings("writes")
    person, token = _changed(settings, reason, lambda people, by: people.link(email, by, now_seconds()))
    _say_link(settings, person.email, person.role, token, as_json=as_json)


@commands.command("role")
def change_role(
    email: Email,
    role: Annotated[str, typer.Argument(help=ROLES, show_default=False)],
    reason: Reason = None,
) -> None:
    """Give somebody another role; they are signed out everywhere."""
    from app.people.member import role_of

    settings = environment_settings("writes")
    person = _changed(settings, reason, lambda people, by: people.set_role(email, role_of(role), by))
    say(f"{person.email} is {person.role} now, and signed out everywhere; `resonate people link` makes a new link")


@commands.command("remove")
def remove_person(email: Email, reason: Reason = None) -> None:
    """Take somebody out; they are signed out everywhere, and their links open nothing."""
    person = _changed(environment_settings("writes"), reason, lambda people, by: people.remove(email, by))
    say(f"{person.email} may open no page any more")


@commands.command("list")
def list_people(as_json: AsJson = False) -> None:
    """Who may open the pages, as what, since when, and whose link is open."""
    from app.people.file import PeopleUnreadable

    try:
        known = _people(environment_settings()).known
    except PeopleUnreadable as error:
        raise Refused(str(error)) from None
    now = now_seconds()
    ends = {link.person: link.ends for link in known.links if link.used is None and now < link.ends}
    told = [
        {
            "email": person.email,
            "role": person.role,
            "added": person.added,
            "link_until": iso(datetime.fromtimestamp(ends[person.id], UTC), "seconds") if person.id in ends else None,
        }
        for person in sorted(known.people, key=lambda each: each.email)
    ]
    if as_json:
        say_json({"people": told})
        return
    rows = [[str(each["email"]), str(each["role"]), str(each["added"]), each["link_until"] or ""] for each in told]
    say_table("People", ["e-mail", "role", "added", "link open until"], rows)


def _people(settings: "Settings") -> "People":
    from app.keys.audit import Audit
    from app.people.file import People
    from app.runtime.data_directory import DataDirectory

    if not settings.data.is_dir():
        raise Refused(NO_SERVICE.format(settings.data))
    data = settings.data.absolute()
    return People(DataDirectory(data).people_file, Audit(data))


def _changed(settings: "Settings", reason: str | None, change: "Callable[[People, By], Done]") -> Done:
    """What a change comes to, once the audit has it. Raises Refused."""
    from app.keys.audit import Actor, AuditUnusable
    from app.people.file import By, PeopleUnreadable
    from app.people.member import PeopleRefused

    by = By(Actor.at_the_command_line(), checked_reason(reason))
    people = _people(settings)
    try:
        return change(people, by)
    except (PeopleRefused, PeopleUnreadable, AuditUnusable) as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"the people of {settings.data} cannot be changed: {error.strerror}") from None


def _say_link(settings: "Settings", email: str, role: str, token: str, *, as_json: bool) -> None:
    """The link, shown once, by the public address, that of the running service, or the one it would have."""
    from app.people.links import sign_in_address
    from app.runtime.data_directory import DataDirectory

    address = settings.public_url
    if address is None:
        running = read_or_none(DataDirectory(settings.data.absolute()).address_file)
        address = f"http://{settings.host}:{settings.port}" if running is None else json.loads(running)["url"]
    link = sign_in_address(address, token)
    if as_json:
        say_json({"email": email, "role": role, "url": link})
        return
    say(f"{email} signs in as {role}, once, within 60 minutes:\n  {link}")
