"""Verifies the tokens by which a shop's backend says who the user of a page is; PyJWT judges signatures and claims.

Nothing imports this where no key is configured: `cryptography` takes time and memory.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.identity.people import UserBecause
from app.runtime.settings import TokenKey
from kit.time import DAY_SECONDS, now_seconds

AUDIENCE: Final = "resonate"  # a session token that is signed with the same key is not meant for us
LEEWAY_SECONDS: Final = 60
LONGEST_SECONDS: Final = DAY_SECONDS  # from `iat` to `exp`
MOST_CHARACTERS: Final = 4_096
MOST_TRIED: Final = 4  # keys, for a token that names none
REMEMBERED: Final = 20_000
CLAIMS: Final = {"require": ["sub", "aud", "iat", "exp"]}
# What PyJWT lets through for tokens that are none: JSON that is too deep, numbers without end, text that is not UTF-8.
UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class VerifiedToken(NamedTuple):
    """Whom a token is about: a user, where `visitor_id` is said on this visitor alone, until `ends` (epoch seconds)."""

    user_id: str
    visitor_id: str | None
    ends: float


class UserTokens:
    """Judges tokens by the configured keys. One that was verified is known by its digest until it ends."""

    def __init__(self, keys: Sequence[TokenKey]) -> None:
        self._keys = {key.id: (key.algorithm, _verifying(key)) for key in keys}
        self._verified: dict[bytes, VerifiedToken] = {}

    def doubt(self, token: Any, visitor_id: str | None, user_id: str) -> UserBecause | None:
        """Why a token does not prove that this visitor is this user; None where it does. Never raises."""
        if type(token) is not str or not token.isascii() or len(token) > MOST_CHARACTERS:
            return "malformed"
        digest = blake2b(token.encode(), digest_size=16).digest()
        found = self._verified.get(digest)
        if found is None:
            judged = self._judged(token)
            if not isinstance(judged, VerifiedToken):
                return judged
            found = judged
            if len(self._verified) >= REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = found
        if found.ends <= now_seconds():
            self._verified.pop(digest)
            return "expired"
        if found.user_id != user_id:
            return "not_this_user"
        if found.visitor_id is not None and found.visitor_id != visitor_id:
            return "not_this_visitor"
        return None

    def _judged(self, token: str) -> VerifiedToken | UserBecause:
        """By the key that the token names, else by those of its algorithm; the algorithm is always that of the key."""
        try:
            header = jwt.get_unverified_header(token)
        except UNREADABLE:
            return "malformed"
        if "kid" in header:
            named = self._keys.get(header["kid"])
            tried = [] if named is None else [named]
        else:
            tried = [each for each in self._keys.values() if each[0] == header.get("alg")][:MOST_TRIED]
        doubt: UserBecause = "unknown_key"
        for algorithm, key in tried:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    audience=AUDIENCE,
                    leeway=LEEWAY_SECONDS,
                    options=CLAIMS,  # pyright: ignore[reportArgumentType]
                )
                return _read(claims)
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
                doubt = "bad_signature"
            except jwt.ExpiredSignatureError:
                return "expired"
            except UNREADABLE:
                return "malformed"
        return doubt


def _verifying(key: TokenKey) -> bytes | Ed25519PublicKey:
    return key.value if key.algorithm == "HS256" else Ed25519PublicKey.from_public_bytes(key.value)


def _read(claims: dict[str, Any]) -> VerifiedToken | UserBecause:
    """What is left to check of claims that PyJWT took: the lifetime, and that the ids are text."""
    user, visitor, begins, ends = claims["sub"], claims.get("vid"), claims["iat"], claims["exp"]
    if type(user) is not str or not (visitor is None or type(visitor) is str):
        return "malformed"
    if not 0 < float(ends) - float(begins) <= LONGEST_SECONDS:
        return "malformed"
    return VerifiedToken(user, visitor, float(ends) + LEEWAY_SECONDS)
