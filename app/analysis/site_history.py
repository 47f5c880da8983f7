"""What the log says about planned experiments, for the warnings of `resonate check`: traffic and audiences met."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from experiments.assignment.compilation import compile_as_designed
from experiments.catalog.calendar import Calendar
from experiments.catalog.check import MATCHED_DAYS, SiteHistory
from experiments.cube.scope import Site
from experiments.cube.statements import statement
from experiments.definitions.model import Experiment, Guardrail, Variant
from experiments.definitions.shop import Metric
from experiments.planning.assumptions import Assumptions, PlanRequest
from experiments.readout.planning import MetricPlan, TrafficPlan, logged_request, supposed, traffic_plan
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery, StudiedMetric, Study
from experiments.targeting.attributes import derived
from experiments.targeting.predicates import ConditionError
from kit.time import DAY_US, microseconds, now_us

FEWEST: Final = 100  # fewer visitors say nothing about an audience
MOST: Final = 20_000  # exposures looked at, as the statement says

Visitor = tuple[str, Mapping[str, Any]]  # id and attributes


LOOKBACK: Final = timedelta(days=28)
EVERYONE: Final = Experiment(
    key="everyone",
    name="everyone",
    variants=(Variant(key="control", weight=0.5, payload=None), Variant(key="other", weight=0.5, payload=None)),
    goals=(),
)


def site_plan(
    readouts: Readouts,
    experiment: Experiment,
    *more: Metric,
    query: ReadoutQuery = ReadoutQuery(),  # noqa: B008 - frozen
) -> TrafficPlan | None:
    """The plan of an experiment that need not be served yet, from the whole site's traffic of the last 28 days.

    Everyone seen counts, in the share that traffic lets in; who meets the audience is not known beforehand. `more` are
    metrics that the served definitions need not hold.
    """
    catalog = readouts.archive.latest()
    chosen = [catalog.metrics[name] for name in experiment.metrics if name in catalog.metrics]
    metrics = [*more] or chosen or [catalog.metrics[name] for name in sorted(catalog.metrics)[:1]]
    studied = tuple(StudiedMetric(metric, "goal", post_hoc=False) for metric in metrics)
    calendar = Calendar(experiment.status, experiment.start, experiment.end, (), 0)
    study = Study(experiment, catalog.shop, studied, "", 0, calendar)
    since = microseconds(readouts.as_of(query) - LOOKBACK)
    return readouts.observe(study, query, (), traffic_plan(study, "site"), site=Site(since))


def logged(readouts: Readouts, metric: Metric, said: Assumptions) -> PlanRequest | None:
    """A plan of a metric by the whole site's traffic of the last 28 days, where nothing was said of it; None where the
    log holds too little. Raises InvalidPlan.
    """
    weights = said.weights or (0.5, 0.5)
    variants = tuple(
        Variant(key=f"variant-{place}", weight=weight, payload=None) for place, weight in enumerate(weights)
    )
    everyone = EVERYONE.model_copy(update={"variants": variants, "goals": (metric.name,)})
    calendar, query = Calendar(everyone.status, None, None, (), 0), ReadoutQuery()
    study = Study(
        everyone,
        readouts.archive.latest().shop,
        (StudiedMetric(metric, "goal", post_hoc=False),),
        "",
        0,
        calendar,
    )
    since = microseconds(readouts.as_of(query) - LOOKBACK)
    return readouts.observe(study, query, (), logged_request(supposed(study, said), said), site=Site(since))


def site_history(readouts: Readouts) -> SiteHistory:
    """The history of a data directory; each experiment's traffic is read once."""
    log = _SiteLog(readouts)
    return SiteHistory(log.events, log.days_to_mde, log.smallest_harm, log.matching_visitors)


class _SiteLog:
    """Plans of experiments by key, what they say of each metric, and visitors of the last 7 days: each read once."""

    def __init__(self, readouts: Readouts) -> None:
        self.readouts = readouts
        self._plans: dict[str, TrafficPlan | None] = {}
        self._events: dict[str, int | None] = {}
        self._visitors: list[Visitor] | None = None

    def events(self, metric: Metric) -> int | None:
        """0 where the site has traffic and no value of this metric; else None: how many is not asked."""
        if metric.name not in self._events:
            plan = site_plan(self.readouts, EVERYONE, metric)
            unseen = plan is not None and all(found.mean is None for found in plan.metrics)
            self._events[metric.name] = 0 if unseen else None
        return self._events[metric.name]

    def days_to_mde(self, experiment: Experiment, metric: str) -> float | None:
        found = self._metric(experiment, metric)
        return found.days_to_mde if found else None

    def smallest_harm(self, experiment: Experiment, guardrail: Guardrail) -> float | None:
        found = self._metric(experiment, guardrail.metric)
        if found is None or found.detectable_lift is None or found.mean is None:
            return None
        relative = guardrail.relative or found.effect_scale == "points"
        return found.detectable_lift * (1.0 if relative else abs(found.mean))

    def _metric(self, experiment: Experiment, name: str) -> MetricPlan | None:
        if experiment.key not in self._plans:
            self._plans[experiment.key] = site_plan(self.readouts, experiment)
        plan = self._plans[experiment.key]
        return next((metric for metric in plan.metrics if metric.metric == name), None) if plan else None

    def matching_visitors(self, experiment: Experiment) -> int | None:
        """How many meet the audience; None where nobody can say.

        That is: too few visitors, more than are looked at and none of those, an audience that asks what is told of
        addresses and user agents, which the log does not keep, or a segment that is not served yet.
        """
        if self._visitors is None:
            log, since = self.readouts.log, now_us() - MATCHED_DAYS * DAY_US
            with log.open(log.snapshot()) as engine:
                rows = engine.rows(statement("recent_attributes").bind(since=since))
            self._visitors = [(visitor, msgspec.json.decode(properties)) for visitor, properties in rows]
        visitors = self._visitors
        if len({visitor for visitor, _ in visitors}) < FEWEST:
            return None
        try:
            unlimited = experiment.model_copy(update={"holdouts": ()})  # who is held out meets the audience as well
            compiled = compile_as_designed(unlimited, self.readouts.archive.latest().segments, {})
        except (ConditionError, KeyError):
            return None
        audience = compiled.audience
        if audience is None:
            return len({visitor for visitor, _ in visitors})
        met = {visitor for visitor, attributes in visitors if audience({**attributes, "id": visitor})}
        told = {name for _, attributes in visitors for name in derived(attributes, compiled.derives)}
        return None if not met and (compiled.derives - told or len(visitors) >= MOST) else len(met)
