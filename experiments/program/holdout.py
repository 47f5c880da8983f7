"""The holdout report: what all that was shipped and all that runs did together, against those who saw none of it."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from experiments.answers.encoding import plain
from experiments.answers.readout import Number, PlanReadout
from experiments.assignment.bucketing import position
from experiments.catalog.calendar import Calendar, metric_window
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import UNITS_PER_VARIANT
from experiments.cube.scope import Site
from experiments.definitions.model import Experiment, UnitKind, Variant
from experiments.definitions.shop import Holdout
from experiments.program.report import Concluded, Conclusions, concluded_phase, known_number, shrunk_rows
from experiments.readout.health import health_of, lost_events, unequal_checks
from experiments.readout.inquiries import Opened
from experiments.readout.metrics import metric_readout, settled
from experiments.readout.read import FRESH_US, Readouts
from experiments.readout.study import InvalidDate, NotFound, ReadoutQuery, StudiedMetric, Study, UnknownMetric
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.wording.sentences import priced, worded_metric
from kit.time import microseconds, parsed

HELD_BACK: Final = "held_back"
EVERYONE: Final = "everyone"
UNFROZEN: Final = "not frozen"
WITHOUT_A_GOAL: Final = ("purchase_rate",)
COLUMNS: Final = (
    "holdout", "as_of", "as_of_day", "metric", "type", "variant", "against", "units", "value", "control_value", "lift",
    "ci_low", "ci_high", "difference", "difference_ci_low", "difference_ci_high", "p", "p_adjusted", "cuped",
    "gate_open", "variance_floor", "verdict", "srm_alarm",
)  # fmt: skip


class UnknownHoldout(NotFound):
    what = "holdout"


class HoldoutHistory(Conclusions, Protocol):
    """What became of every phase, and when a holdout began; `experiments.catalog.reader.CatalogReader` is one."""

    def holdout_since(self, name: str) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class HoldoutQuery:
    """Who arrived when (dates or moments, within the holdout's own), by which metric."""

    since: str | None = None
    until: str | None = None
    metric: str | None = None
    look: ReadoutQuery = ReadoutQuery()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class ShippedChange:
    """A change that was shipped while the holdout was measured, with its own closed lift of the first metric.

    Of a metric in points it is the difference. None while windows are open, and where the sample ratio alarm rang.
    """

    experiment: str
    phase: int
    variant: str
    on: date
    lift: Number
    ci: Interval | NoEstimate | None


@dataclass(frozen=True, slots=True)
class Described:
    """A holdout with what its file leaves out: from when on, by which metrics, of which units, for whom."""

    holdout: str
    unit: UnitKind
    share: float
    start: datetime
    end: datetime | None
    metrics: tuple[str, ...]
    experiments: tuple[str, ...]


@dataclass(slots=True)
class HoldoutReports:
    """Every holdout's report; what was measured is remembered until the log or the definition changes. Computed by one
    thread."""

    readouts: Readouts
    history: HoldoutHistory
    cache_entries: int = 64
    _measured: OrderedDict[tuple[object, ...], dict[str, Any]] = field(
        default_factory=OrderedDict[tuple[object, ...], dict[str, Any]]
    )

    def listed(self) -> list[dict[str, Any]]:
        """Every holdout that is defined."""
        catalog, now = self.readouts.archive.latest(), self.readouts.now()
        return [plain(_described(holdout, catalog, self.history, now)) for holdout in catalog.holdouts.values()]

    def report(self, key: str, query: HoldoutQuery) -> dict[str, Any]:
        """The report as it is served; raises UnknownHoldout, UnknownMetric and InvalidDate."""
        readouts, look = self.readouts, query.look
        as_of = readouts.as_of(look)
        catalog = (readouts.archive.at(look.at) if look.at else None) or readouts.archive.latest()
        holdout = catalog.holdouts.get(key)
        if holdout is None:
            raise UnknownHoldout(key, catalog.holdouts)
        described = _described(holdout, catalog, self.history, as_of)
        began = described.start
        described = _narrowed(described, query, ZoneInfo(catalog.shop.timezone))
        for name in described.metrics:
            if name not in catalog.metrics:
                raise UnknownMetric(name, catalog.metrics)
        study = _study(described, catalog, covariate=described.start == began)
        measured = self._measure(described, study, look)
        return measured | {"pending": look.pending} | plain(_shipped(readouts, self.history, described, query))

    def _measure(self, described: Described, study: Study, look: ReadoutQuery) -> dict[str, Any]:
        """What the log says of both arms, computed or remembered."""
        readouts = self.readouts
        as_of, snapshot = readouts.as_of(look), readouts.log.snapshot()
        mark = (study.identity, snapshot.identity, look.at or microseconds(as_of) // FRESH_US)
        if mark in self._measured:
            return self._measured[mark]
        site = Site(microseconds(described.start), lambda units: held_back(described.holdout, described.share, units))

        def answer(opened: Opened) -> dict[str, Any]:
            judge, plan = opened.judge, opened.cube.plan
            observed = {
                name: opened.observer.observe(plan.rule(name), (), judge.sample_days(plan.rule(name)))
                for name in described.metrics
            }
            rows = [
                metric_readout(judge, each, observed[each.metric.name], None, described.unit) for each in study.metrics
            ]
            checks = [*unequal_checks(judge, study, observed), *lost_events(snapshot.lost)]
            shown, watermark = readouts.moments(look, snapshot, as_of)
            return plain(
                {
                    "holdout": described.holdout,
                    "unit": described.unit,
                    "share": described.share,
                    "start": described.start,
                    "end": described.end,
                    "as_of": shown,
                    "watermark": watermark,
                    "pending": None,
                    "state": (state := study.calendar.state_at(as_of)),
                    "closed": state == "closed",
                    "plan": PlanReadout.of(study.plan, study.planned_units, opened.days.count),
                    "health": health_of(opened, (), checks),
                    "metrics": tuple(map(worded_metric, priced(settled(judge, rows), study.shop.currency))),
                }
            )

        self._measured[mark] = measured = readouts.observe(study, look, (), answer, snapshot, site)
        while len(self._measured) > self.cache_entries:
            self._measured.popitem(last=False)
        return measured


def held_back(holdout: str, share: float, units: Iterable[str]) -> list[str]:
    """The units that a holdout keeps out: by the hash that the assignment asks first."""
    seed = f"holdout:{holdout}"
    return [unit for unit in units if position(seed, unit) < share]


def holdout_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A report as one row per comparison, for `flat_row`."""
    rows: list[dict[str, Any]] = []
    for metric in report["metrics"]:
        for comparison in metric["comparisons"]:
            control, arm = comparison["arms"]
            told = {"control_value": control["value"], "gate_open": comparison["gate"]["open"]}
            told |= {"srm_alarm": report["health"]["srm"]["alarm"], "value": arm["value"], "units": arm["units"]}
            rows.append({**report, **metric, **comparison, **told})
    return rows


def _described(holdout: Holdout, catalog: Catalog, history: HoldoutHistory, now: datetime) -> Described:
    naming = [each for each in catalog.experiments.values() if holdout.name in each.holdouts and each.status != "draft"]
    since = (history.holdout_since(holdout.name) or now).astimezone(ZoneInfo(catalog.shop.timezone))
    day = datetime.combine(since.date(), time(), since.tzinfo).astimezone(UTC)
    goals = tuple(dict.fromkeys(goal for each in naming for goal in each.goals))
    return Described(
        holdout=holdout.name,
        unit="user" if naming and all(each.unit == "user" for each in naming) else "visitor",
        share=holdout.share,
        start=holdout.start or day,
        end=holdout.end,
        metrics=holdout.metrics or goals or WITHOUT_A_GOAL,
        experiments=tuple(sorted(each.key for each in naming)),
    )


def _narrowed(described: Described, query: HoldoutQuery, zone: ZoneInfo) -> Described:
    """Within the dates that are asked for; a unit then arrives with its first event from there on."""
    found: dict[str, datetime | None] = {"from": None, "to": None}
    for name, text in (("from", query.since), ("to", query.until)):
        try:
            found[name] = None if text is None else parsed(text, zone)
        except ValueError:
            raise InvalidDate(f"{name}: {(text or '')[:40]!r} is no date; write 2026-01-31") from None
    start = max(described.start, found["from"] or described.start)
    end = min((moment for moment in (described.end, found["to"]) if moment), default=None)
    if end is not None and end <= start and found["to"]:
        raise InvalidDate(f"to: {end:%Y-%m-%dT%H:%MZ} is not after {start:%Y-%m-%dT%H:%MZ}, from which on is measured")
    if end is not None and end <= start and found["from"]:
        raise InvalidDate(f"from: {start:%Y-%m-%dT%H:%MZ} is not before {end:%Y-%m-%dT%H:%MZ}, the end of the holdout")
    metrics = described.metrics if query.metric is None else (query.metric,)
    return replace(described, start=start, end=end, metrics=metrics)


def _study(described: Described, catalog: Catalog, *, covariate: bool) -> Study:
    """The holdout as an experiment that was never assigned: its control is held back.

    What lies before its start is a covariate; where that start is asked for, the holdout held then already.
    """
    shares = {HELD_BACK: described.share, EVERYONE: 1.0 - described.share}
    experiment = Experiment(
        key=described.holdout,
        name=described.holdout,
        status="running",
        start=described.start,
        end=described.end,
        unit=described.unit,
        variants=tuple(Variant(key=name, weight=share, payload=None) for name, share in shares.items()),
        goals=described.metrics,
    )
    if not covariate:
        plan = experiment.plan.model_copy(update={"cuped_seconds": 0})
        experiment = experiment.model_copy(update={"plan": plan})
    metrics = [catalog.metrics[name] for name in described.metrics]
    longest = max(metric_window(metric) for metric in metrics)
    return Study(
        experiment=experiment,
        shop=catalog.shop,
        metrics=tuple(StudiedMetric(metric, "goal", post_hoc=False) for metric in metrics),
        fingerprint=UNFROZEN,
        planned_units=UNITS_PER_VARIANT * len(shares),
        calendar=Calendar("running", described.start, described.end, (), longest),
    )


def _shipped(readouts: Readouts, history: HoldoutHistory, described: Described, query: HoldoutQuery) -> dict[str, Any]:
    """What was shipped meanwhile under the holdout, by the first metric, beside what was measured of all together.

    The prior is that of all concluded phases, whatever holdout they name.
    """
    metric, zone = described.metrics[0], ZoneInfo(readouts.archive.latest().shop.timezone)
    last = min(described.end or readouts.as_of(query.look), readouts.as_of(query.look))
    phases: list[Concluded] = []
    changes: list[ShippedChange] = []
    concluded_by_then = [
        (conclusion, design)
        for name, conclusion in sorted(history.conclusions().items())
        if (design := history.design(*name)) is not None and conclusion.since <= last
    ]
    asked = [
        # its own readout where it has the metric: that is remembered
        (
            design.key,
            replace(
                query.look, at=None, phase=design.phase, metric=None if metric in design.experiment.metrics else metric
            ),
        )
        for _, design in concluded_by_then
    ]
    for (conclusion, design), readout in zip(concluded_by_then, readouts.several(asked), strict=True):
        concluded = concluded_phase(readout, design, conclusion, zone, metric)
        phases += [concluded] if readout.closed else []
        told, control = conclusion.decision, design.experiment.control.key
        counts = told.outcome == "shipped" and told.variant != control and conclusion.since >= described.start
        if not counts or described.holdout not in design.holdouts:
            continue
        trusted = readout.closed and concluded.outcome != "unhealthy"
        for row, each in zip(concluded.rows, readout.metric(metric).comparisons, strict=True):
            if row.variant == told.variant:
                said = (row.lift, each.difference_ci if concluded.in_points else each.ci) if trusted else (None, None)
                changes.append(ShippedChange(design.key, design.phase, row.variant, row.decided_on, *said))
    named = {(change.experiment, change.phase, change.variant) for change in changes}
    rows = [row for phase in phases for row in phase.rows]
    shrunk = shrunk_rows(rows, phases, lambda row: (row.experiment, row.phase, row.variant) in named)
    return {
        "shipped": changes,
        "sum_of_lifts": sum((known_number(change.lift) for change in changes), 0.0),
        "shrunk_sum": shrunk.total.value if shrunk else 0.0,
    }
