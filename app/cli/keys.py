"""Commands that make keys: of pages and backends, of the tokens by which a shop's backend proves a user, and of visitor
ids."""

import base64
import secrets
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

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
from kit.time import DAY_SECONDS, now_seconds

if TYPE_CHECKING:
    from app.keys.changing import Change, KeyFile
    from app.keys.named import KeyList
    from app.runtime.settings import Settings

commands = typer.Typer(invoke_without_command=True)

RECIPES: Final = Path(__file__).with_name("user_token_recipes.txt")
ALGORITHM: Final = "HS256: one secret, with the shop and here; EdDSA: what is here verifies and cannot sign."
TOKEN_KEY: Final = """\
Where the service runs, beside the keys that are there already:
  RESONATE_USER_TOKEN_KEYS={setting}
Where the shop's backend runs, and nowhere else:
  RESONATE_USER_TOKEN_SECRET={secret}
A token for one user, made by that backend (docs/security.md says where pages send it):"""


Made = TypeVar("Made")


class Algorithm(StrEnum):
    """How tokens are signed."""

    HS256 = "HS256"
    EDDSA = "EdDSA"


class Rotated(StrEnum):
    """What has keys that the service makes itself."""

    VISITOR = "visitor"


@commands.callback()
def keys(context: typer.Context, as_json: AsJson = False) -> None:
    """Make a publishable and a secret key, with the digests that may be configured in their place."""
    if context.invoked_subcommand is not None:
        return
    made = {name: f"{prefix}_{secrets.token_urlsafe(24)}" for name, prefix in (("publishable", "pk"), ("secret", "sk"))}
    lines = [
        {
            "kind": kind,
            "variable": f"RESONATE_{kind.upper()}_KEYS",
            "key": key,
            "digest": f"sha256:{sha256(key.encode()).hexdigest()}",
        }
        for kind, key in made.items()
    ]
    if as_json:
        say_json(lines)
        return
    for line in lines:
        say(f"{line['kind']} key: {line['key']}\n  {line['variable']}={line['digest']}")


@commands.command("user-token")
def user_token(
    algorithm: Annotated[Algorithm, typer.Option(help=ALGORITHM)] = Algorithm.HS256, as_json: AsJson = False
) -> None:
    """Make a key for user tokens: its setting, and how a backend makes a token in Python, Node, PHP and Java."""
    name, secret = f"k{secrets.token_hex(4)}", secrets.token_bytes(32)
    public = secret if algorithm is Algorithm.HS256 else ed25519_public_key(secret)
    setting, told = f"{name}:{algorithm}:{_text(public).rstrip('=')}", _text(secret)
    recipes = {
        language: recipe.replace("KEY_ID", name).replace("PUBLIC_KEY", _text(public).rstrip("="))
        for (language, signed), recipe in token_recipes().items()
        if signed == algorithm
    }
    if as_json:
        say_json({"kid": name, "setting": setting, "secret": told, "recipes": recipes})
        return
    say(TOKEN_KEY.format(setting=setting, secret=told))
    for language, recipe in recipes.items():
        say(f"\n--- {language}\n{recipe.rstrip()}")


@commands.command("rotate")
def rotate(of: Annotated[Rotated, typer.Argument(help="What the key is of.", show_default=False)]) -> None:
    """Issue ids by a new key from now on; those of the old one are still recognised for 13 months."""
    from app.identity.visitor_ids import VisitorKeysUnusable, rotate_keys
    from app.runtime.data_directory import DataDirectory

    settings = environment_settings("writes")
    if not settings.data.is_dir():
        raise Refused(NO_SERVICE.format(settings.data))
    try:
        made = rotate_keys(DataDirectory(settings.data).visitor_keys_file, int(now_seconds() // DAY_SECONDS))
    except VisitorKeysUnusable as unusable:
        raise Refused(str(unusable)) from None
    say(f"{of} ids are issued by key {made.number} from now on; running workers take it up within a second")


def token_recipes() -> dict[tuple[str, str], str]:
    """What makes a token, by language and algorithm."""
    found: dict[tuple[str, str], str] = {}
    for section in RECIPES.read_text(encoding="utf-8").split("### ")[1:]:
        title, _, lines = section.partition("\n")
        language, _, algorithm = title.partition(" ")
        found[language, algorithm] = lines
    return found


def ed25519_public_key(seed: bytes) -> bytes:
    """The 32 bytes that verify what the private key of this seed signs (RFC 8032)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


class KeyKind(StrEnum):
    """Where a key may stand."""

    PUBLISHABLE = "publishable"
    SECRET = "secret"


NAME: Final = "Its name in lists, log lines and the audit."
SCOPES: Final = (
    "What it may do: evaluate,track,recommend,payload,read_results,export,steer,products,read_people,erase,audit."
)
EXPIRES: Final = "The day at whose beginning (UTC) it ends, or a moment."
Named = Annotated[str, typer.Argument(help=NAME, show_default=False)]


@commands.command("new")
def new_key(  # noqa: PLR0913 (one parameter per option of the command)
    name: Named,
    kind: Annotated[KeyKind, typer.Option("--class", help="Pages' or backends'.")] = KeyKind.SECRET,
    scopes: Annotated[str | None, typer.Option(help=SCOPES + " All of its class, if not given.")] = None,
    expires: Annotated[str | None, typer.Option(help=EXPIRES)] = None,
    origins: Annotated[
        str | None, typer.Option(help="Pages that may use it: https://a.example,https://b.example")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Stamped on the rows that come with it.")] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Add a key to the file of RESONATE_KEYS and show it, once; a running service knows it within 2 s."""
    from app.keys.changing import WantedKey
    from app.keys.named import digest_of

    page = kind is KeyKind.PUBLISHABLE
    wanted = WantedKey(
        name, "publishable" if page else "secret", _parts(scopes), _parts(origins), expires or "", site or ""
    )
    changed = _file_of_keys(environment_settings("writes"), reason)
    key = _done(changed.file, lambda: changed.add(wanted))
    if as_json:
        told = {"name": name, "class": kind, "key": key, "digest": digest_of(key), "file": str(changed.file)}
        say_json(told)
        return
    say(f"{kind} key {name}: {key}\n  its digest is in {changed.file}; the key itself is shown here and never again")


@commands.command()
def revoke(name: Named, reason: Reason = None) -> None:
    """Take a key out of the file of RESONATE_KEYS; a running service refuses it within 2 s."""
    changed = _file_of_keys(environment_settings("writes"), reason)
    _done(changed.file, lambda: changed.revoke(name))
    say(f"{name} is out of {changed.file}: a running service refuses it within 2 s")


@commands.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """The keys of the file of RESONATE_KEYS: what they may do, until when, and when they were used last."""
    from app.http.access import listed_grants
    from app.keys.uses import read_uses

    settings = environment_settings()
    listed = _read(_keys_file(settings)).keys
    used = {name: use.told for name, use in read_uses(settings.data).items()}
    grants = listed_grants(listed, settings.origins)
    if as_json:
        told = [grant.told | ({"last_used": used[grant.name]} if grant.name in used else {}) for grant in grants]
        say_json({"keys": told})
        return
    rows = [
        [grant.name, grant.told["class"], ", ".join(grant.told["scopes"]), grant.site or "",
         grant.told.get("expires", "never"), used.get(grant.name, {}).get("minute") or "never"]
        for grant in grants
    ]  # fmt: skip
    say_table("Keys", ["name", "class", "scopes", "site", "expires", "last used"], rows)


def _keys_file(settings: "Settings") -> Path:
    from app.keys.changing import NO_FILE

    if settings.keys is None:
        raise Refused(NO_FILE)
    return settings.keys.absolute()


def _read(file: Path) -> "KeyList":
    from app.keys.file import KeysInvalid, read_keys

    try:
        return read_keys(read_or_none(file) or b"", file.name)
    except KeysInvalid as error:
        raise Refused(str(error)) from None


def change_keys(settings: "Settings", changed: "Change", reason: str | None) -> None:
    """Changes the file by whatever changes it. Raises Refused."""
    found = _file_of_keys(settings, reason)
    _done(found.file, lambda: found.change(changed))


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _file_of_keys(settings: "Settings", reason: str | None) -> "KeyFile":
    from app.keys.audit import Actor, Audit
    from app.keys.changing import KeyFile

    file, data = _keys_file(settings), settings.data.absolute()
    return KeyFile(file, data, Audit(data), Actor.at_the_command_line(), checked_reason(reason))


def _done(file: Path, change: Callable[[], Made]) -> Made:
    """What a change comes to. Raises Refused."""
    from app.keys.audit import AuditUnusable
    from app.keys.changing import KeysRefused

    try:
        return change()
    except (KeysRefused, AuditUnusable) as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{file} cannot be changed: {error.strerror}") from None
