"""Links that show one report to whoever holds them, until they end or are taken back: a file of the data directory."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from kit.files import FileMark, locked, make_folder, mark_of, read_or_none, replace_file
from kit.time import iso

TOKEN_BYTES: Final = 32
TOKEN_LETTERS: Final = 43  # of so many bytes in base64url
MOST_DAYS: Final = 365
MOST_SHARES: Final = 10_000


class TooManyShares(Exception):
    """As many links hold as may."""


class SharesUnreadable(Exception):
    """The file of links is damaged; it opens none, and is never written over. The message says what to do."""


class ShareLink(msgspec.Struct, frozen=True, kw_only=True):
    """One link: `id` names it to those who keep it, `digest` is of the token that opens it. Times are ISO 8601.

    `at` freezes it to the look of that moment; without it the newest is shown.
    """

    id: str
    experiment: str
    at: str | None
    created_at: str
    expires_at: str
    by: str
    digest: str

    def holds(self, now: datetime) -> bool:
        """Whether it opens anything at a time."""
        return now < datetime.fromisoformat(self.expires_at)


class ShareLinks:
    """The links of one data directory; all processes may read and write at any time.

    Every method raises SharesUnreadable.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "secrets" / "shares.json"

    def find(self, token: str, now: datetime) -> ShareLink | None:
        """The link that a token opens now; None for one that is unknown, over, or was taken back."""
        if len(token) != TOKEN_LETTERS or not token.isascii():
            return None
        found = self._by_digest().get(_digest(token))
        return found if found is not None and found.holds(now) else None

    def listed(self, now: datetime) -> list[ShareLink]:
        """The links that hold, the newest first."""
        found = [share for share in self._by_digest().values() if share.holds(now)]
        return sorted(found, key=lambda share: (share.created_at, share.id), reverse=True)

    def keep(self, share: ShareLink, now: datetime) -> None:
        """Add a link, which opens from now on; those that are over go. Raises TooManyShares, OSError."""
        make_folder(self.path.parent)
        with locked(self.path):
            held = self.listed(now)
            if len(held) >= MOST_SHARES:
                raise TooManyShares(f"{MOST_SHARES:,} links hold, which is as many as may: take some back")
            self._write([share, *held])

    def take_back(self, identifier: str, now: datetime) -> ShareLink | None:
        """End a link; None where there is none of this id. Raises OSError."""
        make_folder(self.path.parent)
        with locked(self.path):
            held = self.listed(now)
            ended = next((share for share in held if share.id == identifier), None)
            if ended is not None:
                self._write(share for share in held if share is not ended)
            return ended

    def _write(self, shares: Iterable[ShareLink]) -> None:
        replace_file(self.path, msgspec.json.encode(list(shares)), mode=0o600)

    def _by_digest(self) -> dict[str, ShareLink]:
        return _read(self.path, mark_of(self.path))


def new_share(experiment: str, by: str, days: float, at: str | None, now: datetime) -> tuple[str, ShareLink]:
    """A link that holds for so many days from now on, and the token that opens it, which is kept nowhere."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    share = ShareLink(
        id=secrets.token_hex(8),
        experiment=experiment,
        at=at,
        created_at=iso(now.astimezone(UTC), "seconds"),
        expires_at=iso(now.astimezone(UTC) + timedelta(days=days), "seconds"),
        by=by,
        digest=_digest(token),
    )
    return token, share


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@lru_cache(4)
def _read(path: Path, mark: FileMark | None) -> dict[str, ShareLink]:
    """What stands in the file, by digest, as long as the file is the same one."""
    try:
        content = None if mark is None else read_or_none(path)
        shares = msgspec.json.decode(content, type=list[ShareLink]) if content else []
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        told = f"{path} cannot be read ({error}); put it back from a backup, or move it away: then no link holds"
        raise SharesUnreadable(told) from None
    return {share.digest: share for share in shares}
