"""Who calls: publishable and secret keys, where they may come from, and the origins a publishable key allows."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.http.errors import Problem
from app.keys.named import ListedKey
from app.keys.scopes import PAGE_SCOPES, SCOPES, KeyScope, PersonScope
from app.runtime.settings import Settings
from events.authority import Authority, sender
from kit.files import create_file
from kit.time import SECOND_US, iso, moment_of

DIGEST_PREFIX: Final = "sha256:"
ANY_ORIGIN: Final = frozenset({"*"})
NO_KEY: Final = (
    "no key was sent; send it as `Authorization: Bearer <key>` or `X-API-Key`, or a publishable one as the clients of"
    " browsers do, as `writeKey` or `?client_key=`"
)
UNKNOWN_KEY: Final = (
    "this key is not known here, or not any more; compare it with RESONATE_PUBLISHABLE_KEYS, RESONATE_SECRET_KEYS and"
    " the file of RESONATE_KEYS, or where none is set with the pair that the first start printed"
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A known key, the browser origins it is for, and a short name that may be logged.

    Publishable keys appear in pages; `secret` ones stay on servers. `scopes` are what it may do. `authority` is that of
    the events that come with it and prove nothing else; `site` is stamped on their rows.
    """

    secret: bool
    digest: bytes
    origins: frozenset[str]
    name: str
    authority: Authority
    scopes: frozenset[KeyScope]
    site: str | None = None
    expires: float | None = None  # epoch seconds

    @property
    def told(self) -> dict[str, Any]:
        """What may be said of it to who lists keys."""
        facts: dict[str, Any] = {"name": self.name, "class": "secret" if self.secret else "publishable"}
        facts["scopes"] = [scope for scope in SCOPES if scope in self.scopes]
        if self.site is not None:
            facts["site"] = self.site
        if self.expires is not None:
            facts["expires"] = iso(moment_of(int(self.expires) * SECOND_US))
        return facts

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


class Keys:
    """Every key the service knows, by its digest; those of the file of keys come and go while it runs.

    Whoever tries keys chooses neither digests nor the hashes of a process (SipHash with a key of its own), so that the
    time of a look-up tells nothing of those that are known.
    """

    def __init__(self, configured: Sequence[Grant], generated: GeneratedKeys | None = None) -> None:
        self.generated = generated  # set only by the start that made them
        self._configured = configured
        self.follow(())

    @classmethod
    def open(
        cls, publishable: Sequence[str], secret: Sequence[str], keys_file: Path, origins: Sequence[str] = ("*",),
        *, alone: bool = True,
    ) -> "Keys":  # fmt: skip
        """The configured keys; where there are none at all, the pair of `keys_file`, made (mode 0600) if absent.

        A configured key is a value or `sha256:<hex>`; a publishable one may end in `@origin|origin`, else it is for
        pages of `origins`. Not `alone`, there are listed keys too, and no pair is made.
        """
        generated = None
        if not publishable and not secret and alone:
            pair = GeneratedKeys(f"pk_{secrets.token_urlsafe(24)}", f"sk_{secrets.token_urlsafe(32)}")
            content = json.dumps({"publishable": pair.publishable, "secret": pair.secret}).encode()
            if not keys_file.exists() and create_file(keys_file, content, 0o600):  # of two that start at once one wins
                generated = pair
            stored = json.loads(keys_file.read_text())
            publishable, secret = [stored["publishable"]], [stored["secret"]]
        pages = [_grant(text, frozenset(origins), secret=False) for text in publishable]
        return cls((*pages, *(_grant(text, ANY_ORIGIN, secret=True) for text in secret)), generated)

    def follow(self, listed: Sequence[Grant], ended: Iterable[str] = ()) -> None:
        """From now on these are known beside the configured ones; one that is both is as it is listed, and where its
        digest has `ended` it is none.
        """
        self._known = {grant.digest: grant for grant in (*self._configured, *listed)}
        for digest in ended:
            self._known.pop(bytes.fromhex(digest), None)
        self._presented: dict[bytes, Grant] = {}
        pages = [grant for grant in self._known.values() if not grant.secret]
        self._origins = frozenset(origin for grant in pages for origin in grant.origins)

    @property
    def grants(self) -> Sequence[Grant]:
        """All of them, by name."""
        return sorted(self._known.values(), key=lambda grant: grant.name)

    def grant(self, key: bytes) -> Grant | None:
        """The grant of a presented key. Of a known one the digest is computed once."""
        found = self._presented.get(key)
        if found is None:
            found = self._known.get(hashlib.sha256(key).digest())
            if found is not None:
                self._presented[key] = found
        return found

    def stands(self, grant: Grant) -> bool:
        """Whether a key is still what it was when it was granted this."""
        return self._known.get(grant.digest) == grant

    def allows_origin(self, origin: str) -> bool:
        """Whether any publishable key lets pages of `origin` in: a preflight request carries no key."""
        return "*" in self._origins or origin in self._origins

    def lists_origin(self, origin: str) -> bool:
        """Whether any publishable key names this origin."""
        return origin != "*" and origin in self._origins


def configured_keys(settings: Settings, data: Path) -> Keys:
    """The keys of the settings; where none are given, and no file lists any, the pair of the data directory."""
    alone = settings.keys is None
    return Keys.open(settings.publishable_keys, settings.secret_keys, data / "keys.json", settings.origins, alone=alone)


def unknown_key(presented: bytes | None) -> Problem:
    """401: it says whether a key was sent at all, and never which."""
    detail = UNKNOWN_KEY if presented else NO_KEY
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="resonate"'})


def needs_secret() -> Problem:
    """403: a publishable key on a route that needs a secret one."""
    return Problem(403, "secret_key_required", "this route needs a secret key (sk_…); a publishable one was sent")


def scope_missing(grant: Grant, scope: PersonScope | None) -> Problem:
    """403: a key that may not do this; None is the scope of a route that no key has one for."""
    if not grant.secret and scope not in PAGE_SCOPES:
        return needs_secret()
    has = ", ".join(sorted(grant.scopes)) or "none"
    return Problem(403, "scope_missing", f"the key {grant.name} lacks the scope {scope}; it has {has}")


def listed_grants(keys: Sequence[ListedKey], origins: Sequence[str]) -> list[Grant]:
    """Listed keys as grants; a publishable one that names no origins is for pages of `origins`."""
    return [
        Grant(
            key.kind == "secret",
            bytes.fromhex(key.digest),
            _origins(origins if key.origins is None else key.origins) if key.kind == "publishable" else ANY_ORIGIN,
            key.name,
            sender(secret=key.kind == "secret"),
            frozenset(key.scopes),
            key.site,
            key.expires,
        )
        for key in keys
    ]


def _origins(named: Iterable[str]) -> frozenset[str]:
    origins = frozenset(origin.rstrip("/") for origin in named if origin)
    return ANY_ORIGIN if "*" in origins else origins


def _grant(text: str, origins: frozenset[str], *, secret: bool) -> Grant:
    key, _, own = (text, "", "") if secret else text.partition("@")
    origins = _origins(own.split("|")) or _origins(origins)
    hexadecimal = key.startswith(DIGEST_PREFIX)
    digest = bytes.fromhex(key.removeprefix(DIGEST_PREFIX)) if hexadecimal else hashlib.sha256(key.encode()).digest()
    name = f"{'secret' if secret else 'publishable'}-{digest[:3].hex()}"
    return Grant(secret, digest, origins, name, sender(secret=secret), frozenset(SCOPES if secret else PAGE_SCOPES))
