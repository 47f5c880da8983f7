"""What is analysed: the frozen design of an experiment's phase, with its metrics resolved, as of a moment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from experiments.catalog import Catalog
from experiments.catalog_phases import UNITS_PER_VARIANT, FrozenDesign, Pause
from experiments.definition import Experiment, Plan, Shop
from experiments.metric_definition import Metric
from experiments.readout_errors import UnknownExperiment, UnknownMetric, UnknownPhase
from experiments.readout_query import ReadoutQuery
from experiments.readout_types import Role

UNFROZEN: Final = "not frozen"


class Archive(Protocol):
    """Definitions now and then; `experiments.catalog_archive.CatalogArchive` is one."""

    def latest(self) -> Catalog: ...

    def at(self, time: datetime) -> Catalog | None: ...

    def design(self, key: str, phase: int) -> FrozenDesign | None: ...

    def phases(self, key: str) -> tuple[FrozenDesign, ...]: ...


@dataclass(frozen=True, slots=True)
class StudiedMetric:
    """A metric and what it is to the experiment; `post_hoc` where the frozen design does not hold it."""

    metric: Metric
    role: Role
    post_hoc: bool


@dataclass(frozen=True, slots=True)
class Study:
    """One phase of one experiment. `planned_units` counts all variants, `stopped` is when it ceased to enrol."""

    experiment: Experiment
    shop: Shop
    metrics: tuple[StudiedMetric, ...]
    fingerprint: str
    planned_units: int
    started: datetime | None
    stopped: datetime | None
    pauses: tuple[Pause, ...]

    @property
    def identity(self) -> str:
        """Equal for two studies that are read in the same way."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def plan(self) -> Plan:
        return self.experiment.plan

    @property
    def arms(self) -> tuple[str, ...]:
        """Keys of the variants, control first."""
        return tuple(variant.key for variant in self.experiment.variants)

    @property
    def weights(self) -> tuple[float, ...]:
        return tuple(variant.weight for variant in self.experiment.variants)

    def not_started(self, as_of: datetime) -> str | None:
        """Why nobody could be assigned yet; None once somebody could."""
        if self.experiment.status == "draft":
            return "it is a draft: nobody is assigned before its status is running"
        if self.started is not None and self.started > as_of:
            return f"it starts at {self.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC: nobody is assigned before"
        return None

    def has_stopped(self, as_of: datetime) -> bool:
        """Whether it enrols no more. A frozen design keeps the status that it had then, and learns of its end."""
        ended = self.stopped is not None and self.stopped <= as_of
        return ended or self.experiment.status in ("stopped", "archived")

    @property
    def goals(self) -> tuple[str, ...]:
        return self.experiment.goals

    @property
    def family(self) -> int:
        """Goals × variants that are compared."""
        return max(1, len(self.goals) * (len(self.arms) - 1))


def study_of(archive: Archive, key: str, query: ReadoutQuery) -> Study:
    """The study that a query asks for; raises the `NotFound`s of `readout_errors`."""
    catalog = (archive.at(query.at) if query.at else None) or archive.latest()
    design = _design(archive, catalog, key, query.phase)
    current = catalog.experiments.get(key)
    if design is None and current is None:
        raise UnknownExperiment(key, archive.latest().experiments)
    experiment = design.experiment if design else current
    assert experiment is not None
    known = {**catalog.metrics, **(design.metrics if design else {})}
    return Study(
        experiment=experiment,
        shop=catalog.shop,
        metrics=_metrics(experiment, current, known, query.metric),
        fingerprint=design.fingerprint if design else UNFROZEN,
        planned_units=design.planned_units if design else UNITS_PER_VARIANT * len(experiment.variants),
        started=_started(experiment, design),
        stopped=_past(design.closed_at if design else experiment.end, query.at),
        pauses=tuple(pause for pause in design.pauses if _past(pause.since, query.at)) if design else (),
    )


def _design(archive: Archive, catalog: Catalog, key: str, phase: int | None) -> FrozenDesign | None:
    current = catalog.experiments.get(key)
    if phase is not None:
        found = archive.design(key, phase)
        if found is None and (current is None or current.phase != phase):
            known = {design.phase for design in archive.phases(key)} | ({current.phase} if current else set())
            if not known:
                raise UnknownExperiment(key, archive.latest().experiments)
            raise UnknownPhase(str(phase), (str(number) for number in sorted(known)))
        return found
    if current is not None:
        return archive.design(key, current.phase)
    former = archive.phases(key)
    return former[-1] if former else None


def _metrics(
    experiment: Experiment, current: Experiment | None, known: Mapping[str, Metric], asked: str | None
) -> tuple[StudiedMetric, ...]:
    """Goals, secondary metrics, guardrails, then what is asked for beyond them; a guardrail may be a goal as well."""
    secondary = dict.fromkeys((*experiment.secondary, *(current.secondary if current else ())))
    named: list[tuple[str, Role]] = [(name, "goal") for name in experiment.goals]
    named.extend((name, "secondary") for name in secondary if name not in experiment.goals)
    named.extend((guardrail.metric, "guardrail") for guardrail in experiment.guardrails)
    if asked is not None and asked not in {name for name, _ in named}:
        named.append((asked, "secondary"))
    for name, _ in named:
        if name not in known:
            raise UnknownMetric(name, known)
    return tuple(StudiedMetric(known[name], role, name not in experiment.metrics) for name, role in named)


def _started(experiment: Experiment, design: FrozenDesign | None) -> datetime | None:
    return experiment.start or (design.frozen_at if design else None)


def _past(time: datetime | None, at: datetime | None) -> datetime | None:
    """A time, unless it lies after the moment that is looked back to."""
    return None if time is not None and at is not None and time > at else time
