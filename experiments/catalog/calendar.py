"""When a phase enrols: its dates and its status, and what they make of it at a moment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from experiments.catalog.phases import FrozenDesign, Pause
from experiments.definitions.model import Experiment, Status
from experiments.definitions.shop import Metric

State = Literal["draft", "not_started", "enrolling", "paused", "ended", "closed"]
"""What an experiment does at a moment.
`draft`: It is being written: nobody is assigned.
`enrolling`: Visitors are assigned and counted.
`paused`: Everybody gets control for a while, and nobody is counted.
`ended`: Nobody is enrolled any more, and windows of visitors are still open.
`closed`: Here: All windows have closed: the numbers are final.
As everywhere: `not_started`.
"""
LONGEST_DAYS: Final = 56  # of a plan: cookies and seasons blur what takes longer
ENROLS_NO_MORE: Final[tuple[State, ...]] = ("ended", "closed")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of a phase. `stop` is the earlier of its end and its stop, and may lie ahead; `start` too.

    `status` is what the definition says; a stopped one without a `stop` ended at a moment that nobody knows.
    `window_seconds` is the longest window of its metrics.
    """

    status: Status
    start: datetime | None
    stop: datetime | None
    pauses: tuple[Pause, ...]
    window_seconds: int

    def state_at(self, moment: datetime) -> State:
        """What the phase is at a moment: the one place where its dates are compared with one."""
        if self.status == "draft":
            return "draft"
        if self.stop is not None and self.stop <= moment:
            return "closed" if self.stop + timedelta(seconds=self.window_seconds) <= moment else "ended"
        if self.status in ("stopped", "archived"):
            return "ended"
        if self.start is not None and self.start > moment:
            return "not_started"
        paused = any(pause.since <= moment and (pause.until is None or pause.until > moment) for pause in self.pauses)
        return "paused" if paused or self.status == "paused" else "enrolling"

    def stopped_by(self, moment: datetime) -> datetime | None:
        """The moment it ceased to enrol; None while it may still enrol then."""
        return self.stop if self.stop is not None and self.stop <= moment else None


def calendar_of(experiment: Experiment, design: FrozenDesign | None, metrics: Iterable[Metric]) -> Calendar:
    """The dates of an experiment as it is served; a frozen design knows what became of it, not of its status."""
    if design is None:
        status, start, stop, pauses = experiment.status, experiment.start, experiment.end, ()
    else:
        status = "stopped" if design.experiment.status in ("stopped", "archived") else "running"
        start, stop, pauses = design.experiment.start or design.frozen_at, design.closed_at, design.pauses
    longest = max((metric_window(metric) for metric in metrics), default=0)
    return Calendar(status, start, stop, pauses, longest)


def state_of(
    experiment: Experiment, design: FrozenDesign | None, metrics: Mapping[str, Metric], moment: datetime
) -> State:
    """What an experiment is at a moment, by the metrics that are defined; those that are frozen outrank them."""
    known = {**metrics, **(design.metrics if design else {})}
    own = [known[name] for name in experiment.metrics if name in known]
    return calendar_of(experiment, design, own).state_at(moment)


def metric_window(metric: Metric) -> int:
    """Seconds from its exposure until everything has happened that a metric counts of a unit."""
    return metric.window_seconds if metric.to_seconds is None else metric.to_seconds
