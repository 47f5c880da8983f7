"""All that a readout is told of what arrived: what was refused, worthless, forged or never sent."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from events.tallies.evaluations import Lately, Tallies
from experiments.arrivals.exposing import Counts, day_began, forged_check, lately_exposed, unexposed_check
from experiments.arrivals.refused import Notice, ReceivedDays, alone_check, rejected_check, worthless_check
from experiments.assignment.assign import CompiledExperiment
from experiments.assignment.compilation import compile_experiment
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import FrozenDesign
from experiments.cube.cube import Cube
from experiments.definitions.model import Experiment
from kit.time import DAY_SECONDS, SECOND_US


class ReadPhase(NamedTuple):
    """One phase of an experiment, as of a moment (µs): its first and last shop day (None before anybody was exposed),
    whether it takes units now, and what makes its `phases` compiled, the newest first.
    """

    experiment: str
    phase: int
    as_of_us: int
    first: int | None
    last: int
    is_live: bool
    phases: Callable[[], Sequence[CompiledExperiment]]


@dataclass(slots=True)
class Arrivals:
    """What arrived at one data directory; what it found of days that are over is found once."""

    tallies: Tallies
    received: ReceivedDays = field(default_factory=ReceivedDays)

    @classmethod
    def at(cls, data: Path) -> Self:
        """Of this data directory."""
        return cls(Tallies(data))

    def findings(self, cube: Cube, asked: ReadPhase) -> Iterator[Notice]:
        """What a reader of this phase must know; `cube` is built for it."""
        now_us = asked.as_of_us
        span = (asked.last if asked.first is None else asked.first, asked.last)
        yield from rejected_check(cube, self.tallies.refused(now_us).days, span, self.received, now_us)
        yield from alone_check(cube, self.tallies.refused(now_us).days, span)
        yield from worthless_check(cube, span)
        lately = self.tallies.evaluated(now_us) if asked.is_live else Lately(now_us / SECOND_US - DAY_SECONDS, {})
        counts = lately_exposed(cube, now_us, day_began(lately)).get((asked.experiment, asked.phase), Counts())
        if asked.is_live:
            yield from unexposed_check(counts, lately, asked.experiment, asked.phase)
        if counts.forged:
            yield from forged_check(cube, counts, asked.phases(), now_us)


def compiled_phases(
    experiment: Experiment, catalog: Catalog, former: Sequence[FrozenDesign]
) -> Sequence[CompiledExperiment]:
    """A phase as it is served now, and those of its frozen designs that are of phases before it, the newest first."""
    own = compile_experiment(experiment, catalog.segments, catalog.holdouts)
    earlier = [each for each in reversed(former) if each.phase < experiment.phase]
    return [own, *(compile_experiment(each.experiment, each.segments, each.holdouts) for each in earlier)]
