"""One variant against control as an answer: what was compared, what each method says of it, and the verdict."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from experiments.statistics.arms import Gate, Pair
from experiments.statistics.bayesian import Posterior
from experiments.statistics.comparison import (
    Answer,
    Method,
    PlannedAnswer,
    Question,
    answer_at,
    answer_of,
    compare,
    judged_pair,
    simultaneous_interval,
)
from experiments.statistics.estimate import Interval, NoEstimate
from experiments.statistics.fixed import PooledZ, RelativeDelta

Verdict = Literal["wins", "loses", "unclear", "violated", "safe"]
"""What the plan's method says of one variant on one metric.
`wins`: Better than control, by the plan's method and after all corrections: the goal argues for this variant.
`loses`: Worse than control, by the plan's method and after all corrections: the goal argues against this variant.
`unclear`: Neither better nor worse can be said yet: what is seen may still be chance.
`violated`: A guardrail is harmed, and the harm is no chance: take the variant back.
`safe`: Harm beyond the guardrail's limit is ruled out.
"""
_UNSERVED: Final = {"served": False}


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """One side of a comparison at its moment. `adjusted` is the value after CUPED, from which lift and difference are
    computed where it stands; else they are computed from `value`, which is numerator / denominator. `variance` is that
    of the value, per unit.

    As everywhere: `variant`, `units`, `numerator`, `denominator`, `value`, `variance`.
    """

    variant: str
    units: int
    numerator: float | None
    denominator: float | None
    value: float | NoEstimate
    variance: float | NoEstimate
    adjusted: float | None
    """The value after CUPED has taken off what visitors differed in beforehand; lift and difference are computed
    from it where it stands. In the metric's unit."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Control and treatment as they stood at the close of a shop day (None: as they stand now), and what is asked."""

    day: int | None
    question: Question
    pair: Pair | NoEstimate
    adjusted: Pair | NoEstimate | None
    arms: tuple[ComparedArm, ComparedArm]

    @property
    def judged(self) -> Pair | NoEstimate:
        """The pair that is judged: after CUPED where that is used."""
        return self.pair if isinstance(self.pair, NoEstimate) else judged_pair(self.pair, self.adjusted)

    def says(self, method: Method) -> "Ruling":
        """The answer of a method."""
        if method == "bayesian":
            said = compare(self.pair, self.question, self.adjusted)
            return Ruling(self, answer_of(said, method), said.bayesian)
        answer = answer_at(self.pair, self.question, method, self.question.alpha, self.adjusted)
        return Ruling(self, answer, None)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a method says of a sample; `chances` are those of the Bayesian one."""

    sample: Sample
    answer: Answer
    chances: Posterior | NoEstimate | None

    def shared(self, method: Method) -> Interval | NoEstimate:
        """The interval at alpha / family, by the method that said this."""
        asked = self.sample
        return simultaneous_interval(asked.pair, asked.question, method, asked.adjusted)


@dataclass(frozen=True, slots=True)
class AnytimeAnswer(Answer):
    """`p_min` is the smallest p over the closed days until the moment of the comparison; it is shown and decides
    nothing."""

    p_min: float | NoEstimate
    """The smallest p of the anytime test over the days that have closed; it is shown and decides nothing."""


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method side by side; only the plan's decides. `unadjusted` is the fixed one without CUPED."""

    fixed: Answer
    """The classical test (Welch, or Fisher where conversions are few), right at one look that was planned, too sure
    at many."""
    z_pooled: PooledZ | NoEstimate
    """The two-proportion z-test that other tools show, for comparison; it never decides."""
    delta: RelativeDelta | NoEstimate
    """The test of the lift by the delta method, as other tools have it, for comparison; it never decides."""
    anytime: AnytimeAnswer
    """The test that may be read on any day without being fooled by the looking; the default."""
    planned: PlannedAnswer | NoEstimate
    """The group-sequential test, which is read at a few looks that were planned."""
    bayesian: Posterior | NoEstimate
    """The chance to be the better one, and what a wrong choice is expected to cost; nothing of it allows for early
    looks."""
    unadjusted: Answer | None
    """The classical test without CUPED, null where CUPED was not used."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What the method said on the first day on which the verdict stood.

    As everywhere: `p`, `lift`, `ci`, `arms`.
    """

    p: float | NoEstimate
    lift: float | NoEstimate
    ci: Interval | NoEstimate
    arms: tuple[ComparedArm, ComparedArm]


@dataclass(frozen=True, slots=True)
class ComparisonReadout:
    """One variant against control: the deciding method's numbers, and every method's beside them, all of one moment.

    `sentence` says it to people. `as_of_day` is the shop day at whose close the numbers hold, None before the first.
    `p_adjusted`, `verdict` and `decided` stand once the family is known. `next_look` is the day at whose close a
    planned or fixed test is read next. `worst_case` is the bound of a guardrail's harm. `smallest_effect` is what this
    test could have found with the plan's power, on the metric's effect scale. Of a level of a dimension `p_bh` is p
    corrected over all levels of the answer, and `flagged` says that it is small. `rulings` are what the method said of
    every moment at which it may decide, ascending; `daily` the anytime answers of every day, `cohorts` those of the
    units exposed on a day. `blocked` says why a win may not be shipped.

    As everywhere: `variant`, `sentence`, `arms`.
    """

    variant: str
    against: str
    """The variant that this one is compared with: control."""
    sentence: str = field(default="", kw_only=True)
    as_of_day: date | None
    """The shop day at whose close these numbers hold, null before the first."""
    arms: tuple[ComparedArm, ComparedArm]
    lift: float | NoEstimate
    """By which share of control's value the variant is higher (0.05 is 5 %) or, below 0, lower; null where there is
    none, and `reasons` says why."""
    ci: Interval | NoEstimate
    """The interval of the lift: values that the data allow at the plan's level, as a pair of shares of control."""
    difference: float | NoEstimate
    """The variant's value less control's, in the metric's unit."""
    difference_ci: Interval | NoEstimate
    """The interval of the difference, as a pair in the metric's unit."""
    p: float | NoEstimate
    """How often chance alone would show at least this much, if the variant changed nothing; small argues against
    chance."""
    p_adjusted: float | NoEstimate | None
    """p corrected for all goals and variants that are judged together; this one is compared with alpha."""
    ci_simultaneous: Interval | NoEstimate
    """The interval that holds for all goals and variants at once; it is wider than that of one alone."""
    method: Method
    """How verdicts and the decision are found."""
    cuped: bool
    """Whether CUPED used what visitors did before, so that less chance is left in the numbers."""
    gate: Gate
    """Whether enough has happened for anything to be judged at all."""
    variance_floor: float
    """By which factor squared errors are raised before they decide, because a small arm in which nothing rare
    happened yet looks too certain; 1 changes nothing."""
    verdict: Verdict
    """What the plan's method says of this variant on this metric."""
    decided_on: date | None
    """The shop day on which the verdict was first reached, null without one."""
    decided: Decided | None
    """What the method said on the day on which the verdict was first reached; estimates of an early stop are likely
    too large."""
    next_look: date | None
    """The shop day at whose close a planned or fixed test is read next, null where none is to come."""
    worst_case: float | NoEstimate | None
    """The most harm to a guardrail that the data still allow, on the scale of its limit; positive is harm."""
    smallest_effect: float | NoEstimate = field(kw_only=True)
    """The smallest effect that this test could have found, as a share of control or in points."""
    reasons: tuple[str, ...]
    """Codes that say why a number is missing or should be read with care."""
    methods: Methods
    """What every method says, side by side; only the plan's decides."""
    p_bh: float | NoEstimate | None = field(default=None, kw_only=True)
    """Of a level of a dimension: p corrected for all levels that are shown (Benjamini-Hochberg)."""
    flagged: bool | None = field(default=None, kw_only=True)
    """Of a level of a dimension: whether it stands out among all levels that are shown; worth a test of its own,
    not a decision."""
    shown: Sample = field(metadata=_UNSERVED)
    rulings: tuple[Ruling, ...] = field(metadata=_UNSERVED)
    daily: tuple[Ruling, ...] = field(metadata=_UNSERVED)
    blocked: tuple[str, ...] = field(metadata=_UNSERVED)

    @property
    def interval(self) -> Interval | NoEstimate:
        """The interval that decides: of the lift, or of the difference where control may be zero."""
        return self.difference_ci if isinstance(self.ci, NoEstimate) else self.ci
