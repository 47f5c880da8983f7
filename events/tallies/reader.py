"""What the workers told of events that were not taken and of evaluations, for whoever reads it again and again."""

from dataclasses import dataclass, field
from pathlib import Path

from events.tallies.evaluations import EVALUATIONS, Lately, read_evaluations
from events.tallies.refused_events import REFUSED_EVENTS, RefusedEvents, read_refused
from kit.files import FileMark, mark_of
from kit.time import SECOND_US


@dataclass(slots=True)
class Tallies:
    """Both files of a data directory; one is read anew when it has changed."""

    data: Path
    _mark: FileMark | None = None
    _refused: RefusedEvents = field(default_factory=lambda: RefusedEvents(0))

    def refused(self, now_us: int) -> RefusedEvents:
        """All events that were not taken, as of now."""
        mark = mark_of(self.data / REFUSED_EVENTS)
        if mark != self._mark:
            self._refused, self._mark = read_refused(self.data, now_us), mark
        return self._refused

    def evaluated(self, now_us: int) -> Lately:
        """What was evaluated in about the last 24 h."""
        if mark_of(self.data / EVALUATIONS) is None:
            return Lately(now_us / SECOND_US, {})
        return read_evaluations(self.data, now_us / SECOND_US)
