"""What became of events that were not taken as they were sent: how many, why, from which library; of all workers.

It lies in a file of the data directory, not in the store, so that it can be told while the store is away. Nothing that
an event says is in it but its message id, type and name, and digests of the ids that it named somebody by: those by
which tombstones know who was erased.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from heapq import nlargest
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from events.deletes.tombstones import exact_digest, read_tombstones
from kit.files import locked, read_or_none, replace_file

REFUSED_EVENTS: Final = "refused-events.json"
MOST_BYTES: Final = 1_000_000
LAST: Final = 100  # events of each code that are told one by one
MOST_SUMS: Final = 400  # of one outcome; further ones are summed without their field
MOST_OF_DAY: Final = 40
DAYS: Final = 90
LONGEST: Final = 100  # letters of a name or an id
LONGEST_MESSAGE: Final = 200
OTHER_FIELD: Final = "other"
# A quote that nobody ends holds the rest: so nothing slips out, and no text is looked through twice.
QUOTED: Final = re.compile(r"""(?<!\w)'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)""", re.DOTALL)
NUMBER: Final = re.compile(r"this is [-+]?[0-9][0-9.,e+-]*")
NOTHING: Final = re.compile(r"(?!)")
LONG_ID: Final = 6  # letters: a shorter one is found where it stands by itself, because any text has it somewhere
PLACE: Final = re.compile(r"\[\d+\]")

Outcome = Literal["rejected", "repaired", "dropped", "unusable"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Cause(NamedTuple):
    """Why, where, from which library (a label of a fixed list), in whose words."""

    code: str
    field: str
    library: str
    dialect: str


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One event that was not taken as it was sent; `at` in microseconds UTC."""

    at: int
    field: str
    library: str
    dialect: str
    message: str
    message_id: str | None = None
    type: str | None = None
    event: str | None = None
    people: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, object]:
        """As it is causes_of, but for its time and for whom it named."""
        return {"message": self.message, "message_id": self.message_id, "type": self.type, "event": self.event}


class Sum(msgspec.Struct, array_like=True):
    """How many events of one cause, and when the first and the last of them came (microseconds UTC)."""

    cause: Cause
    count: int
    first: int
    last: int


class DaySum(msgspec.Struct, array_like=True):
    """How many events of one cause on one shop day."""

    outcome: Outcome
    code: str
    field: str
    library: str
    count: int

    @property
    def key(self) -> tuple[Outcome, str, str, str]:
        """What is summed together."""
        return self.outcome, self.code, self.field, self.library


class Tally(msgspec.Struct):
    """All that is known of one outcome: sums by cause, and the last events of each code."""

    sums: list[Sum] = []
    last: dict[str, list[Note]] = {}

    def add(self, cause: Cause, count: int, first: int, last: int) -> None:
        """So many more events of a cause. Where there are many causes already, those of its code are one."""
        for known in (cause, cause._replace(field=OTHER_FIELD)):
            for each in self.sums:
                if each.cause == known:
                    each.count += count
                    each.first, each.last = min(each.first, first), max(each.last, last)
                    return
            if len(self.sums) < MOST_SUMS or known.field == OTHER_FIELD:
                self.sums.append(Sum(known, count, first, last))
                return

    def note(self, code: str, notes: Iterable[Note], most: int = LAST) -> None:
        """The last of these and of those that are known stay."""
        self.last[code] = sorted([*self.last.get(code, ()), *notes], key=lambda note: note.at)[-most:]


class RefusedEvents(msgspec.Struct):
    """All outcomes since a moment (microseconds UTC), and by shop day (ISO) how many of which cause."""

    since: int
    outcomes: dict[Outcome, Tally] = msgspec.field(default_factory=lambda: {each: Tally() for each in OUTCOMES})
    days: dict[str, list[DaySum]] = {}

    def __post_init__(self) -> None:
        """A file of an older version knows fewer outcomes."""
        for outcome in OUTCOMES:
            self.outcomes.setdefault(outcome, Tally())

    def add(self, outcome: Outcome, cause: Cause, count: int, at: int, day: str) -> None:
        """So many more events of one cause, on this shop day."""
        self.outcomes[outcome].add(cause, count, at, at)
        self._add_of_day(day, DaySum(outcome, cause.code, cause.field, cause.library, count))

    def take_over(self, other: "RefusedEvents") -> list[tuple[str, DaySum]]:
        """Adds what another holds; the shop days and causes that were unknown until now."""
        for outcome, tally in other.outcomes.items():
            mine = self.outcomes[outcome]
            for each in tally.sums:
                mine.add(each.cause, each.count, each.first, each.last)
            for code, notes in tally.last.items():
                mine.note(code, notes)
        new: list[tuple[str, DaySum]] = []
        for day, sums in other.days.items():
            new += [(day, each) for each in sums if self._add_of_day(day, each)]
        for day in sorted(self.days)[:-DAYS]:
            del self.days[day]
        return new

    def keep_notes(self, stays: Callable[[Note], bool]) -> None:
        """Of the events that are told one by one only these."""
        for tally in self.outcomes.values():
            kept = {code: [note for note in notes if stays(note)] for code, notes in tally.last.items()}
            tally.last = {code: notes for code, notes in kept.items() if notes}

    def count(self, outcome: Outcome, code: str, field: str, library: str) -> int:
        """How many of one cause in all dialects."""
        wanted = (code, field, library)
        return sum(each.count for each in self.outcomes[outcome].sums if each.cause[:3] == wanted)

    @property
    def totals(self) -> dict[tuple[str, str], int]:
        """Rejected events by code and library."""
        found: dict[tuple[str, str], int] = {}
        for each in self.outcomes["rejected"].sums:
            key = each.cause.code, each.cause.library
            found[key] = found.get(key, 0) + each.count
        return found

    def _add_of_day(self, day: str, added: DaySum) -> bool:
        sums = self.days.setdefault(day, [])
        for known in sums:
            if known.key == added.key:
                known.count += added.count
                return False
        if len(sums) >= MOST_OF_DAY and added.field != OTHER_FIELD:
            return self._add_of_day(day, DaySum(added.outcome, added.code, OTHER_FIELD, added.library, added.count))
        sums.append(DaySum(*added.key, added.count))
        return True


def digests_of(identifiers: Iterable[str]) -> tuple[str, ...]:
    """What a note holds of the ids that an event named somebody by."""
    return tuple(sorted({exact_digest(each) for each in identifiers}))


def kept_field(field: str) -> str:
    """A field without the places in its lists."""
    return PLACE.sub("[]", field)[:LONGEST]


def kept_sentence(message: str) -> str:
    """What is said of an event, without anything that the event says: of its values their kinds alone."""
    return NUMBER.sub("this is a number", QUOTED.sub("…", message))[:LONGEST_MESSAGE]


def read_refused(data: Path, now: int) -> RefusedEvents:
    """What all workers told so far, but of people who were erased since; what nobody can read any more begins anew.

    Raises ValueError where nobody can say who was erased: then nothing may be read.
    """
    try:
        known = msgspec.json.decode(read_or_none(data / REFUSED_EVENTS) or b"", type=RefusedEvents)
    except msgspec.MsgspecError:
        return RefusedEvents(now)
    return without_erased(known, data)


def without_erased(known: RefusedEvents, data: Path) -> RefusedEvents:
    """The same without the events that named, before it was erased, an id that is. The sums stay: they name nobody.

    Raises ValueError.
    """
    until: dict[str, int] = {}
    for stone in read_tombstones(data):
        until[stone.digest] = max(stone.erased_at, until.get(stone.digest, 0))
    if until:
        known.keep_notes(lambda note: all([until.get(each, 0) < note.at for each in note.people]))
    return known


def forget_people(data: Path, identifiers: Collection[str]) -> None:
    """Takes out what names one of these ids, and also what only bears it in its message id or its name.

    Raises OSError, ValueError.
    """
    gone = set(digests_of(identifiers))

    borne = [each if len(each) >= LONG_ID else rf"(?<!\w){each}(?!\w)" for each in map(re.escape, identifiers)]
    bears = re.compile("|".join(borne)) if borne else NOTHING

    def stays(note: Note) -> bool:
        texts = f"{note.message_id}\n{note.event}"
        return gone.isdisjoint(note.people) and bears.search(texts) is None

    with locked(data / REFUSED_EVENTS):
        if (data / REFUSED_EVENTS).exists():
            known = read_refused(data, 0)
            known.keep_notes(stays)
            replace_file(data / REFUSED_EVENTS, bounded(known), durable=True)


def keep_refused(data: Path, told: RefusedEvents) -> tuple[RefusedEvents, list[tuple[str, DaySum]]]:
    """Puts what one worker was told among what all were; the whole, and the causes that are new on their shop day.

    Raises OSError or ValueError with nothing kept. What a crash of the machine takes is no loss.
    """
    with locked(data / REFUSED_EVENTS):
        known = read_refused(data, told.since)
        new = known.take_over(without_erased(told, data))
        replace_file(data / REFUSED_EVENTS, bounded(known), durable=False)
    return known, new


def bounded(known: RefusedEvents) -> bytes:
    """As it is kept, at most 1 MB: fewer of the last events, then fewer of the oldest days; every sum stays."""
    most = LAST
    while len(written := msgspec.json.encode(known)) > MOST_BYTES and (most or known.days):
        most //= 2
        for tally in known.outcomes.values():
            tally.last = {code: notes[-most:] if most else [] for code, notes in tally.last.items()}
        if not most:
            del known.days[min(known.days)]
    return written


def causes_of(known: RefusedEvents, outcome: Outcome) -> list[tuple[Sum, list[Note]]]:
    """Every cause of an outcome, the most frequent first, with the last events of it, the newest first."""
    tally = known.outcomes[outcome]
    found: dict[Cause, list[Note]] = {}
    for code, notes in tally.last.items():
        for note in nlargest(len(notes), notes, key=lambda note: note.at):
            found.setdefault(Cause(code, note.field, note.library, note.dialect), []).append(note)
    return [(each, found.get(each.cause, [])) for each in sorted(tally.sums, key=lambda each: -each.count)]


def of_day(days: Mapping[str, Sequence[DaySum]], day: str, outcome: Outcome) -> list[DaySum]:
    """What happened on a shop day, the most frequent first."""
    return sorted((each for each in days.get(day, ()) if each.outcome == outcome), key=lambda each: -each.count)
