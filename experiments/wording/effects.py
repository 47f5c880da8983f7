"""One variant against control in words: both values, which way and how far, how sure, and by when more is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from experiments.answers.comparison import ComparedArm, ComparisonReadout
from experiments.answers.readout import MetricReadout
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.wording.codes import CLAUSES
from experiments.wording.figures import (
    counted,
    day_text,
    difference_text,
    figure_text,
    lift_text,
    told_apart,
)

NO_DIFFERENT: Final = "no different yet"
_BEFORE: Final = frozenset({Caveat.BEFORE_FIRST_LOOK.value, Caveat.WAITING_FOR_WINDOWS.value})
_EARLY: Final = (Caveat.FEW_EVENTS, Caveat.FEW_NON_EVENTS, Caveat.NOT_ENOUGH_UNITS, Caveat.NO_DENOMINATOR)
_LATER: Final = (  # what a reader must know of a comparison that has numbers, the gravest first
    "no_longer_supported",
    Caveat.RESPONSE_RATES_DIFFER.value,
    Caveat.RESPONSE_COULD_EXPLAIN.value,
)


@dataclass(frozen=True, slots=True)
class ToldEffect:
    """What was found of one metric for one variant, and how many letters a name may have."""

    metric: MetricReadout
    judged: ComparisonReadout
    width: int = 60
    sure: bool = True  # whether it is said how sure that is

    @property
    def told(self) -> str:
        """`with threshold the purchase rate is 9.3 % against 8.9 %, 4.6 % higher; that may still be chance (…)`."""
        judged = self.judged
        if not judged.gate.open:
            return f"{self.lead} cannot be judged{self.too_early}"
        values = self.values
        if values is None:
            return f"{self.lead} cannot be said: {self._why(*(arm.value for arm in judged.arms))}"
        before = _BEFORE.intersection(judged.reasons)
        if before and judged.verdict == "unclear":
            return f"{self.lead} is {values} so far{self._adjusted}, {NO_DIFFERENT}: {self._when(before)}"
        effect = self.effect
        if effect is None:
            return f"{self.lead} is {values}; how far they differ cannot be said: {self._why(judged.difference)}"
        return f"{self.lead} is {values}{self._adjusted}, {self.direction(effect)}{self._judgement(effect)}"

    @property
    def lead(self) -> str:
        """`with threshold the purchase rate`."""
        return f"with {clipped(self.judged.variant, self.width)} the {self.title}"

    @property
    def title(self) -> str:
        return clipped(self.metric.title, self.width)

    @property
    def in_points(self) -> bool:
        """Whether the effect is a difference in the metric's own unit: as it is shown, or where no lift can be said."""
        judged = self.judged
        if self.metric.effect_scale == "points" or not isinstance(judged.lift, float):
            return True
        return isinstance(judged.ci, NoEstimate) and isinstance(judged.difference_ci, Interval)

    @property
    def effect(self) -> float | None:
        """The lift, or the difference where there is none."""
        found = self.judged.difference if self.in_points else self.judged.lift
        return found if isinstance(found, float) else None

    @property
    def interval(self) -> Interval | None:
        """How far the effect may lie, by the method that decides."""
        found = self.judged.difference_ci if self.in_points else self.judged.ci
        return found if isinstance(found, Interval) else None

    @property
    def values(self) -> str | None:
        """Both values; None where one is not there."""
        shown = [_shown(arm) for arm in self.judged.arms]
        if None in shown:
            return None
        control, treatment = told_apart(shown, self.metric.quantity, self.metric.currency or "")
        return f"{treatment} against {control}"

    @property
    def _adjusted(self) -> str:
        return ", adjusted for what was before" if self.judged.arms[1].adjusted is not None else ""

    @property
    def events(self) -> int | None:
        """How many events the gate has counted in both arms; None where it counts something else."""
        control, treatment = (arm.units for arm in self.judged.arms)
        counts = self.judged.gate.reason in (Caveat.FEW_EVENTS, Caveat.FEW_NON_EVENTS)
        if not counts or not min(control, treatment) or self.metric.type in ("quantile", "nps", "csat", "ces"):
            return None
        return round(self.judged.gate.expected * (control + treatment) / min(control, treatment))

    @property
    def too_early(self) -> str:
        """`, too early: 10 orders so far; about 140 more visitors in control are needed`, or what else there is."""
        gate, events = self.judged.gate, self.events
        if gate.reason not in _EARLY:
            return f": {CLAUSES[str(gate.reason)]}"
        if events is None:
            told = CLAUSES[str(gate.reason)]
        elif gate.reason is Caveat.FEW_NON_EVENTS:
            told = f"{counted(events, self.metric.unit)} without {self.metric.noun} so far"
        else:
            noun = self.metric.noun
            told = f"{counted(events, noun.removesuffix('s'), noun)} so far"
        smaller = min(self.judged.arms, key=lambda arm: arm.units).variant
        if not gate.more_units:
            return f", too early: {told}"
        more = counted(gate.more_units, f"more {self.metric.unit}")
        verb = "is" if gate.more_units == 1 else "are"
        return f", too early: {told}; about {more} in {clipped(smaller, self.width)} {verb} needed"

    def size(self, effect: float) -> str:
        """How large an effect is, whichever way."""
        if self.in_points:
            return difference_text(effect, self.metric.quantity, self.metric.currency or "")
        return lift_text(effect)

    def direction(self, effect: float) -> str:
        """`4.6 % higher`, `6 points lower` or `no different yet`."""
        if effect == 0.0:
            return NO_DIFFERENT
        return f"{self.size(effect)} {'higher' if effect > 0.0 else 'lower'}"

    @property
    def plausible(self) -> str:
        """`2.1 % lower to 11.3 % higher`; empty where no interval can be given."""
        interval = self.interval
        if interval is None:
            return ""
        low, high = interval.low, interval.high
        if low < 0.0 < high:
            return f"{self.direction(low)} to {self.direction(high)}"
        near, far = sorted((low, high), key=abs)
        return f"{self.size(near)} to {self.direction(far)}"

    @property
    def allowed(self) -> str:
        """The harm that a guardrail bears, or the margin of a goal."""
        limit = self.metric.guardrail
        if limit is None:
            return self.size(self.metric.margin or 0.0).replace(".0 %", " %")
        if limit.relative:
            return lift_text(limit.max_harm).replace(".0 %", " %")
        return difference_text(limit.max_harm, self.metric.quantity, self.metric.currency or "")

    def _judgement(self, effect: float) -> str:
        judged, plausible = self.judged, self.plausible
        range_ = f" (plausible: {plausible})" if plausible and self.sure else ""
        for code in _LATER:
            if code in judged.reasons and judged.verdict == "unclear":
                return f"; {self._later(code)}{range_}"
        good = "better" if (effect > 0.0) == (self.metric.want == "up") else "worse"
        limited = self.metric.margin is not None or self.metric.guardrail is not None
        match judged.verdict:
            case "wins" if limited:
                return f"; worse by more than {self.allowed} is ruled out{range_}"
            case "safe":
                return f"; harm of more than {self.allowed} is ruled out{range_}"
            case "loses" if limited:
                return f": worse, and by more than the {self.allowed} that are allowed{range_}"
            case "wins" | "loses" | "violated":
                return f": {good}{range_}"
            case "unclear" if limited:
                return f"; worse by more than {self.allowed} is not ruled out yet{range_}"
            case _:
                return self._maybe_chance(plausible)

    def _maybe_chance(self, plausible: str) -> str:
        interval = self.interval
        if not plausible or not self.sure:
            return "; that may still be chance"
        if interval is not None and (interval.low > 0.0 or interval.high < 0.0):
            return f"; with all that is compared that may still be chance (plausible alone: {plausible})"
        return f"; that may still be chance (plausible: {plausible})"

    def _later(self, code: str) -> str:
        judged = self.judged
        if code == "no_longer_supported" and judged.decided_on is not None:
            return f"what it said on {day_text(judged.decided_on)} it no longer says, that may be chance"
        return f"that may still be chance: {CLAUSES[code]}"

    def _when(self, before: frozenset[str]) -> str:
        look = self.judged.next_look
        if look is not None:
            waits = "once its windows have closed, " if Caveat.WAITING_FOR_WINDOWS.value in before else ""
            return f"it is judged {waits}at the close of {day_text(look)}"
        return "its first day has not closed yet"

    def _why(self, *values: object) -> str:
        reasons = [value.reason for value in values if isinstance(value, NoEstimate)]
        return CLAUSES[str(reasons[0])] if reasons else "the numbers are too large or too small"


def clipped(name: str, width: int) -> str:
    """A name on one line of at most so many letters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def sentence_case(text: str) -> str:
    """Text as a whole sentence: with a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def smallest_effect(found: Sequence[ToldEffect]) -> str | None:
    """The smallest effect that a test could have found, by the first that says one."""
    for each in found:
        size = each.judged.smallest_effect
        if isinstance(size, float) and each.judged.gate.open:
            scale = each.metric.effect_scale
            one = ToldEffect(each.metric, each.judged)
            return one.size(size) if scale == "points" or not one.in_points else figure_text(size)
    return None


def _shown(arm: ComparedArm) -> float | None:
    value = arm.value if arm.adjusted is None else arm.adjusted
    return value if isinstance(value, float) else None
