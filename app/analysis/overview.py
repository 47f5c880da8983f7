"""The list of all experiments: what the files say of each, and in one sentence what was read of it last."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from experiments.answers.encoding import plain
from experiments.answers.readout import Readout
from experiments.catalog.calendar import state_of
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import FrozenDesign
from experiments.catalog.reader import CatalogReader
from experiments.definitions.model import Experiment
from experiments.readout.read import TOGETHER, Readouts
from experiments.readout.study import ReadoutQuery, UnknownExperiment
from experiments.wording.effects import clipped

COLUMNS: Final = (
    "experiment", "name", "owner", "state", "start", "end", "outcome", "action", "variant", "day", "days",
    "units_a_day", "as_of", "sentence",
)  # fmt: skip
"""Of the list as a table."""
NAME_WIDTH: Final = 60
MOST_DAYS: Final = 28


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of an experiment's phase last. `day` of `days` of the plan had closed by then."""

    phase: int
    fingerprint: str
    closed: bool
    as_of: datetime
    sentence: str
    action: str
    variant: str | None
    alarm: bool
    checks: tuple[dict[str, Any], ...]
    day: int
    units: int
    units_a_day: float | None
    units_by_day: tuple[int, ...]

    @classmethod
    def of(cls, readout: Readout) -> "Known":
        """What of a readout stands in the list."""
        return cls(
            phase=readout.phase,
            fingerprint=readout.fingerprint,
            closed=readout.closed,
            as_of=readout.as_of,
            sentence=readout.sentence,
            action=readout.decision.action,
            variant=readout.decision.variant,
            alarm=readout.health.srm.alarm,
            checks=tuple(plain(check) for check in readout.health.checks),
            day=readout.plan.closed_days,
            units=sum(readout.health.srm.observed),
            units_a_day=readout.units_a_day,
            units_by_day=tuple(
                sum(level.observed) for level in readout.health.srm.drill_down if level.dimension == "day"
            )[-MOST_DAYS:],
        )


@dataclass(slots=True)
class Overview:
    """Every experiment with what is known of it. `learn` and `read` are called by one thread, the rest by any."""

    readouts: Readouts
    catalogs: CatalogReader
    _known: dict[str, Known] = field(default_factory=dict[str, Known])

    def learn(self, readout: Readout) -> None:
        """Keep what a readout of now says of its experiment's phase."""
        self._known[readout.experiment] = Known.of(readout)

    def read(self, look: ReadoutQuery) -> None:
        """Read what runs, and of what has ended as much as is read together; what is closed is read once."""
        catalog, now = self.catalogs.latest(), self.readouts.now()
        running: list[str] = []
        ended: list[str] = []
        for key, experiment in catalog.experiments.items():
            design = self.catalogs.design(key, experiment.phase)
            known = self._of(experiment, design)
            state = state_of(experiment, design, catalog.metrics, now)
            if state in ("draft", "not_started") or (known is not None and known.closed):
                continue
            (running if state in ("enrolling", "paused") else ended).append(key)
        for readout in self.readouts.several([(key, look) for key in (*running, *ended[:TOGETHER])]):
            self.learn(readout)

    def listed(self, now: datetime) -> dict[str, Any]:
        """Every experiment in order of key, and what is wrong with the files that are not served."""
        catalog = self.catalogs.latest()
        return {
            "version": catalog.version,
            "errors": [str(error) for error in self.catalogs.errors],
            "experiments": [self._entry(catalog, catalog.experiments[key], now) for key in sorted(catalog.experiments)],
        }

    def rows(self, now: datetime) -> list[dict[str, Any]]:
        """The list as rows of `COLUMNS`, dates as texts."""
        return [
            plain({"experiment": each["key"], **each, "outcome": each["decision"]["outcome"]})
            for each in self.listed(now)["experiments"]
        ]

    def whole(self, key: str, now: datetime) -> dict[str, Any]:
        """One experiment with its whole definition. Raises UnknownExperiment."""
        catalog = self.catalogs.latest()
        experiment = catalog.experiments.get(key)
        if experiment is None:
            raise UnknownExperiment(key, catalog.experiments)
        return {**self._entry(catalog, experiment, now), "definition": experiment.model_dump(mode="json")}

    def _of(self, experiment: Experiment, design: FrozenDesign | None) -> Known | None:
        """What is known of the phase that is defined now."""
        known = self._known.get(experiment.key)
        if known is None or design is None:
            return None
        return known if (known.phase, known.fingerprint) == (experiment.phase, design.fingerprint) else None

    def _entry(self, catalog: Catalog, experiment: Experiment, now: datetime) -> dict[str, Any]:
        design = self.catalogs.design(experiment.key, experiment.phase)
        known = self._of(experiment, design)
        return {
            "key": experiment.key,
            "name": experiment.name,
            "owner": experiment.owner,
            "sentence": self._unread(experiment, design, now) if known is None else known.sentence,
            "as_of": known and known.as_of,
            "action": known and known.action,
            "variant": known and known.variant,
            "alarm": known and known.alarm,
            "checks": list(known.checks) if known else [],
            "day": known and known.day,
            "days": experiment.plan.days,
            "units": known and known.units,
            "units_a_day": known and known.units_a_day,
            "units_by_day": list(known.units_by_day) if known else [],
            "status": experiment.status,
            "status_in_file": catalog.written.get(experiment.key, experiment.status),
            "ordered": experiment.key in catalog.overridden,
            "state": state_of(experiment, design, catalog.metrics, now),
            "start": experiment.start,
            "end": experiment.end,
            "phase": experiment.phase,
            "unit": experiment.unit,
            "variants": [{"key": variant.key, "weight": variant.weight} for variant in experiment.variants],
            "goals": experiment.goals,
            "secondary": experiment.secondary,
            "guardrails": [guardrail.metric for guardrail in experiment.guardrails],
            "method": experiment.plan.method,
            "decision": experiment.decision.model_dump(mode="json"),
            "phases": _phases(self.catalogs.phases(experiment.key)),
        }

    def _unread(self, experiment: Experiment, design: FrozenDesign | None, now: datetime) -> str:
        """What is said of an experiment whose results nobody has read since the service started."""
        name = clipped(experiment.name, NAME_WIDTH)
        waits = self.readouts.not_begun(experiment.key, now)
        if waits:
            return f"{name}. Not started: {waits}."
        if design is None and experiment.status == "paused":
            return f"{name}. Paused before it began: nobody has been assigned yet."
        return f"{name}. Not read yet: its result is computed when somebody asks for it."


def _phases(designs: Sequence[FrozenDesign]) -> list[dict[str, Any]]:
    return [
        {
            "phase": design.phase,
            "fingerprint": design.fingerprint,
            "frozen_at": design.frozen_at,
            "planned_units": design.planned_units,
            "currency": design.currency,
            "rates": design.rates,
            "end": design.end,
            "stopped_at": design.stopped_at,
            "pauses": [{"since": pause.since, "until": pause.until} for pause in design.pauses],
        }
        for design in designs
    ]
