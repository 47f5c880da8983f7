"""Keys that are listed in a file: what each may do, and which are in force now, as the supervisor published them."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from app.keys.scopes import KeyScope
from app.runtime.ailments import Ailment
from kit.files import FileMark, mark_of
from kit.time import DAY_SECONDS

KeyClass = Literal["publishable", "secret"]
CLASSES: Final[tuple[KeyClass, ...]] = get_args(KeyClass)
PUBLISHED: Final = "keys-in-force.json"  # in the data directory
WARNED_DAYS: Final = 14


class ListedKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key of the file: its digest (hexadecimal SHA-256) and what it may do, until `expires` (epoch seconds).

    `site` is stamped on the rows that come with it; `origins` None are those of the settings.
    """

    name: str
    kind: KeyClass
    digest: str
    scopes: tuple[KeyScope, ...]
    origins: tuple[str, ...] | None = None
    site: str | None = None
    expires: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What may be said of it, in an audit line or to who lists keys: never its digest."""
        facts = {"class": self.kind, "scopes": self.scopes, "origins": self.origins, "site": self.site,
                 "expires": self.expires}  # fmt: skip
        return {name: fact for name, fact in facts.items() if fact is not None}


class KeyList(msgspec.Struct, frozen=True):
    """All that a file says: its keys, and those of user tokens as settings write them."""

    keys: tuple[ListedKey, ...] = ()
    user_tokens: tuple[str, ...] = ()


class PublishedKeys(msgspec.Struct, frozen=True):
    """What is in force of a file at a path, and what is wrong with the file as it is now."""

    path: str
    listed: KeyList
    problems: tuple[str, ...] = ()


class FollowedKeys:
    """What a worker knows of the listed keys: those in force now."""

    def __init__(self, data: Path) -> None:
        self._path = data / PUBLISHED
        self._mark: FileMark | None = None
        self._published: PublishedKeys | None = None
        self._ends = float("inf")  # of the key that expires next
        self.in_force: tuple[ListedKey, ...] = ()

    @property
    def user_tokens(self) -> tuple[str, ...]:
        """The keys of user tokens, as settings write them."""
        return () if self._published is None else self._published.listed.user_tokens

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file."""
        return () if self._published is None else self._published.problems

    def poll(self, now: float) -> bool:
        """Look whether others are in force, by what was published and by the time (epoch seconds); one stat."""
        mark = mark_of(self._path)
        if mark == self._mark and now < self._ends:
            return False
        if mark != self._mark:
            self._published, self._mark = keys_in_force(self._path.parent), mark
        listed = () if self._published is None else self._published.listed.keys
        self.in_force = tuple(key for key in listed if key.expires is None or now < key.expires)
        self._ends = min((key.expires for key in self.in_force if key.expires is not None), default=float("inf"))
        return True

    @property
    def ended(self) -> list[str]:
        """The digests of listed keys that are not in force any more."""
        listed = () if self._published is None else self._published.listed.keys
        return [key.digest for key in listed if key not in self.in_force]

    def causes(self, now: float) -> list[Ailment]:
        """What is not as it should be."""
        soon = now + WARNED_DAYS * DAY_SECONDS
        ending = [key.name for key in self.in_force if key.expires is not None and key.expires < soon]
        wrong = [Ailment("keys_invalid")] if self.problems else []
        return wrong + [Ailment("key_expires", name) for name in sorted(ending)]


def keys_in_force(data: Path) -> PublishedKeys | None:
    """What is in force by a data directory; None where nothing is, or nobody can read it."""
    try:
        return msgspec.json.decode((data / PUBLISHED).read_bytes(), type=PublishedKeys)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def digest_of(key: str) -> str:
    """What stands in the file in place of a key."""
    return f"sha256:{sha256(key.encode()).hexdigest()}"
