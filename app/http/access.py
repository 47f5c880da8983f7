"""Who calls: publishable and secret keys, where they may come from, and the origins a publishable key allows."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from app.http.errors import Problem

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
MAX_KEY_BYTES: Final = 512


class KeyClass(Enum):
    """Publishable keys appear in pages; secret keys stay on servers and may do everything."""

    PUBLISHABLE = "publishable"
    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Grant:
    """A known key: its class, the browser origins it is for, and a short name that may be logged."""

    key_class: KeyClass
    digest: bytes
    origins: frozenset[str]
    name: str

    @property
    def secret(self) -> bool:
        return self.key_class is KeyClass.SECRET

    def allows(self, origin: str) -> bool:
        """Whether a page of `origin` may use this key."""
        return self.origins is ANY_ORIGIN or origin in self.origins


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
        allowed = frozenset(origins)
        if publishable or secret:
            return cls(_grants(publishable, secret, allowed))
        generated = None if keys_file.exists() else _make(keys_file)
        pair = generated or _stored(keys_file)
        return cls(_grants([pair.publishable], [pair.secret], allowed), generated)

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


def presented_in_headers(headers: dict[bytes, bytes]) -> bytes | None:
    """The key of `Authorization: Bearer`, `X-API-Key` or the Basic user name, in that order; else None."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, credentials = authorization.partition(b" ")
        kind = scheme.lower()
        if kind == b"bearer":
            return credentials.strip()
        return _basic_user(credentials) if kind == b"basic" else b""
    return headers.get(b"x-api-key")


def presented_in_query(query: bytes) -> bytes | None:
    """The key of `?writeKey=`, `?client_key=` or `?key=`; browsers' clients send it so."""
    if b"ey=" not in query:
        return None
    pairs = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=100))
    found = pairs.get("writeKey") or pairs.get("client_key") or pairs.get("key")
    return None if found is None else found.encode()


def unknown_key(presented: bytes | None) -> Problem:
    """401: it says whether a key was sent at all, and never which."""
    detail = UNKNOWN_KEY if presented else NO_KEY
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="resonate"'})


def secret_in_address() -> Problem:
    """401: addresses are logged on the way, so a secret key in one is never accepted."""
    detail = "a secret key is never accepted in an address; send it as `Authorization: Bearer <key>`"
    return Problem(401, "secret_key_in_address", detail)


def needs_secret() -> Problem:
    """403: a publishable key on a route that needs a secret one."""
    return Problem(403, "secret_key_required", "this route needs a secret key (sk_…); a publishable one was sent")


def origin_refused() -> Problem:
    """403: the page's origin is not one of those configured for this key."""
    return Problem(403, "origin_not_allowed", "this publishable key is not configured for the page's origin")


def _basic_user(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[0]
    except binascii.Error:
        return b""


def _grants(publishable: Sequence[str], secret: Sequence[str], origins: frozenset[str]) -> tuple[Grant, ...]:
    pages = [_publishable(text, origins) for text in publishable]
    servers = [_grant(KeyClass.SECRET, text, ANY_ORIGIN) for text in secret]
    return (*pages, *servers)


def _publishable(text: str, default: frozenset[str]) -> Grant:
    key, _, origins = text.partition("@")
    allowed = frozenset(origin.rstrip("/") for origin in origins.split("|") if origin)
    return _grant(KeyClass.PUBLISHABLE, key, allowed or default)


def _grant(key_class: KeyClass, text: str, origins: frozenset[str]) -> Grant:
    if text.startswith(DIGEST_PREFIX):
        digest = bytes.fromhex(text.removeprefix(DIGEST_PREFIX))
    else:
        digest = hashlib.sha256(text.encode()).digest()
    return Grant(key_class, digest, ANY_ORIGIN if "*" in origins else origins, f"{key_class.value}-{digest[:3].hex()}")


def _make(keys_file: Path) -> GeneratedKeys | None:
    """Links a new pair into place: of two processes that start at once, one wins; None for the other."""
    pair = GeneratedKeys(f"pk_{secrets.token_urlsafe(24)}", f"sk_{secrets.token_urlsafe(32)}")
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    draft = keys_file.with_name(f"{keys_file.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"publishable": pair.publishable, "secret": pair.secret}, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, keys_file)
    except FileExistsError:
        return None
    finally:
        draft.unlink()
    return pair


def _stored(keys_file: Path) -> GeneratedKeys:
    pair = json.loads(keys_file.read_text())
    return GeneratedKeys(pair["publishable"], pair["secret"])
