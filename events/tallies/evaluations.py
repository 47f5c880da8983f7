"""How often each experiment was evaluated where nothing is exposed by it: in bulk, by a payload, by GrowthBook's API.

Counted in memory, told every few seconds to one file of all workers. No row, no visitor, no variant.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from events.deletes.tombstones import FILE as TOMBSTONES
from events.tallies.refused_events import REFUSED_EVENTS, RefusedEvents, read_refused
from kit.files import FileMark, locked, mark_of, read_or_none, replace_file
from kit.time import DAY_SECONDS, SECOND_US

EVALUATIONS: Final = "evaluations.json"
STRETCH_SECONDS: Final = DAY_SECONDS // 4
STRETCHES: Final = 4


Phases = Sequence[tuple[str, int]]  # of experiments, by key


class Evaluated(NamedTuple):
    """What was evaluated: a phase of an experiment, in the words of a dialect."""

    experiment: str
    phase: int
    dialect: str


class Row(msgspec.Struct, array_like=True):
    """So many evaluations of one kind."""

    experiment: str
    phase: int
    dialect: str
    count: int


@dataclass(slots=True)
class Given:
    """How often some phases were given as a whole."""

    dialect: str
    phases: Phases
    count: int


class Evaluations:
    """The counts of one worker since it last told the others."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._counts: Counter[Evaluated] = Counter()
        self._given: dict[int, Given] = {}

    def add(self, dialect: str, phases: Iterable[tuple[str, int]]) -> None:
        """These experiments' phases were evaluated once more for somebody."""
        self._counts.update([Evaluated(key, phase, dialect) for key, phase in phases])

    def given(self, dialect: str, phases: Phases) -> None:
        """All of these were given to somebody who evaluates them alone. One look-up, however many they are."""
        known = self._given.get(id(phases))
        if known is None:  # it holds them, so that no others can have their identity
            self._given[id(phases)] = Given(dialect, phases, 1)
        else:
            known.count += 1

    def due(self) -> Counter[Evaluated]:
        """What was not told yet; it is no longer this one's to tell."""
        told, self._counts = self._counts, Counter()
        given, self._given = self._given, {}
        for each in given.values():
            told.update({Evaluated(key, phase, each.dialect): each.count for key, phase in each.phases})
        return told

    def give_back(self, told: Counter[Evaluated]) -> None:
        """What could not be kept is told the next time."""
        self._counts.update(told)

    def keep(self, told: Mapping[Evaluated, int], now: float) -> None:
        """Puts counts among those of all workers, at `now` (epoch seconds). Raises OSError."""
        with locked(self._data / EVALUATIONS):
            stretches = _read(self._data)
            place = str(int(now) // STRETCH_SECONDS)
            counts = {Evaluated(row.experiment, row.phase, row.dialect): row.count for row in stretches.get(place, ())}
            for evaluated, count in told.items():
                counts[evaluated] = counts.get(evaluated, 0) + count
            stretches[place] = [Row(*evaluated, count) for evaluated, count in counts.items()]
            kept = {each: stretches[each] for each in sorted(stretches, key=int)[-STRETCHES - 1 :]}
            replace_file(self._data / EVALUATIONS, msgspec.json.encode(kept), durable=False)


class Lately(NamedTuple):
    """Evaluations of the last day by kind, and since when they were counted (epoch seconds)."""

    since: float
    counts: Mapping[Evaluated, int]


def read_evaluations(data: Path, now: float) -> Lately:
    """All that was counted in about the last 24 h (`now` in epoch seconds), by all workers."""
    first = int(now - DAY_SECONDS) // STRETCH_SECONDS + 1
    counts: Counter[Evaluated] = Counter()
    for stretch, rows in _read(data).items():
        if int(stretch) >= first:
            for row in rows:
                counts[Evaluated(row.experiment, row.phase, row.dialect)] += row.count
    return Lately(float(first * STRETCH_SECONDS), counts)


@dataclass(slots=True)
class Tallies:
    """What readouts ask of both tallies of a data directory; that of events is read anew when it has changed."""

    data: Path
    _mark: tuple[FileMark | None, FileMark | None] | None = None  # not read yet
    _refused: RefusedEvents = field(default_factory=lambda: RefusedEvents(0))

    def refused(self, now_us: int) -> RefusedEvents:
        """All events that were not taken, as of now."""
        mark = mark_of(self.data / REFUSED_EVENTS), mark_of(self.data / TOMBSTONES)
        if mark != self._mark:
            self._refused, self._mark = read_refused(self.data, now_us), mark
        return self._refused

    def evaluated(self, now_us: int) -> Lately:
        """What was evaluated in about the last 24 h."""
        if mark_of(self.data / EVALUATIONS) is None:
            return Lately(now_us / SECOND_US, {})
        return read_evaluations(self.data, now_us / SECOND_US)


def _read(data: Path) -> dict[str, list[Row]]:
    """What nobody can read any more begins anew."""
    try:
        return msgspec.json.decode(read_or_none(data / EVALUATIONS) or b"{}", type=dict[str, list[Row]])
    except msgspec.MsgspecError:
        return {}
