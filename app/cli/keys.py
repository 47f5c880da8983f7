"""Commands that make keys: of pages and backends, of the tokens by which a shop's backend proves a user, and of visitor
ids."""

import base64
import secrets
import time
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli.output import NO_SERVICE, AsJson, Refused, environment_settings, say, say_json
from kit.time import DAY_SECONDS

commands = typer.Typer(invoke_without_command=True)

RECIPES: Final = Path(__file__).with_name("user_token_recipes.txt")
ALGORITHM: Final = "HS256: one secret, with the shop and here; EdDSA: what is here verifies and cannot sign."
TOKEN_KEY: Final = """\
Where the service runs, beside the keys that are there already:
  RESONATE_USER_TOKEN_KEYS={setting}
Where the shop's backend runs, and nowhere else:
  RESONATE_USER_TOKEN_SECRET={secret}
A token for one user, made by that backend (docs/security.md says where pages send it):"""


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

    settings = environment_settings()
    if not settings.data.is_dir():
        raise Refused(NO_SERVICE.format(settings.data))
    try:
        made = rotate_keys(DataDirectory(settings.data).visitor_keys_file, int(time.time() // DAY_SECONDS))
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
