"""Plans an experiment from the site's own traffic: units a day, the effect it can see, days to the wanted one."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

from experiments.catalog.calendar import LONGEST_DAYS
from experiments.cube.measures import MetricRule, cube_plan
from experiments.cube.observations import MetricObservation
from experiments.definitions.model import EffectScale
from experiments.planning.assumptions import Assumptions, InvalidPlan, PlanRequest, unfit
from experiments.planning.plan import by_days, by_lift
from experiments.readout.inquiries import Opened
from experiments.readout.samples import arm_of, arms_of
from experiments.readout.study import Study
from experiments.statistics.arms import Arm
from experiments.statistics.estimate import Caveat, NoEstimate
from kit.time import DAY_SECONDS, DAY_US, SECOND_US

FEWEST_UNITS = 100
NOTHING_SAID = Assumptions()
NEXT_TO_NOTHING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """`detectable_lift` is what the plan's days can see; `days_to_mde` how long the wanted effect (mde) takes. Both are
    on the `effect_scale` of the metric: relative to control, or points.

    After those days of enrolment come `wait_days` until the last unit is mature. Units are those of the wanted effect,
    else of the detectable one, control's first. The gate opens at the close of the day `gate_opens_day` of enrolment.

    As everywhere: `metric`, `effect_scale`, `variance`, `mde`, `units_per_variant`, `wait_days`, `gate_opens_day`.
    """

    metric: str
    effect_scale: EffectScale
    mean: float | None = None
    """Here: The mean of what has been seen of the metric, in its unit."""
    variance: float | None = None
    units_seen: int
    """The units whose values the plan was made from."""
    detectable_lift: float | None = None
    """The smallest effect that the plan's days can find."""
    mde: float | None
    units: int | None = None
    """Here: Units that are needed for the wanted effect, else for the detectable one, all variants together."""
    units_per_variant: tuple[int, ...] | None = None
    days_to_mde: int | None = None
    """Days of enrolment until the wanted effect is found."""
    wait_days: int
    gate_opens_day: int | None = None
    note: str | None
    """Here: What keeps the plan from saying more, null where nothing does."""


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """`units_per_day` are those that would take part; `source` says what they were counted from.

    As everywhere: `experiment`, `alpha`, `power`, `weights`, `days`, `planned_units`.
    """

    experiment: str
    method: str
    """Here: How verdicts and the decision will be found."""
    alpha: float
    power: float
    weights: tuple[float, ...]
    source: str
    """Here: What the traffic was counted from."""
    units_per_day: float
    """Units that would take part on a day."""
    days: int
    planned_units: int
    metrics: tuple[MetricPlan, ...]
    """Here: What can be found of each metric."""


def supposed(study: Study, said: Assumptions) -> Study:
    """The study with what was said in place of its files' plan and weights; a lift is that of the first metric.

    Raises InvalidPlan.
    """
    given = {name: getattr(said, name) for name in ("method", "looks", "alpha", "power", "days")}
    plan = study.plan.model_copy(update={name: value for name, value in given.items() if value is not None})
    if said.lift is not None and study.metrics:
        first = study.metrics[0].metric
        if first.effect_scale == "points":
            right = f"write plan: {{mde: {{{first.name}: 2 points}}}} in its file"
            raise InvalidPlan(f"lift: {first.name} is shown in points and has no lift; {right}")
        plan = plan.model_copy(update={"mde": {**plan.mde, first.name: said.lift}})
    variants = study.experiment.variants
    if said.weights is not None:
        if len(said.weights) != len(variants):
            keys = ", ".join(study.arms)
            raise InvalidPlan(
                f"weights: {len(said.weights)} numbers for {len(variants)} variants, write one for {keys}"
            )
        weighed = zip(variants, said.weights, strict=True)
        variants = tuple(variant.model_copy(update={"weight": weight}) for variant, weight in weighed)
    return replace(study, experiment=study.experiment.model_copy(update={"plan": plan, "variants": variants}))


def metric_plan(study: Study, observed: MetricObservation, units_per_day: float, said: Assumptions) -> MetricPlan:
    """What the traffic can say about one metric; the variants' units are taken together. Raises InvalidPlan."""
    units = sum(arm.count for arm in observed.arms)
    return arm_plan(study, observed.rule, _together(observed), units, units_per_day, said)


def _together(observed: MetricObservation) -> Arm | NoEstimate:
    """The arms of a metric as one; of a quantile, whose arms do not add up, the largest that can be told."""
    if observed.rule.metric.type != "quantile":
        return arm_of(observed.rule, reduce(lambda left, right: left + right, observed.arms))
    arms = arms_of(observed)
    return max((arm for arm in arms if isinstance(arm, Arm)), key=lambda arm: arm.count, default=arms[0])


def arm_plan(
    study: Study, rule: MetricRule, arm: Arm | NoEstimate, units: int, units_per_day: float, said: Assumptions
) -> MetricPlan:
    """The plan of a metric whose values are those of this arm, where nothing else was said of them."""
    request = _request(study, rule, arm, units_per_day, said)
    name, mde, scale = rule.name, study.plan.mde.get(rule.name), rule.metric.effect_scale
    if request is None:
        unknown = isinstance(arm, NoEstimate) and arm.reason is Caveat.TIES
        note = "too many values are alike: ties" if unknown else "no value of this metric is in the log yet"
        waits = -(-_window_seconds(rule, said) // DAY_SECONDS)
        return MetricPlan(metric=name, effect_scale=scale, units_seen=units, mde=mde, wait_days=waits, note=note)
    whole = abs(request.baseline) if scale == "points" else 1.0  # a point is this share of it
    within = by_days(request)
    wanted = within.mde if mde is None else mde / whole
    needed = within if wanted is None else by_lift(request, wanted)
    days, gate, note = needed.days, needed.gate_opens_day, None
    if wanted is None:
        note = f"{study.plan.days} days of this traffic show no effect, however large"
    elif mde is not None and days is None:
        note = "the wanted effect cannot be reached with this traffic"
    elif mde is not None and days is not None and days > LONGEST_DAYS:
        note = f"{days} days are more than 8 weeks; a larger effect or another metric would do"
    elif gate is not None and gate > (days if mde is not None and days else study.plan.days):
        note = f"there is no verdict before day {gate}: until then too few events are expected in the smallest variant"
    return MetricPlan(
        metric=name,
        effect_scale=scale,
        mean=arm.value if said.baseline is None and isinstance(arm, Arm) else request.baseline,
        variance=request.variance,
        units_seen=units,
        detectable_lift=None if within.mde is None else within.mde * whole,
        mde=mde,
        units=needed.units,
        units_per_variant=needed.units_per_variant,
        days_to_mde=days if mde is not None else None,
        wait_days=request.wait_days,
        gate_opens_day=gate,
        note=note,
    )


def _request(
    study: Study, rule: MetricRule, arm: Arm | NoEstimate, units_per_day: float, said: Assumptions
) -> PlanRequest | None:
    """What is known of a metric, else what was said of it; None where neither has a value that a lift could be of.

    A metric in points needs none: of a value of 0 the lift is as large as the points over next to nothing.
    """
    logged, plan = arm if isinstance(arm, Arm) and arm.value != 0.0 else None, study.plan
    if isinstance(arm, Arm) and rule.metric.effect_scale == "points" and not rule.is_share:
        logged = replace(arm, value=arm.value or NEXT_TO_NOTHING) if arm.variance > 0.0 else None
    if said.type is not None and (said.type == "proportion") != rule.is_share:
        raise InvalidPlan(f"type: {said.type} is not what {rule.name} is, a {rule.metric.type}; leave type out")
    if said.sd is not None and rule.is_share:
        raise InvalidPlan(f"sd: {said.sd:g} was given, and {rule.name} has the spread of its rate; leave sd out")
    baseline = said.baseline if said.baseline is not None or logged is None else logged.value
    if baseline is None:
        return None
    spread = said.sd
    if spread is None and logged is not None and not (rule.is_share and said.baseline is not None):
        spread = math.sqrt(logged.variance)
    if spread is None and not rule.is_share:
        raise InvalidPlan(f"sd: is missing, and the log holds no value of {rule.name} to take it from; such as 42")
    request = PlanRequest(
        units_a_day=units_per_day,
        baseline=baseline,
        type="proportion" if rule.is_share else "mean",
        sd=spread,
        events=baseline if rule.is_share else _event_share(logged),
        days=plan.days,
        weights=study.weights,
        method=plan.method,
        looks=plan.looks,
        alpha=plan.alpha,
        power=plan.power,
        comparisons=study.family,
        window_seconds=_window_seconds(rule, said),
    )
    faults = list(unfit(replace(request, lift=said.lift), said))
    if faults:
        raise InvalidPlan("; ".join(faults))
    return request


def _event_share(logged: Arm | None) -> float | None:
    """Events per unit as the gate counts them, of a quantile its values on the thinner side; None where no log says."""
    if logged is None:
        return None
    found = logged.events if logged.beyond is None else logged.beyond
    return 1.0 if found is None else found / logged.count


def _window_seconds(rule: MetricRule, said: Assumptions) -> int:
    return said.window or -(-rule.window.end_us // SECOND_US)


def traffic_plan(study: Study, source: str, said: Assumptions = NOTHING_SAID) -> Callable[[Opened], TrafficPlan | None]:
    """Answers the plan from a cube, or None where it holds too few units to plan from.

    What was said of the baseline, its type, spread, lift and window is said of the first metric.
    """

    def answer(opened: Opened) -> TrafficPlan | None:
        if opened.units < FEWEST_UNITS:
            return None
        share = 1.0 if source == "exposures" else study.experiment.traffic[-1].share
        per_day = said.units_a_day or units_a_day(opened) * share
        observed = [opened.observer.observe(rule, by_day=False) for rule in opened.cube.plan.rules]
        metrics = [
            metric_plan(study, found, per_day, said if found is observed[0] else NOTHING_SAID) for found in observed
        ]
        counted = source if said.units_a_day is None else "given"
        return replace(empty_plan(study), source=counted, units_per_day=per_day, metrics=tuple(metrics))

    return answer


def logged_request(study: Study, said: Assumptions) -> Callable[[Opened], PlanRequest | None]:
    """Answers a plan of one metric, whose traffic and values are those of a cube where nothing was said of them; None
    where the cube holds too few units, or no value of it. Raises InvalidPlan.
    """

    def answer(opened: Opened) -> PlanRequest | None:
        rule, arm, units = opened.cube.plan.rules[0], NoEstimate(Caveat.NOT_ENOUGH_UNITS), said.units_a_day
        if opened.units >= FEWEST_UNITS:
            arm = _together(opened.observer.observe(rule, by_day=False))
            units = units or units_a_day(opened)
        request = _request(study, rule, arm, units, said) if units else None
        if request is None:
            return None
        read = {"units_a_day": said.units_a_day, "baseline": said.baseline}
        if not rule.is_share:
            read["sd"] = said.sd
        names = tuple(name for name, told in read.items() if told is None)
        spread = None if rule.is_share else request.sd  # a rate has the spread of its baseline, as anybody may say it
        return replace(request, sd=spread, lift=said.lift, days=said.days, from_log=names)

    return answer


def units_a_day(opened: Opened) -> float:
    """Units that came on a day, over all days between the first and the last of them."""
    days = [day for _, day, _ in opened.gained]
    return opened.units / ((max(days) - min(days)) // DAY_US + 1)


def empty_plan(study: Study, said: Assumptions = NOTHING_SAID) -> TrafficPlan:
    """What can be said with no traffic at all: of the first metric, where its traffic and baseline were said."""
    plan, metrics = study.plan, tuple[MetricPlan, ...]()
    if said.units_a_day is not None and said.baseline is not None and study.metrics:
        rule, nothing = cube_plan([study.metrics[0].metric], 0, ()).rules[0], NoEstimate(Caveat.NOT_ENOUGH_UNITS)
        metrics = (arm_plan(study, rule, nothing, 0, said.units_a_day, said),)
    return TrafficPlan(
        experiment=study.experiment.key,
        method=plan.method,
        alpha=plan.alpha,
        power=plan.power,
        weights=study.weights,
        source="none" if said.units_a_day is None else "given",
        units_per_day=said.units_a_day or 0.0,
        days=plan.days,
        planned_units=study.planned_units,
        metrics=metrics,
    )
