"""Commands that set a shop up and look whether it works: init, settings and doctor."""

import os
import secrets
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.output import (
    NOTHING,
    AsJson,
    Refused,
    SettingsFile,
    complain,
    environment_settings,
    environment_with,
    harmless_text,
    say,
    say_json,
    say_table,
)

if TYPE_CHECKING:
    from app.runtime.settings import Settings
    from app.setup.site import SiteAnswers

commands = typer.Typer()

DOCTOR_KEY: Final = "RESONATE_DOCTOR_KEY"
NO_KEY: Final = (
    f"doctor needs a secret key with the scopes read_results, export and track: `resonate keys new doctor --scopes"
    f" read_results,export,track`, then set {DOCTOR_KEY} where the command runs"
)
NO_ADDRESS: Final = "no service runs on {}; start one with `resonate serve`, or name its address with --url"
Option = typer.Option


@commands.command()
def init(  # noqa: PLR0913 (one parameter per option of the command)
    site: Annotated[str | None, Option(help="The shop's address, such as https://shop.example.")] = None,
    address: Annotated[
        str | None, Option(help="By which address pages reach the service (RESONATE_PUBLIC_URL).")
    ] = None,
    proxies: Annotated[
        str | None, Option(help="Addresses of the shop's proxy, or none (RESONATE_TRUSTED_PROXIES).")
    ] = None,
    hosts: Annotated[str | None, Option(help="Other hosts of the shop: www.shop.example,…, or none.")] = None,
    consent: Annotated[str | None, Option(help="ask (a banner), measure or personal.")] = None,
    currency: Annotated[str | None, Option(help="The shop's, such as EUR.")] = None,
    timezone: Annotated[str | None, Option(help="In which its days are, such as Europe/Berlin.")] = None,
    folder: Annotated[Path, Option(help="Where definitions/shop.yaml, resonate.env and keys.yaml are.")] = Path(),
    yes: Annotated[
        bool, Option("--yes", "-y", help="Ask nothing: what is not given stays as it is, or is safe.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set a shop up: writes shop.yaml, settings and named keys, prints the tag; run again it changes what is asked."""
    from app.keys.file import KeysInvalid, read_keys
    from app.setup.files import NotChanged
    from app.setup.site import (
        WrongAnswer,
        keys_file,
        known_answers,
        lines_for_shop,
        note_publishable,
        publishable_of,
        write_site,
    )
    from kit.files import read_or_none

    given = {"address": address, "proxies": proxies, "hosts": hosts, "consent": consent, "currency": currency,
             "timezone": timezone}  # fmt: skip
    try:
        known = known_answers(folder, site)
        answers = _answered(known, given, ask=not yes and not as_json and sys.stdin.isatty()).checked()
        keys = keys_file(folder)
        read_keys(read_or_none(keys) or b"", keys.name)  # what is wrong with it is said before anything is written
        settings = environment_settings("writes", keys=keys)
        changed = write_site(folder, answers)
        made = _make_keys(settings)
        if "pages" in made:
            note_publishable(folder, made["pages"])
        lines = lines_for_shop(answers, publishable_of(folder) or "pk_…")
    except (WrongAnswer, NotChanged, KeysInvalid) as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{error.filename} cannot be written: {error.strerror}") from None
    if as_json:
        say_json({"changed": [str(file) for file in changed], "keys": made, "lines": lines})
        return
    say("changed " + (", ".join(map(str, changed)) or "nothing; the files say all of this already"))
    for name, key in made.items():
        say(f"key {name}: {key}" + ("" if key.startswith("pk_") else "  (shown here and never again)"))
    for heading, text in lines.items():
        say(f"\n--- {heading}\n{text}")


@commands.command("settings")
def settings_shown(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Each setting with its value and from where it is: environment, file or default; a secret is shown as `…`."""
    from app.runtime.settings import SettingsError, settings_in_force, unknown_variables

    environment = environment_with(settings_file)
    for warning in unknown_variables(environment):
        complain(f"warning: {warning}")
    try:
        rows = settings_in_force(environment)
    except SettingsError as error:
        raise Refused(str(error)) from None
    if as_json:
        say_json({"settings": rows})
        return
    cells = [[row["name"], _as_written(row["value"]), row["from"], row["where"] or NOTHING] for row in rows]
    say_table("settings in force", ["setting", "value", "from", "where"], cells)


def _as_written(value: Any) -> str:
    """A value of a setting on one line; `–` where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value)) or NOTHING
    return NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@commands.command()
def doctor(
    url: Annotated[
        str | None, Option(help="By which address to call; the running service's own, if not given.")
    ] = None,
    send: Annotated[bool, Option("--send", help="Send a test event of each dialect and read it back.")] = False,
    watch: Annotated[bool, Option("--watch", help="Print each event as it arrives, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is wrong with how the service is set up and called, and what ends it; exit code 1 where anything is."""
    from app.setup.calls import NotAsked, RunningService

    settings = environment_settings()
    try:
        with RunningService(url or _address(settings), _key(settings)) as service:
            if watch:
                for row in service.arriving(time.sleep):
                    say_row(row, as_json=as_json)
                return
            lines = [*service.lines(), *(service.send(time.monotonic, time.sleep) if send else ())]
            address = service.url
    except NotAsked as error:
        raise Refused(str(error)) from None
    wrong = sum(not line["ok"] for line in lines)
    if as_json:
        say_json({"url": address, "ok": not wrong, "lines": lines})
    else:
        for line in lines:
            say(f"{'ok   ' if line['ok'] else 'WRONG'}  {line['check']:<12} {harmless_text(line['found'])}")
            if line["remedy"]:
                say(f"       {'':<12} → {harmless_text(line['remedy'])}")
        say(f"{address}: {f'{wrong} of {len(lines)} lines are wrong' if wrong else 'nothing is wrong'}")
    if wrong:
        raise typer.Exit(1)


def say_row(row: dict[str, Any], *, as_json: bool) -> None:
    """One event that arrived: as it was exported, or a line of it."""
    import json

    if as_json:
        say(json.dumps(row, ensure_ascii=False))
        return
    moment = datetime.fromtimestamp(row["received_at"] / 1e6).astimezone().strftime("%H:%M:%S")
    told = (row.get("context") or {}).get("library")
    library = told.get("name") if isinstance(told, dict) else told
    about = [row["type"], row.get("event", ""), row.get("experiment", ""), row.get("variant", ""), row.get("path", "")]
    odd = [name for name in ("forged", "quarantined", "bot", "forced") if row.get(name)]
    say("  ".join(harmless_text(each) for each in (moment, *about, library, *odd) if each))


def _answered(known: "SiteAnswers", given: dict[str, str | None], *, ask: bool) -> "SiteAnswers":
    """What is known with what was given; of the rest it is asked, where somebody can answer."""
    from dataclasses import replace

    from app.setup.site import QUESTIONS

    said = {name: value for name, value in given.items() if value is not None}
    if ask:
        for name, question in QUESTIONS.items():
            if name not in said:
                said[name] = typer.prompt(question, default=getattr(known, name), err=True)
    return replace(known, **said)


def _make_keys(settings: "Settings") -> dict[str, str]:
    """The keys that the file has no name of yet, made and shown once: by name."""
    from app.cli.keys import change_keys
    from app.keys.file import read_keys, with_key
    from app.keys.named import ListedKey, digest_of
    from app.keys.scopes import PAGE_SCOPES, SCOPES
    from app.setup.site import NEW_KEYS

    made: dict[str, str] = {}

    def changed(content: bytes) -> bytes:
        known = {key.name for key in read_keys(content).keys}
        for name, (kind, scopes) in NEW_KEYS.items():
            if name in known:
                continue
            page = kind == "publishable"
            made[name] = f"{'pk' if page else 'sk'}_{secrets.token_urlsafe(32)}"
            allowed = PAGE_SCOPES if page else SCOPES
            content = with_key(
                content,
                ListedKey(
                    name=name,
                    kind="publishable" if page else "secret",
                    digest=digest_of(made[name]).removeprefix("sha256:"),
                    scopes=tuple(scope for scope in allowed if not scopes or scope in scopes),
                ),
            )
        return content

    change_keys(settings, changed, "resonate init")
    return made


def _address(settings: "Settings") -> str:
    """The address of the running service of this data directory. Raises Refused."""
    import json

    from app.runtime.data_directory import DataDirectory

    try:
        return str(json.loads(DataDirectory(settings.data).address_file.read_text())["url"])
    except (OSError, ValueError, KeyError):
        raise Refused(NO_ADDRESS.format(settings.data)) from None


def _key(settings: "Settings") -> str:
    """The secret key that the doctor calls with. Raises Refused."""
    import json

    given = os.environ.get(DOCTOR_KEY)
    known = [key for key in settings.secret_keys if not key.startswith("sha256:")]
    if given or known:
        return given or known[0]
    try:
        return str(json.loads((settings.data / "keys.json").read_text())["secret"])
    except (OSError, ValueError, KeyError):
        raise Refused(NO_KEY) from None
