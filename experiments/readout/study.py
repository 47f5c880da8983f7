"""What is analysed: the frozen design of an experiment's phase, with its metrics resolved, as of a moment."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Protocol

from experiments.answers.readout import Role
from experiments.catalog.calendar import Calendar, calendar_of
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import UNITS_PER_VARIANT, FrozenDesign, Shipping
from experiments.definitions.model import Experiment, Plan
from experiments.definitions.shop import Metric, Shop
from experiments.wording.figures import moment_text
from kit.suggestions import nearest
from kit.time import parsed

MOST_NAMED: Final = 20  # of what there is, where nothing is near what was asked for


class NotFound(LookupError):
    """Something asked for by name does not exist; `suggestions` are names that do, the likeliest first."""

    what = "thing"

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        """Name what was asked for, and what there is."""
        names = [str(item) for item in known]
        close = nearest(name, names, 3)
        self.name = name
        self.suggestions = tuple(close or sorted(names)[:MOST_NAMED])
        more = "" if close or len(names) <= MOST_NAMED else f" and {len(names) - MOST_NAMED} more"
        listed = f"{', '.join(self.suggestions)}{more}"
        hint = f"did you mean {listed}?" if close else f"there is {listed}"
        super().__init__(f"there is no {self.what} {name!r}; {hint if listed else f'no {self.what} is known here'}")


class UnknownExperiment(NotFound):
    what = "experiment"


class UnknownMetric(NotFound):
    what = "metric"


class UnknownDimension(NotFound):
    what = "dimension"


class UnknownPhase(NotFound):
    what = "phase"


class InvalidDate(ValueError):
    """A moment that cannot be read, or that lies in the future."""


@dataclass(frozen=True, slots=True)
class ReadoutQuery:
    """`at` repeats a past look. `pending` and `watermark` are what the store says at the moment of asking.

    `pending` is how many acknowledged events are not in the log yet, None where the store cannot be asked.
    """

    at: datetime | None = None
    metric: str | None = None
    dimension: str | None = None
    phase: int | None = None
    include_sql: bool = False
    pending: int | None = 0
    watermark: datetime | None = None


EARLIEST_LOOK: Final = datetime(2000, 1, 1, tzinfo=UTC)


def parsed_at(text: str) -> datetime:
    """The moment of a look in ISO 8601; a date is its first instant, and without a zone it is UTC.

    Raises `InvalidDate`.
    """
    try:
        moment = parsed(text)
    except ValueError:
        raise InvalidDate(f"at: {text[:40]!r} is not a moment; write 2026-01-20T09:00:00Z") from None
    if moment < EARLIEST_LOOK:
        raise InvalidDate(f"at: {text[:40]!r} lies before {EARLIEST_LOOK:%Y-%m-%d}, and before every log")
    return moment


UNFROZEN: Final = "not frozen"
REMEMBERED_STUDIES: Final = 256


class Archive(Protocol):
    """Definitions now and then; `experiments.catalog.reader.CatalogReader` is one."""

    def latest(self) -> Catalog: ...

    def at(self, time: datetime) -> Catalog | None: ...

    def design(self, key: str, phase: int) -> FrozenDesign | None: ...

    def phases(self, key: str) -> tuple[FrozenDesign, ...]: ...


@dataclass(frozen=True, slots=True)
class StudiedMetric:
    """A metric and what it is to the experiment; `post_hoc` where the frozen design does not hold it.

    A goal with a `margin` must only be no worse than that, on the metric's scale.
    """

    metric: Metric
    role: Role
    post_hoc: bool
    margin: float | None = None


@dataclass(frozen=True)
class Study:
    """One phase of one experiment. `planned_units` counts all variants.

    `shipped_in_between`: the stretches in which all units saw one variant (or another phase) before it ran on.
    """

    experiment: Experiment
    shop: Shop
    metrics: tuple[StudiedMetric, ...]
    fingerprint: str
    planned_units: int
    calendar: Calendar
    shipped_in_between: tuple[Shipping, ...] = ()

    @cached_property
    def identity(self) -> str:
        """Equal for two studies that are read in the same way; computed once."""
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
        state = self.calendar.state_at(as_of)
        if state == "draft":
            return "it is a draft: nobody is assigned before its status is running"
        if state == "not_started" and self.calendar.start is not None:
            return f"it starts on {moment_text(self.calendar.start)}: nobody is assigned before"
        return None

    @property
    def goals(self) -> tuple[str, ...]:
        return self.experiment.goals

    @property
    def family(self) -> int:
        """Goals × variants that are compared."""
        return max(1, len(self.goals) * (len(self.arms) - 1))


class Studies:
    """The studies that were asked for; what neither catalogue nor design has changed is not made again."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Catalog, FrozenDesign | None, Study]] = {}

    def of(self, archive: Archive, key: str, query: ReadoutQuery) -> Study:
        """The study that a query asks for; raises the `NotFound`s."""
        catalog = (archive.at(query.at) if query.at else None) or archive.latest()
        design = _design(archive, catalog, key, query.phase)
        asked = key, query.at, query.metric, query.phase
        known = self._known.get(asked)
        if known is not None and known[0] is catalog and known[1] is design:
            return known[2]
        if len(self._known) >= REMEMBERED_STUDIES:
            self._known.clear()
        study = _study(archive, catalog, design, key, query)
        self._known[asked] = catalog, design, study
        return study


def _study(archive: Archive, catalog: Catalog, design: FrozenDesign | None, key: str, query: ReadoutQuery) -> Study:
    current = catalog.experiments.get(key)
    if design is None and current is None:
        raise UnknownExperiment(key, archive.latest().experiments)
    experiment = design.experiment if design else current
    assert experiment is not None
    frozen = design.metrics if design else {}
    known = {**catalog.metrics, **{name: _titled(metric, catalog.metrics.get(name)) for name, metric in frozen.items()}}
    metrics = _metrics(experiment, current, known, query.metric)
    return Study(
        experiment=experiment,
        shop=_shop(catalog.shop, design),
        metrics=metrics,
        fingerprint=design.fingerprint if design else UNFROZEN,
        planned_units=design.planned_units if design else UNITS_PER_VARIANT * len(experiment.variants),
        calendar=calendar_of(experiment, design, [item.metric for item in metrics]),
        shipped_in_between=tuple(
            stretch
            for stretch in (design.shipped_in_between if design else ())
            if stretch.until is not None and (query.at is None or stretch.until <= query.at)
        ),
    )


def _titled(frozen: Metric, current: Metric | None) -> Metric:
    """A frozen metric as it is called now."""
    return frozen if current is None else frozen.model_copy(update={"title": current.title})


def _shop(shop: Shop, design: FrozenDesign | None) -> Shop:
    """The shop with the currency and the rates that were frozen, so that no rate moves a running test."""
    if design is None:
        return shop
    return shop.model_copy(update={"currency": design.currency or shop.currency, "rates": design.rates})


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
    """Goals, secondary metrics, guardrails, then what is asked for beyond them; a guardrail may be a goal as well.

    Secondary ones are frozen by name alone: what no file defines any more is left out, unless it is asked for.
    """
    listed = dict.fromkeys((*experiment.secondary, *(current.secondary if current else ())))
    secondary = [name for name in listed if name in known or name == asked]
    named: list[tuple[str, Role]] = [(name, "goal") for name in experiment.goals]
    named.extend((name, "secondary") for name in secondary if name not in experiment.goals)
    named.extend((guardrail.metric, "guardrail") for guardrail in experiment.guardrails)
    if asked is not None and asked not in {name for name, _ in named}:
        named.append((asked, "secondary"))
    for name, _ in named:
        if name not in known:
            raise UnknownMetric(name, known)
    margins = {each.metric: each.margin for each in experiment.margins}
    return tuple(
        StudiedMetric(known[name], role, name not in experiment.metrics, margins.get(name) if role == "goal" else None)
        for name, role in named
    )
