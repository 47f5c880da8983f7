"""Plans an experiment from the site's own traffic: units a day, the effect it can see, days to the wanted one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

from experiments.catalog.check import LONGEST_DAYS
from experiments.cube.observations import MetricObservation
from experiments.cube.statements import statement
from experiments.readout.inference import arm_of, arms_of
from experiments.readout.study import Opened, Study
from experiments.statistics.arms import Arm
from experiments.statistics.estimate import Caveat
from experiments.statistics.power import Design, detectable_lift, duration_days, inflation, required_units
from kit.time import DAY_US


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """`detectable_lift` is what the plan's days can see; `days_to_mde` how long the wanted effect (mde) takes."""

    metric: str
    mean: float | None
    variance: float | None
    units_seen: int
    detectable_lift: float | None
    mde: float | None
    units_per_variant: int | None
    days_to_mde: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """`units_per_day` are those that would take part, by the log; `source` says what they were counted from."""

    experiment: str
    method: str
    alpha: float
    power: float
    source: str
    units_per_day: float
    days: int
    planned_units: int
    metrics: tuple[MetricPlan, ...]


def metric_plan(study: Study, observed: MetricObservation, units_per_day: float) -> MetricPlan:
    """What the traffic can say about one metric; the variants' units are taken together."""
    name, units = observed.rule.name, sum(arm.count for arm in observed.arms)
    if observed.rule.metric.type == "quantile":  # whose arms do not add up: the largest that can be told
        arms = arms_of(observed)
        arm = max((arm for arm in arms if isinstance(arm, Arm)), key=lambda arm: arm.count, default=arms[0])
    else:
        arm = arm_of(observed.rule, reduce(lambda left, right: left + right, observed.arms))
    mde = study.plan.mde.get(name)
    if not isinstance(arm, Arm) or arm.value == 0.0:
        unknown = not isinstance(arm, Arm) and arm.reason is Caveat.TIES
        note = "too many values are alike: ties" if unknown else "no value of this metric is in the log yet"
        return MetricPlan(name, None, None, units, None, mde, None, None, note)
    design, control_share = design_of(study)
    control_units = units_per_day * study.plan.days * control_share
    detectable = detectable_lift(arm.value, arm.variance, control_units, design)
    wanted = detectable if mde is None else mde
    needed = required_units(arm.value, arm.variance, wanted, design) if wanted else None
    pair_share = control_share * (1.0 + design.ratio)
    days = None if needed is None else duration_days(needed, units_per_day * pair_share, design)
    note = None
    if days is None:
        note = "the wanted effect cannot be reached with this traffic"
    elif days > LONGEST_DAYS:
        note = f"{days} days are more than 8 weeks; a larger effect or another metric would do"
    return MetricPlan(
        metric=name,
        mean=arm.value,
        variance=arm.variance,
        units_seen=units,
        detectable_lift=detectable,
        mde=mde,
        units_per_variant=None if needed is None else round(needed),
        days_to_mde=days if mde is not None else None,
        note=note if mde is not None else None,
    )


def design_of(study: Study) -> tuple[Design, float]:
    """The design of the smallest comparison, and control's share of all units; alpha is shared among the family."""
    plan = study.plan
    control, *others = study.weights
    smallest = min((weight for weight in others if weight > 0.0), default=control)
    alpha = plan.alpha / study.family
    price = inflation(plan.method, alpha, plan.power, plan.looks)
    return Design(alpha, plan.power, smallest / control if control else 1.0, price), control


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
        return replace(empty_plan(study), source=source, units_per_day=per_day, metrics=metrics)

    return answer


def empty_plan(study: Study) -> TrafficPlan:
    """What can be said with no traffic at all."""
    plan = study.plan
    return TrafficPlan(
        experiment=study.experiment.key,
        method=plan.method,
        alpha=plan.alpha,
        power=plan.power,
        source="none",
        units_per_day=0.0,
        days=plan.days,
        planned_units=study.planned_units,
        metrics=(),
    )
