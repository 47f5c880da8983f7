"""Visitor ids that this service issues: nobody guesses one, and which are its own is told without asking anybody."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from events.records import Record
from kit.files import create_file, locked, mark_of, read_or_none, replace_file
from kit.private import private_folder
from kit.time import DAY_SECONDS, now_seconds

logger = logging.getLogger(__name__)

PREFIX: Final = "v1."
LENGTH: Final = len(PREFIX) + 22 + 1 + 16
RANDOM_BYTES: Final = 13
SECRET_BYTES: Final = 32
VERIFIED_DAYS: Final = 395  # that a key still verifies what was issued by it: 13 months, as long as a cookie may last
REMEMBERED: Final = 20_000
NUMBERS: Final = 256


class VisitorKeysUnusable(Exception):
    """The file of the keys cannot be read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class VisitorKey:
    """One key, by the number that its ids hold: in use from the day `made` until the day `retired` (None: it still is).

    Days are counted from 1970, in UTC.
    """

    number: int
    made: int
    retired: int | None
    secret: bytes = field(repr=False)

    def verifies(self, day: int) -> bool:
        """Whether it may have issued an id of this day: two clocks may be a day apart."""
        return self.made - 1 <= day and (self.retired is None or day <= self.retired + 1)

    def stands(self, today: int) -> bool:
        """Whether it verifies anything any more."""
        return self.retired is None or today <= self.retired + VERIFIED_DAYS


class VisitorIds:
    """Issues ids, and tells its own from all others.

    An id is `v1.<22 letters>.<16 letters>` of base64url: 16 bits of the day of issue, 8 of the key's number, 104 random
    ones, then 96 bits of HMAC-SHA256 over these 128. To everybody else it is opaque, and compared byte by byte.
    """

    def __init__(self, file: Path, now: Callable[[], float] = now_seconds) -> None:
        """The keys of `file`, which is made with the first one where there is none. Raises VisitorKeysUnusable.

        `now` gives epoch seconds.
        """
        self._file = file
        self._now = now
        self._known: dict[str, bool] = {}
        make_keys(file, self.today)
        self._read_at = (mark_of(file), self.today)
        self._take(read_visitor_keys(file))

    @property
    def today(self) -> int:
        """The day in UTC, counted from 1970."""
        return int(self._now() // DAY_SECONDS)

    def issue(self) -> str:
        """A new id, of today."""
        return _written(self.today, self._newest, secrets.token_bytes(RANDOM_BYTES))

    def issued(self, visitor_id: str) -> bool:
        """Whether this service issued an id. Those of others are told by how they begin."""
        if not visitor_id.startswith(PREFIX):
            return False
        known = self._known.get(visitor_id)
        return self._judged(visitor_id) if known is None else known

    def marked(self, records: Sequence[Record]) -> list[Record]:
        """The records, those under an id of its own marked."""
        return [
            msgspec.structs.replace(record, issued=True)
            if record.visitor_id.startswith(PREFIX) and self.issued(record.visitor_id)
            else record
            for record in records
        ]

    def digest(self, said: bytes) -> str:
        """What stands for `said`, and nobody works out who does not hold the key in use."""
        digest = self._digest.copy()
        digest.update(said)
        return digest.hexdigest()

    def _judged(self, visitor_id: str) -> bool:
        found = _read(visitor_id)
        if found is None:
            return False
        day, number, random = found
        if number not in self._keys:
            self._look()
        key = self._keys.get(number)
        judged = (
            key is not None
            and key.verifies(day)
            and hmac.compare_digest(_written(day, key, random).encode(), visitor_id.encode())
        )
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[visitor_id] = judged
        return judged

    async def look(self) -> None:
        """Takes up newer keys, and gives up those whose time is over."""
        self._look()

    def _look(self) -> None:
        found = mark_of(self._file), self.today
        if found == self._read_at or found[0] is None:
            return
        self._read_at = found
        try:
            self._take(read_visitor_keys(self._file))
        except VisitorKeysUnusable as unusable:  # those that are known stay
            logger.error("%s", unusable)

    def _take(self, keys: list[VisitorKey]) -> None:
        self._newest = next(key for key in keys if key.retired is None)
        self._digest = hashlib.blake2b(digest_size=16, key=self._newest.secret, person=b"exposure")
        self._keys = {key.number: key for key in keys if key.stands(self.today)}
        self._known.clear()


def day_of(visitor_id: str) -> int | None:
    """The day of issue that an id of this form tells, counted from 1970; whether it is true is not looked at."""
    found = _read(visitor_id)
    return None if found is None else found[0]


def rotate_keys(file: Path, today: int) -> VisitorKey:
    """Retires the key in use for a new one, and forgets those that verify nothing any more. Raises VisitorKeysUnusable.

    Workers take it up with the next id that they issue or do not know.
    """
    make_keys(file, today)
    with locked(file):
        keys = [
            key if key.retired is not None else VisitorKey(key.number, key.made, today, key.secret)
            for key in read_visitor_keys(file)
        ]
        kept = [key for key in keys if key.stands(today)]
        taken = {key.number for key in kept}
        after = keys[-1].number
        free = (n % NUMBERS for n in range(after + 1, after + 1 + NUMBERS) if n % NUMBERS not in taken)
        number = next(free, None)
        if number is None:
            raise VisitorKeysUnusable(f"{file} holds {NUMBERS} keys of the last 13 months, which is all there can be")
        made = VisitorKey(number, today, None, secrets.token_bytes(SECRET_BYTES))
        replace_file(file, _as_file((*kept, made)), mode=0o600)
    return made


def make_keys(file: Path, today: int) -> None:
    """Makes the file with its first key where there is none, for its user alone; of several at once one does."""
    private_folder(file.parent)
    if not file.exists():
        create_file(file, _as_file([VisitorKey(0, today, None, secrets.token_bytes(SECRET_BYTES))]), 0o600)


def read_visitor_keys(file: Path) -> list[VisitorKey]:
    """The keys of the file, of which one is in use. Raises VisitorKeysUnusable."""
    try:
        told: list[Mapping[str, Any]] = json.loads(read_or_none(file) or b"")["keys"]
        keys = [
            VisitorKey(
                int(each["number"]),
                int(each["made"]),
                None if each["retired"] is None else int(each["retired"]),
                base64.b64decode(each["secret"], validate=True),
            )
            for each in told
        ]
        sound = all(len(key.secret) == SECRET_BYTES and 0 <= key.number < NUMBERS for key in keys)
    except (ValueError, TypeError, KeyError, binascii.Error):
        sound, keys = False, []
    if not sound or len({key.number for key in keys}) < len(keys) or sum(key.retired is None for key in keys) != 1:
        raise VisitorKeysUnusable(
            f"{file} is not what was written there; put it back from a backup, or remove it: then ids that were issued"
            " before count as not issued"
        )
    return keys


def _as_file(keys: Iterable[VisitorKey]) -> bytes:
    told = [
        {"number": key.number, "made": key.made, "retired": key.retired,
         "secret": base64.b64encode(key.secret).decode()} for key in keys
    ]  # fmt: skip
    return json.dumps({"keys": told}, indent=1).encode()


def _written(day: int, key: VisitorKey, random: bytes) -> str:
    said = day.to_bytes(2) + key.number.to_bytes(1) + random
    proof = hmac.digest(key.secret, said, "sha256")[:12]
    return f"{PREFIX}{_letters(said)}.{_letters(proof)}"


def _read(visitor_id: str) -> tuple[int, int, bytes] | None:
    """Day, key's number and random bytes of what has the form of an id."""
    if len(visitor_id) != LENGTH or not visitor_id.isascii() or visitor_id[25] != ".":
        return None
    try:
        said = base64.b64decode(visitor_id[3:25] + "==", b"-_", validate=True)
    except binascii.Error:
        return None
    return int.from_bytes(said[:2]), said[2], said[3:]


def _letters(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
