"""What a test needs before it has any traffic: units for a lift, the smallest lift of some days, or a table of both."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias, TypedDict

from experiments.definitions.model import Method
from experiments.planning.assumptions import PlannedType, PlanRequest
from experiments.statistics.power import (
    Design,
    detectable_lift,
    duration_days,
    gate_opens_day,
    inflation,
    power,
    required_units,
    whole_units,
)

TABLE_DAYS: Final = (7, 14, 28, 56)
MOST: Final = 1e15  # units or days: beyond it JSON numbers are not exact
PlanCaveat: TypeAlias = Literal["not_enough_units", "out_of_range", "gate_opens_later", "events_unknown"]
"""What a plan lacks.
`gate_opens_later`: Too few events are expected in these days for anything to be judged.
`events_unknown`: How often it happens is not known, so that nobody can say when it may be judged.
`not_enough_units`: Here: Too few units for a test.
`out_of_range`: Here: More units or days would be needed than can be counted.
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One row of a plan. `units` and their share per variant (control first) are those enrolled in `days`.

    After the days come `wait_days` until the last unit is mature. `mde` is the lift that is found with `power`, the
    power that is reached. The gate opens at the close of the day `gate_opens_day` of enrolment. What is None has its
    reason among `reasons`.

    As everywhere: `alpha`, `method`, `looks`, `type`, `sd`.
    """

    units: int | None
    """Here: Units that are enrolled in these days, all variants together."""
    units_per_variant: tuple[int, ...] | None
    """The units of each variant, control first."""
    days: int | None
    """Here: Days of enrolment."""
    wait_days: int
    """Days after enrolment until the last unit's window has closed."""
    mde: float | None
    """Here: The lift that is found with this power."""
    power: float | None
    """Here: The chance that a lift of this size is found, as it is reached."""
    alpha: float
    alpha_per_comparison: float
    """The part of alpha that each comparison gets."""
    method: Method
    looks: int | None
    weights: tuple[float, ...]
    """The shares of the variants, control first."""
    gate_opens_day: int | None
    """The day of enrolment at whose close enough will have happened for anything to be judged."""
    units_a_day: float
    """Here: Units that are enrolled on a day."""
    type: PlannedType
    baseline: float
    """The value of today, that effects are measured against."""
    sd: float | None
    reasons: tuple[PlanCaveat, ...]
    """Here: Why something of the plan cannot be said, as codes."""
    from_log: tuple[str, ...]
    """What nobody said and the shop's own log was asked for, by the names of the parameters."""


class PlanTable(TypedDict):
    """A plan for each of several spans."""

    table: Sequence[Outlook]
    """A row for each of several spans of days."""


def plan_json(request: PlanRequest) -> dict[str, Any]:
    """The plan as a JSON object; with neither lift nor days, `table` has a row for each of several spans."""
    if request.lift is None and request.days is None:
        return {"table": [asdict(by_days(replace(request, days=days))) for days in TABLE_DAYS]}
    return asdict(
        by_lift(request, request.lift) if request.lift is not None and request.days is None else by_days(request)
    )


def by_lift(request: PlanRequest, lift: float) -> Outlook:
    """The units, and so the days, that find a lift with the power that is asked for."""
    design, shown = design_of(request), request.weights[0] > 0.0
    control = required_units(request.baseline, request.variance, lift, design) if shown else None
    units = None if control is None else whole_units(control, request.weights)
    days = None if units is None else duration_days(sum(units), request.units_a_day)
    if units is None or days is None or max(sum(units), days) > MOST:
        return _outlook(request, None, None, lift, None)
    return _outlook(request, units, days, lift, _reached(request, design, units[0], lift))


def by_days(request: PlanRequest) -> Outlook:
    """The smallest lift that the request's days find, or with a lift the power with which they find it."""
    assert request.days is not None
    design = design_of(request)
    total = math.floor(request.units_a_day * request.days * (1.0 + 1e-12))
    control, lift = total * request.weights[0], request.lift
    if lift is None:
        lift = detectable_lift(request.baseline, request.variance, control, design)
    rises = request.type == "mean" or lift is None or request.baseline * (1.0 + lift) <= 1.0
    if lift is None or not rises:
        return _outlook(request, split(total, request.weights), request.days, None, None)
    enough = min(control, control * design.ratio) >= 2.0
    reached = _reached(request, design, control, lift) if enough else None
    return _outlook(request, split(total, request.weights), request.days, lift, reached)


def design_of(request: PlanRequest) -> Design:
    """The design of control against the smallest of the others, the comparison that takes longest."""
    control, *others = request.weights
    smallest = min((weight for weight in others if weight > 0.0), default=control)
    alpha = request.alpha / request.comparisons
    price = inflation(request.method, alpha, request.power, request.looks)
    return Design(alpha, request.power, smallest / control if control else 1.0, price)


def split(units: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Whole units by weight that add up to all of them: the largest remainders get what is left over."""
    parts = [math.floor(units * weight) for weight in weights]
    order = sorted(range(len(parts)), key=lambda arm: parts[arm] - units * weights[arm])
    for arm in order[: units - sum(parts)]:
        parts[arm] += 1
    return tuple(parts)


def _reached(request: PlanRequest, design: Design, control_units: float, lift: float) -> float:
    if request.variance <= 0.0:
        return 1.0
    effect_size = lift * abs(request.baseline) / math.sqrt(request.variance)
    return power(effect_size, control_units / design.inflation, design)


def _outlook(
    request: PlanRequest, units: tuple[int, ...] | None, days: int | None, lift: float | None, reached: float | None
) -> Outlook:
    opens = None
    if request.events is not None:
        opens = gate_opens_day(request.units_a_day, request.weights, request.events, rate=request.type == "proportion")
    opens = None if opens is None or opens > MOST else opens
    reasons: list[PlanCaveat] = []
    if units is None:
        reasons.append("out_of_range")
    elif reached is None:
        reasons.append("not_enough_units")
    if request.events is None:
        reasons.append("events_unknown")
    elif days is not None and (opens is None or opens > days):
        reasons.append("gate_opens_later")
    return Outlook(
        units=None if units is None else sum(units),
        units_per_variant=units,
        days=days,
        wait_days=request.wait_days,
        mde=lift,
        power=reached,
        alpha=request.alpha,
        alpha_per_comparison=request.alpha / request.comparisons,
        method=request.method,
        looks=request.looks if request.method == "planned" else None,
        weights=request.weights,
        gate_opens_day=opens,
        units_a_day=request.units_a_day,
        type=request.type,
        baseline=request.baseline,
        sd=request.sd,
        reasons=tuple(reasons),
        from_log=request.from_log,
    )
