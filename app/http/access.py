"""Who calls: publishable and secret keys, where they may come from, and the origins a publishable key allows."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.http.errors import Problem
from events.authority import Authority, sender
from kit.files import create_file

DIGEST_PREFIX: Final = "sha256:"
ANY_ORIGIN: Final = frozenset({"*"})
NO_KEY: Final = (
    "no key was sent; send it as `Authorization: Bearer <key>` or `X-API-Key`, or a publishable one as the clients of"
    " browsers do, as `writeKey` or `?client_key=`"
)
UNKNOWN_KEY: Final = (
    "this key is not known here; compare it with RESONATE_PUBLISHABLE_KEYS and RESONATE_SECRET_KEYS, or where neither"
    " is set with the pair that the first start printed"
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A known key, the browser origins it is for, and a short name that may be logged.

    Publishable keys appear in pages; `secret` ones stay on servers and may do everything. `authority` is that of the
    events that come with it and prove nothing else.
    """

    secret: bool
    digest: bytes
    origins: frozenset[str]
    name: str
    authority: Authority

    def allows(self, origin: str) -> bool:
        """Whether a page of `origin` may use this key."""
        return self.origins is ANY_ORIGIN or origin in self.origins

    def lists(self, origin: str) -> bool:
        """Whether this key names the origin: `*` lists nobody."""
        return self.origins is not ANY_ORIGIN and origin in self.origins


@dataclass(frozen=True, slots=True)
class GeneratedKeys:
    """The pair that a first start makes, to be shown once."""

    publishable: str
    secret: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key the service knows, as digests."""

    grants: tuple[Grant, ...]
    generated: GeneratedKeys | None = None  # set only by the start that made them

    @classmethod
    def open(
        cls, publishable: Sequence[str], secret: Sequence[str], keys_file: Path, origins: Sequence[str] = ("*",)
    ) -> "Keys":
        """The configured keys; where there are none at all, the pair of `keys_file`, made (mode 0600) if absent.

        A configured key is a value or `sha256:<hex>`; a publishable one may end in `@origin|origin`, else it is for
        pages of `origins`.
        """
        generated = None
        if not publishable and not secret:
            pair = GeneratedKeys(f"pk_{secrets.token_urlsafe(24)}", f"sk_{secrets.token_urlsafe(32)}")
            content = json.dumps({"publishable": pair.publishable, "secret": pair.secret}).encode()
            if not keys_file.exists() and create_file(keys_file, content, 0o600):  # of two that start at once one wins
                generated = pair
            stored = json.loads(keys_file.read_text())
            publishable, secret = [stored["publishable"]], [stored["secret"]]
        pages = [_grant(text, frozenset(origins), secret=False) for text in publishable]
        return cls((*pages, *(_grant(text, ANY_ORIGIN, secret=True) for text in secret)), generated)

    def grant(self, key: bytes) -> Grant | None:
        """The grant of a presented key, found by comparing digests in constant time."""
        digest = hashlib.sha256(key).digest()
        found = None
        for grant in self.grants:
            if hmac.compare_digest(grant.digest, digest):
                found = grant
        return found

    def allows_origin(self, origin: str) -> bool:
        """Whether any publishable key lets pages of `origin` in: a preflight request carries no key."""
        return any(grant.allows(origin) for grant in self.grants if not grant.secret)

    def lists_origin(self, origin: str) -> bool:
        """Whether any publishable key names this origin."""
        return any(grant.lists(origin) for grant in self.grants if not grant.secret)


def unknown_key(presented: bytes | None) -> Problem:
    """401: it says whether a key was sent at all, and never which."""
    detail = UNKNOWN_KEY if presented else NO_KEY
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="resonate"'})


def needs_secret() -> Problem:
    """403: a publishable key on a route that needs a secret one."""
    return Problem(403, "secret_key_required", "this route needs a secret key (sk_…); a publishable one was sent")


def _grant(text: str, origins: frozenset[str], *, secret: bool) -> Grant:
    key, _, own = (text, "", "") if secret else text.partition("@")
    origins = frozenset(origin.rstrip("/") for origin in own.split("|") if origin) or origins
    hexadecimal = key.startswith(DIGEST_PREFIX)
    digest = bytes.fromhex(key.removeprefix(DIGEST_PREFIX)) if hexadecimal else hashlib.sha256(key.encode()).digest()
    name = f"{'secret' if secret else 'publishable'}-{digest[:3].hex()}"
    return Grant(secret, digest, ANY_ORIGIN if "*" in origins else origins, name, sender(secret=secret))
