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
_UNSERVED: Final = {"served": False}


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """One side of a comparison at its moment. `adjusted` is the value after CUPED, from which lift and difference are
    computed where it stands; else they are computed from `value`, which is numerator / denominator. `variance` is that
    of the value, per unit."""

    variant: str
    units: int
    numerator: float | None
    denominator: float | None
    value: float | NoEstimate
    variance: float | NoEstimate
    adjusted: float | None


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


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method side by side; only the plan's decides. `unadjusted` is the fixed one without CUPED."""

    fixed: Answer
    z_pooled: PooledZ | NoEstimate
    delta: RelativeDelta | NoEstimate
    anytime: AnytimeAnswer
    planned: PlannedAnswer | NoEstimate
    bayesian: Posterior | NoEstimate
    unadjusted: Answer | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What the method said on the first day on which the verdict stood."""

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
    """

    variant: str
    against: str
    sentence: str = field(default="", kw_only=True)
    as_of_day: date | None
    arms: tuple[ComparedArm, ComparedArm]
    lift: float | NoEstimate
    ci: Interval | NoEstimate
    difference: float | NoEstimate
    difference_ci: Interval | NoEstimate
    p: float | NoEstimate
    p_adjusted: float | NoEstimate | None
    ci_simultaneous: Interval | NoEstimate
    method: Method
    cuped: bool
    gate: Gate
    variance_floor: float
    verdict: Verdict
    decided_on: date | None
    decided: Decided | None
    next_look: date | None
    worst_case: float | NoEstimate | None
    smallest_effect: float | NoEstimate = field(kw_only=True)
    reasons: tuple[str, ...]
    methods: Methods
    p_bh: float | NoEstimate | None = field(default=None, kw_only=True)
    flagged: bool | None = field(default=None, kw_only=True)
    shown: Sample = field(metadata=_UNSERVED)
    rulings: tuple[Ruling, ...] = field(metadata=_UNSERVED)
    daily: tuple[Ruling, ...] = field(metadata=_UNSERVED)
    blocked: tuple[str, ...] = field(metadata=_UNSERVED)

    @property
    def interval(self) -> Interval | NoEstimate:
        """The interval that decides: of the lift, or of the difference where control may be zero."""
        return self.difference_ci if isinstance(self.ci, NoEstimate) else self.ci
