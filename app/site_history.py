"""What the log says about planned experiments, for the warnings of `resonate check`."""

from app.recent_visitors import RecentVisitors
from app.site_traffic import site_plan
from experiments.check_warnings import SiteHistory
from experiments.definition import Experiment, Guardrail, Variant
from experiments.metric_definition import Metric
from experiments.planning import MetricPlan, TrafficPlan
from experiments.readout import Readouts

EVERYONE = Experiment(
    key="everyone",
    name="everyone",
    variants=(Variant(key="control", weight=0.5, payload=None), Variant(key="other", weight=0.5, payload=None)),
    goals=(),
)


def site_history(readouts: Readouts) -> SiteHistory:
    """The history of a data directory; each experiment's traffic is read once."""
    known = _Plans(readouts)
    return SiteHistory(
        events=known.events,
        days_to_mde=known.days_to_mde,
        smallest_harm=known.smallest_harm,
        matching_visitors=RecentVisitors(readouts).matching,
    )


class _Plans:
    """Plans of experiments by key, and what they say of each metric."""

    def __init__(self, readouts: Readouts) -> None:
        self.readouts = readouts
        self._plans: dict[str, TrafficPlan | None] = {}
        self._events: dict[str, int | None] = {}

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
        return found.detectable_lift * (1.0 if guardrail.relative else abs(found.mean))

    def _metric(self, experiment: Experiment, name: str) -> MetricPlan | None:
        if experiment.key not in self._plans:
            self._plans[experiment.key] = site_plan(self.readouts, experiment)
        plan = self._plans[experiment.key]
        return next((metric for metric in plan.metrics if metric.metric == name), None) if plan else None
