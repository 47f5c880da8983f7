"""Which audiences anybody met lately, by the attributes that are stored with exposures."""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from experiments.assignment_compile import compile_as_designed
from experiments.check_warnings import MATCHED_DAYS
from experiments.conditions import ConditionError
from experiments.definition import Experiment
from experiments.readout import Readouts
from experiments.statements import statement

FEWEST: Final = 100  # fewer visitors say nothing about an audience
MOST: Final = 20_000  # exposures looked at, as the statement says
DAY_US: Final = 86_400_000_000

Visitor = tuple[str, Mapping[str, Any]]  # id and attributes


class RecentVisitors:
    """Visitors of the last 7 days with what was known of them; read once, on the first question."""

    def __init__(self, readouts: Readouts) -> None:
        self.readouts = readouts
        self._visitors: list[Visitor] | None = None

    def matching(self, experiment: Experiment) -> int | None:
        """How many meet the audience; None where nobody can say.

        That is: too few visitors, more than are looked at and none of those, or a segment that is not served yet.
        """
        visitors = self._known()
        if len({visitor for visitor, _ in visitors}) < FEWEST:
            return None
        try:
            unlimited = experiment.model_copy(
                update={"holdouts": ()}
            )  # who is held out meets the audience all the same
            audience = compile_as_designed(unlimited, self.readouts.archive.latest().segments, {}).audience
        except (ConditionError, KeyError):
            return None
        if audience is None:
            return len({visitor for visitor, _ in visitors})
        met = {visitor for visitor, attributes in visitors if audience({**attributes, "id": visitor})}
        return None if not met and len(visitors) >= MOST else len(met)

    def _known(self) -> list[Visitor]:
        if self._visitors is None:
            self._visitors = self._read()
        return self._visitors

    def _read(self) -> list[Visitor]:
        log = self.readouts.log
        since = int(time.time() * 1e6) - MATCHED_DAYS * DAY_US
        with log.open(log.snapshot()) as engine:
            rows = engine.rows(statement("recent_attributes").bind(since=since))
        return [(visitor, msgspec.json.decode(properties)) for visitor, properties in rows]
