"""What the log says about planned experiments, for the warnings of `resonate check`: traffic and audiences met."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.processes.design_freeze import site_plan
from experiments.assignment.compilation import compile_as_designed
from experiments.catalog.check import MATCHED_DAYS, SiteHistory
from experiments.cube.statements import statement
from experiments.definitions.model import Experiment, Guardrail, Variant
from experiments.definitions.shop import Metric
from experiments.readout.planning import MetricPlan, TrafficPlan
from experiments.readout.read import Readouts
from experiments.targeting.attributes import derived
from experiments.targeting.predicates import ConditionError
from kit.time import DAY_US, now_us

FEWEST: Final = 100  # fewer visitors say nothing about an audience
MOST: Final = 20_000  # exposures looked at, as the statement says

Visitor = tuple[str, Mapping[str, Any]]  # id and attributes


EVERYONE = Experiment(
    key="everyone",
    name="everyone",
    variants=(Variant(key="control", weight=0.5, payload=None), Variant(key="other", weight=0.5, payload=None)),
    goals=(),
)


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
