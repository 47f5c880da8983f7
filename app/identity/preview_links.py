"""Links that show one variant of an experiment, a draft's too, to whoever holds them; PyJWT signs and verifies.

Nothing imports this before a link is made or followed: `cryptography`, which PyJWT loads, takes time and memory.
"""

import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import jwt

from kit.files import create_file
from kit.private import private_folder
from kit.time import DAY_SECONDS, now_seconds

AUDIENCE: Final = "resonate-preview"
ALGORITHM: Final = "HS256"
SECRET_BYTES: Final = 32
MOST_DAYS: Final = 30
MOST_CHARACTERS: Final = 4_096
REMEMBERED: Final = 1_000
# When a token ends is judged below, also of those that are known; when one began is for nobody to know better.
OPTIONS: Final[Any] = {
    "require": ["aud", "iat", "exp", "experiment", "phase", "variant"], "verify_exp": False, "verify_iat": False,
}  # fmt: skip
# What PyJWT lets through for tokens that are none: JSON that is too deep, numbers without end, text that is not UTF-8.
UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class PreviewLink(NamedTuple):
    """What a link shows: a variant of one phase of an experiment, until `ends` (epoch seconds)."""

    experiment: str
    phase: int
    variant: str
    ends: int


class PreviewLinks:
    """Makes and reads the tokens of links, by the key of one data directory. Whoever takes it away ends them all."""

    def __init__(self, file: Path) -> None:
        """`file` holds the key, and is made with one where there is none. Raises OSError."""
        private_folder(file.parent)
        create_file(file, secrets.token_bytes(SECRET_BYTES), 0o600)  # of two that come at once one wins
        self._key = file.read_bytes()
        if len(self._key) != SECRET_BYTES:
            raise OSError(
                f"{file} holds no key of {SECRET_BYTES} bytes; take it away, and one is made (no link holds then)"
            )
        self._read: dict[bytes, PreviewLink] = {}

    def token(self, preview: PreviewLink, now: float) -> str:
        """What a link carries to show this from now (epoch seconds) on, for at most MOST_DAYS days."""
        assert now < preview.ends <= now + MOST_DAYS * DAY_SECONDS
        claims = {
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": preview.ends,
            "experiment": preview.experiment,
            "phase": preview.phase,
            "variant": preview.variant,
        }
        return jwt.encode(claims, self._key, ALGORITHM)

    def read(self, token: Any, now: float) -> PreviewLink | None:
        """What a token shows at a time; None for one that is over, or was not made here. Never raises."""
        if type(token) is not str or not token.isascii() or len(token) > MOST_CHARACTERS:
            return None
        digest = blake2b(token.encode(), digest_size=16).digest()
        found = self._read.get(digest)
        if found is None:
            try:
                claims = jwt.decode(token, self._key, [ALGORITHM], OPTIONS, audience=AUDIENCE)
            except UNREADABLE:
                return None
            found = PreviewLink(claims["experiment"], claims["phase"], claims["variant"], claims["exp"])
            while len(self._read) >= REMEMBERED:
                del self._read[next(iter(self._read))]
            self._read[digest] = found
        return found if now < found.ends else None


def new_link(file: Path, experiment: str, phase: int, variant: str, days: float) -> tuple[str, int]:
    """A token that shows this variant for so many days from now on, by the key in `file`, and its end in epoch seconds.

    Raises OSError where no key can be kept.
    """
    now = now_seconds()
    link = PreviewLink(experiment, phase, variant, int(now + days * DAY_SECONDS))
    return PreviewLinks(file).token(link, now), link.ends
