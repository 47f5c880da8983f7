"""What a plan may be told: its parameters as texts, read by one table for the command line and for HTTP alike."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from experiments.definitions.grammar import Kind, checked, one_of, scalar, words
from experiments.definitions.model import Method, Plan
from experiments.definitions.quantities import DAYS, FINEST_SHARE, SECONDS, TOO_FINE, whole, words_of
from kit.located import Located, Location, Problems, Wrong
from kit.time import DAY_SECONDS

PlannedType: TypeAlias = Literal["proportion", "mean"]
PlannedMethod: TypeAlias = Literal["fixed", "planned", "anytime"]

NUMBER: Final = r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE][+-]?[0-9]{1,2})?"
MOST_UNITS_A_DAY: Final = 1e9
MOST_VARIANTS: Final = 100
FINEST: Final = float(FINEST_SHARE) / 100.0
LEAST_ALPHA: Final = 1e-6
DEFAULTS: Final = Plan()
WINDOW_SECONDS: Final = 7 * DAY_SECONDS  # as of a metric that says none
WEIGHTS: Final = "write a number above 0 for each variant, control first, such as 90,10"


class InvalidPlan(ValueError):
    """What a plan was told is wrong: each parameter with its value and what would be right."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What was said of a plan, each parameter checked by itself; None was not said.

    Rates and lifts are fractions, weights add up to 1 with control's first.
    """

    units_a_day: float | None = None
    baseline: float | None = None
    lift: float | None = None
    type: PlannedType | None = None
    sd: float | None = None
    days: int | None = None
    weights: tuple[float, ...] | None = None
    method: PlannedMethod | None = None
    looks: int | None = None
    alpha: float | None = None
    power: float | None = None
    window: int | None = None

    @property
    def said(self) -> bool:
        """Whether anything was."""
        return self != Assumptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A plan that can be computed: `baseline` is the metric's value, `sd` its spread (None: that of a rate).

    With neither `lift` nor `days` the answer is a table. `comparisons` share alpha; `events` is the share of units with
    an event, for the gate, None where nobody knows; `from_log` names what the shop's log was asked for.
    """

    units_a_day: float
    baseline: float
    type: PlannedType = "proportion"
    sd: float | None = None
    events: float | None = None
    lift: float | None = None
    days: int | None = None
    weights: tuple[float, ...] = (0.5, 0.5)
    method: Method = DEFAULTS.method
    looks: int = DEFAULTS.looks
    alpha: float = DEFAULTS.alpha
    power: float = DEFAULTS.power
    comparisons: int = 1
    window_seconds: int = WINDOW_SECONDS
    from_log: tuple[str, ...] = ()

    @property
    def variance(self) -> float:
        return self.baseline * (1.0 - self.baseline) if self.sd is None else self.sd**2

    @property
    def wait_days(self) -> int:
        """Whole days from a unit's exposure until it is mature."""
        return -(-self.window_seconds // DAY_SECONDS)


def assumptions(given: Mapping[str, str | None]) -> Assumptions:
    """Texts by parameter, each read by its kind; None and an empty text were not said. Raises InvalidPlan."""
    problems = Problems("")
    read = {
        name: KINDS[name].read(Location(Located(text, 0, text), problems, name=name))
        for name, text in ((name, (text or "").strip()) for name, text in given.items())
        if text
    }
    if problems.found:
        raise InvalidPlan("; ".join(f"{fault.path}: {fault.message}" for fault in problems.found))
    return Assumptions(**read)


def plan_request(said: Assumptions) -> PlanRequest:
    """A plan of nothing but what was said, else as of an experiment that says nothing. Raises InvalidPlan."""
    missing = [f"{name}: is missing, {NEEDED[name]}" for name in NEEDED if getattr(said, name) is None]
    if said.units_a_day is None or said.baseline is None:
        raise InvalidPlan("; ".join(missing))
    weights = said.weights or (0.5, 0.5)
    request = PlanRequest(
        units_a_day=said.units_a_day,
        baseline=said.baseline,
        type=said.type or "proportion",
        sd=said.sd,
        events=said.baseline if said.type != "mean" else None,
        lift=said.lift,
        days=said.days,
        weights=weights,
        method=said.method or DEFAULTS.method,
        looks=said.looks or min(DEFAULTS.looks, said.days or DEFAULTS.looks),
        alpha=said.alpha or DEFAULTS.alpha,
        power=said.power or DEFAULTS.power,
        comparisons=len(weights) - 1,
        window_seconds=said.window or WINDOW_SECONDS,
    )
    faults = [*_unfit_spread(request), *unfit(request, said)]
    if said.power is not None and said.lift is not None and said.days is not None:
        faults.append(f"power: {said.power:g} is asked for, and lift and days decide it; leave one of the three out")
    if faults:
        raise InvalidPlan("; ".join(faults))
    return request


def unfit(request: PlanRequest, said: Assumptions) -> Iterator[str]:
    """What was said of a plan and does not fit into it: parameter, value, and what would be right."""
    baseline, lift = request.baseline, said.lift
    is_rate, told = request.type == "proportion", words_of(baseline * 100.0)
    if said.baseline is not None and not is_rate and baseline == 0.0:
        yield "baseline: 0 is no baseline, a lift is relative to it; write the mean of today, such as 42.5"
    if said.baseline is not None and is_rate and not 0.0 < baseline < 1.0:
        yield f"baseline: {told} is no rate, it must lie above 0 % and below 100 %; write 3% or 0.03, or type=mean"
    elif is_rate and lift is not None and baseline * (1.0 + lift) > 1.0:
        most = words_of((1.0 / baseline - 1.0) * 100.0)
        yield f"lift: {words_of(lift * 100.0)} on a baseline of {told} is more than everyone, at most {most} is"
    if said.looks is not None and request.method != "planned":
        yield f"looks: {said.looks} looks are of method=planned, {request.method} has none; leave looks out"
    elif said.looks is not None and request.days is not None and said.looks > request.days:
        yield f"looks: {said.looks} looks need as many days, the plan has {request.days}"


def _unfit_spread(request: PlanRequest) -> Iterator[str]:
    if request.type == "mean" and request.sd is None:
        yield "sd: is missing, a mean needs the standard deviation of a unit's value, such as 42"
    if request.type == "proportion" and request.sd is not None:
        yield f"sd: {request.sd:g} is of type=mean; a rate has the spread of its baseline, leave sd out"


def _number(node: Located) -> float:
    if not re.fullmatch(NUMBER, node.text):
        raise Wrong(f"{node.described} is no number, write 1000 or 42.5")
    return float(node.text)


def _fraction(node: Located) -> float:
    """`3%` and `0.03` alike."""
    number = node.text.removesuffix("%").rstrip()
    if not re.fullmatch(NUMBER, number):
        raise Wrong(f"{node.described} is no percentage, write 3% or 0.03")
    return float(Decimal(number) / 100 if node.text.endswith("%") else Decimal(number))


def _lift(node: Located) -> float:
    value = _fraction(node)
    if value >= 1.0 and not node.text.endswith("%"):
        raise Wrong(f"{node.described} would be {words_of(value * 100.0)}, write it with its sign, as in 5%")
    if not 0.0 < value <= 10.0:
        hint = "write the size of a fall without its minus" if value < 0.0 else "such as 5% or 0.05"
        raise Wrong(f"{node.described} must lie above 0 % and not above 1000 %, {hint}")
    return value


def _weights(node: Located) -> tuple[float, ...]:
    parts = [part.strip().removesuffix("%") for part in node.text.split(",")]
    if not all(re.fullmatch(NUMBER, part) for part in parts):
        raise Wrong(f"{node.described} are no weights, {WEIGHTS}")
    weights = [float(part) for part in parts]
    if not 2 <= len(weights) <= MOST_VARIANTS:
        raise Wrong(f"{node.described} holds {len(weights)}, 2 to {MOST_VARIANTS} are needed; {WEIGHTS}")
    lowest, total = min(weights), math.fsum(weights)
    if lowest <= 0.0:
        raise Wrong(f"{node.described} holds {lowest:g}, a variant of that weight gets nobody; {WEIGHTS}")
    if lowest < total * FINEST:
        raise Wrong(f"{node.described} holds a share {TOO_FINE}; {WEIGHTS}")
    return tuple(weight / total for weight in weights)


_SHARE: Final = words(rf"{NUMBER} ?%?")
KINDS: Final[Mapping[str, Kind[Any]]] = {
    "units_a_day": checked(
        _number,
        lambda units: 0.0 < units <= MOST_UNITS_A_DAY,
        "must lie above 0 and not above 1000000000, such as 1000",
        words(NUMBER),
    ),
    "baseline": scalar(_fraction, _SHARE),
    "lift": scalar(_lift, _SHARE),
    "type": one_of(PlannedType),
    "sd": checked(_number, lambda spread: 0.0 < spread <= 1e12, "must lie above 0, such as 42", words(NUMBER)),
    "days": DAYS,
    "weights": scalar(_weights, words(rf"{NUMBER}%?(?: ?, ?{NUMBER}%?)+")),
    "method": one_of(PlannedMethod),
    "looks": whole(1, 100),
    "alpha": checked(
        _fraction,
        lambda alpha: LEAST_ALPHA <= alpha < 0.5,
        "must be at least 0.000001 and below 0.5, such as 0.05 or 5%",
        _SHARE,
    ),
    "power": checked(
        _fraction, lambda power: 0.5 <= power < 1.0, "must be at least 0.5 and below 1, such as 0.8 or 80%", _SHARE
    ),
    "window": SECONDS,
}
NEEDED: Final[Mapping[str, str]] = {
    "units_a_day": "write how many units arrive each day, such as 1000",
    "baseline": "write the rate of today, such as 3%, or with type=mean the mean",
}
PARAMETERS: Final = tuple(field.name for field in fields(Assumptions))
