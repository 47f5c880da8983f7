"""The traffic that a plan is made of: units a day and the moments of each metric, from a built cube."""

from collections.abc import Callable

from experiments.opened import Opened
from experiments.planning import MetricPlan, TrafficPlan, metric_plan
from experiments.shop_days import DAY_US
from experiments.statements import statement
from experiments.study import Study

FEWEST_UNITS = 100


def traffic_plan(study: Study, source: str) -> Callable[[Opened], TrafficPlan | None]:
    """Answers the plan from a cube, or None where it holds too few units to plan from."""

    def answer(opened: Opened) -> TrafficPlan | None:
        rows = opened.cube.engine.rows(statement("days_of_units"))
        units = sum(int(n) for _, _, n in rows)
        if units < FEWEST_UNITS:
            return None
        days = [int(day) for _, day, _ in rows]
        span = (max(days) - min(days)) // DAY_US + 1
        share = 1.0 if source == "exposures" else study.experiment.traffic[-1].share
        per_day = units / span * share
        observed = [opened.observer.observe(rule, by_day=False) for rule in opened.cube.plan.rules]
        metrics = tuple(metric_plan(study, found, per_day) for found in observed)
        return _plan(study, source, per_day, metrics)

    return answer


def empty_plan(study: Study) -> TrafficPlan:
    """What can be said with no traffic at all."""
    return _plan(study, "none", 0.0, ())


def _plan(study: Study, source: str, per_day: float, metrics: tuple[MetricPlan, ...]) -> TrafficPlan:
    plan = study.plan
    return TrafficPlan(
        experiment=study.experiment.key,
        method=plan.method,
        alpha=plan.alpha,
        power=plan.power,
        source=source,
        units_per_day=per_day,
        days=plan.days,
        planned_units=study.planned_units,
        metrics=metrics,
    )
