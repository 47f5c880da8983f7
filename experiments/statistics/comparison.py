"""One treatment against control, judged by every method side by side; the plan's method decides."""

from dataclasses import dataclass, replace
from typing import Literal

from experiments.statistics.arms import Pair
from experiments.statistics.bayesian import Posterior, Prior, posterior
from experiments.statistics.effect import Effect, difference_interval, effect
from experiments.statistics.estimate import Interval, NoEstimate, Reason, Want, missing
from experiments.statistics.exact import exact_answer, is_exact
from experiments.statistics.fixed import PooledZ, pooled_z, welch_critical, welch_p
from experiments.statistics.group_sequential import Look, planned_critical, planned_p
from experiments.statistics.lift import lift, lift_interval
from experiments.statistics.sequential import anytime_critical, anytime_p, tuning

Method = Literal["anytime", "planned", "fixed", "bayesian"]


@dataclass(frozen=True, slots=True)
class Question:
    """How a comparison is to be judged; it is the same for every comparison of an experiment.

    `alpha` is two-sided. `planned_units` is n*, both arms together, frozen with the phase. `look` is the last look of
    a planned test that has closed (None before the first, and for the other methods). `family` is m, the number of
    goals × variants among which alpha is shared. `want` is the good direction of the metric.
    """

    alpha: float = 0.05
    planned_units: int = 20_000
    look: Look | None = None
    family: int = 1
    prior: Prior | None = None
    want: Want = "up"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a frequentist method says: p, the relative interval, the absolute one; p and intervals never disagree."""

    p: float | NoEstimate
    ci: Interval | NoEstimate
    difference_ci: Interval | NoEstimate
    statistic: float | NoEstimate
    degrees_of_freedom: float | NoEstimate


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """The last look of a planned test: boundary in standard normal units at alpha / family, crossed or not."""

    look: int
    looks: int
    boundary: float
    crossed: bool
    answer: Answer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything the results object shows of one variant against control.

    `unadjusted` is the fixed answer without CUPED, None where CUPED was not used. `exact` says that Fisher and
    Newcombe stand in `fixed`. `reasons` are those that a reader must see.
    """

    difference: float | NoEstimate
    lift: float | NoEstimate
    cuped: bool
    exact: bool
    fixed: Answer
    pooled: PooledZ | NoEstimate
    anytime: Answer
    planned: PlannedAnswer | NoEstimate
    bayesian: Posterior | NoEstimate
    unadjusted: Answer | None
    reasons: tuple[Reason, ...]


def compare(pair: Pair | NoEstimate, question: Question, adjusted: Pair | NoEstimate | None = None) -> Comparison:
    """Judge treatment against control by every method; `adjusted` is the pair after CUPED, where there is one."""
    ...


def answer_of(comparison: Comparison, method: Method) -> Answer | PlannedAnswer:
    """The p and intervals of the plan's method; for `bayesian` p is missing and ci is the credible interval."""
    ...


def simultaneous_interval(
    pair: Pair | NoEstimate, question: Question, method: Method, adjusted: Pair | NoEstimate | None = None
) -> Interval | NoEstimate:
    """The method's relative interval at alpha / family (Bonferroni): it may hold 0 where Holm rejects."""
    ...
