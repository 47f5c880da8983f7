"""Control and treatment as they stood at one moment: the arms, what is asked of them and what a method answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

from experiments.answers.comparison import ComparedArm, Sample
from experiments.cube.measures import MetricRule
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.sums import columns_of
from experiments.definitions.model import Plan
from experiments.readout.days import WAITING, ClosedDays, LookDay
from experiments.statistics.arms import Arm, Pair, mean_arm, pair, proportion_arm, ratio_arm
from experiments.statistics.bayesian import LiftPrior
from experiments.statistics.comparison import (
    Question,
    judged_pair,
)
from experiments.statistics.cuped import adjust_means, adjust_ratios
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import quantile_estimate
from experiments.statistics.sequential import Look

_ROUNDING: Final = 1e-14


@dataclass(frozen=True, slots=True)
class Judge:
    """How all comparisons of an experiment are judged: its plan, its days, n*, its variants and their weights.

    `days` is None for a table, or a level of a dimension, which has none: what is there now decides.
    """

    plan: Plan
    days: ClosedDays | None
    planned_units: int
    arms: tuple[str, ...]
    weights: tuple[float, ...]
    family: int

    def question(self, treatment: int, rule: MetricRule, look: Look | None = None) -> Question:
        """The question for one variant against control; n* is that of these two arms."""
        prior = self.plan.prior
        return Question(
            alpha=self.plan.alpha,
            planned_units=self.pair_units(treatment),
            look=look,
            looks=self.plan.looks,
            family=self.family,
            prior=None if prior is None else LiftPrior(prior.mean, prior.sd),
            want="up" if rule.metric.want == "up" else "down",
            scale=rule.metric.effect_scale,
        )

    def pair_units(self, treatment: int) -> int:
        """The planned units of one variant and control."""
        return max(1, round(self.planned_units * (self.weights[0] + self.weights[treatment])))

    @property
    def waits_for_looks(self) -> bool:
        """Whether the method decides at the close of some days only."""
        return self.days is not None and self.plan.method in WAITING

    def looks(self, rule: MetricRule) -> list[LookDay]:
        """The looks of a metric, those to come too."""
        return self.days.looks(self.plan, rule.window.end_us) if self.days and self.waits_for_looks else []

    def sample_days(self, rule: MetricRule) -> tuple[int, ...]:
        """The days up to which units are sampled, ascending: of each look that was read, else the newest closed one."""
        if self.days is None:
            return ()
        if self.waits_for_looks:
            return tuple(look.exposed_until for look in self.days.read(self.looks(rule)))
        return () if self.days.newest is None else (self.days.newest,)


def sample_now(judge: Judge, observed: MetricObservation, treatment: int) -> Sample:
    """One variant and control as they stand now."""
    if observed.rule.metric.type == "quantile":
        return quantile_sample(judge, observed.rule, observed.samples, treatment, None)
    return sample_of(judge, observed.rule, observed.arms, treatment)


def arms_of(observed: MetricObservation) -> tuple[Arm | NoEstimate, ...]:
    """Each arm as a test sees it."""
    if observed.rule.metric.type == "quantile":
        return tuple(_quantile_arm(observed.rule, sample) for sample in observed.samples)
    return tuple(arm_of(observed.rule, moments) for moments in observed.arms)


def arm_of(rule: MetricRule, moments: JointMoments) -> Arm | NoEstimate:
    """One arm from its moments."""
    if rule.is_share:
        return proportion_arm(moments.count, round(moments.moments("y").total))
    if rule.is_ratio:
        return ratio_arm(columns_of(moments, {"y": "num", "d": "den"}), never_negative=rule.never_negative)
    return mean_arm(moments.moments("y"), moments.nonzero, never_negative=rule.never_negative)


def totals_of(rule: MetricRule, moments: JointMoments) -> tuple[float | None, float | None]:
    """Numerator and denominator of an arm's value; a quantile has neither."""
    if rule.metric.type == "quantile":
        return None, None
    total, base = moments.moments("y").total, moments.moments("d").total
    above = round(total) if rule.is_share else _tidy(total)
    return above, (_tidy(base) if rule.base_field == "amount" else round(base)) if rule.is_ratio else moments.count


def _tidy(total: float) -> float:
    """A total without the last bits that a mean times a count adds: 57849, not 57848.99999999999."""
    near = round(total, 6)
    return near if abs(total - near) <= _ROUNDING * abs(total) else total


Judged = tuple[Pair | NoEstimate, Pair | NoEstimate | None]


def pairs_on(rule: MetricRule, arms: Sequence[JointMoments], treatment: int) -> Judged:
    """The pair of a treatment, and the same after CUPED where the rule has it."""
    control, treated = arms[0], arms[treatment]
    plain = pair(arm_of(rule, control), arm_of(rule, treated))
    if not rule.cuped:
        return plain, None
    if rule.is_ratio:
        names = {"y": "num", "d": "den", "x": "xnum", "e": "xden", "h": "has_history"}
        found = adjust_ratios(columns_of(control, names), columns_of(treated, names))
    else:
        names = {"y": "y", "x": "x", "h": "has_history"}
        found = adjust_means(columns_of(control, names), columns_of(treated, names))
    return plain, found if isinstance(found, NoEstimate) else found.pair


def sample_of(
    judge: Judge, rule: MetricRule, moments: Sequence[JointMoments], treatment: int, day: int | None = None
) -> Sample:
    """One variant and control from the moments of all arms."""
    plain, adjusted = pairs_on(rule, moments, treatment)
    chosen = judged_pair(plain, adjusted) if isinstance(plain, Pair) else None
    if chosen is plain:
        chosen = None
    sides = [
        _compared_arm(judge, index, moments[index].count, totals_of(rule, moments[index]), arm_of(rule, moments[index]))
        for index in (0, treatment)
    ]
    if chosen is not None:
        moved = (chosen.control, chosen.treatment)
        sides = [replace(side, adjusted=arm.value) for side, arm in zip(sides, moved, strict=True)]
    return Sample(day, judge.question(treatment, rule), plain, adjusted, (sides[0], sides[1]))


def pooled(cohorts: Sequence[Sequence[JointMoments]]) -> list[JointMoments]:
    """The arms of several days as one sample."""
    return [reduce(lambda left, right: left + right, arm) for arm in zip(*cohorts, strict=True)]


def quantile_sample(
    judge: Judge, rule: MetricRule, samples: Sequence[QuantileSample], treatment: int, day: int | None = None
) -> Sample:
    """The same of a quantile, from the values of all arms."""
    arms = [_quantile_arm(rule, samples[index]) for index in (0, treatment)]
    sides = [
        _compared_arm(judge, index, samples[index].units, (None, None), arm)
        for index, arm in zip((0, treatment), arms, strict=True)
    ]
    return Sample(day, judge.question(treatment, rule), pair(arms[0], arms[1]), None, (sides[0], sides[1]))


def _compared_arm(
    judge: Judge, index: int, units: int, totals: tuple[float | None, float | None], arm: Arm | NoEstimate
) -> ComparedArm:
    value, variance = (arm, arm) if isinstance(arm, NoEstimate) else (arm.value, arm.variance)
    return ComparedArm(judge.arms[index], units, *totals, value, variance, None)


def _quantile_arm(rule: MetricRule, sample: QuantileSample) -> Arm | NoEstimate:
    found = quantile_estimate(sample.histogram, rule.metric.q or 0.5, sample.clusters)
    return found if isinstance(found, NoEstimate) else replace(found.arm, never_negative=rule.never_negative)
