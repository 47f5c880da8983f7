"""A readout in brief, for programs that read many, and for language models: what to do, and three numbers a metric."""

from dataclasses import dataclass
from datetime import datetime

from experiments.answers.comparison import ComparisonReadout, Verdict
from experiments.answers.readout import Action, MetricReadout, Readout
from experiments.definitions.model import EffectScale
from experiments.statistics.estimate import Interval


@dataclass(frozen=True, slots=True)
class BriefEffect:
    """One variant against control on one metric; without numbers while it is too early to say any.

    As everywhere: `metric`, `variant`, `verdict`, `effect_scale`.
    """

    metric: str
    variant: str
    verdict: Verdict
    effect_scale: EffectScale
    effect: float | None
    """By how much the variant is higher or, below 0, lower; null where nothing may be said yet."""
    low: float | None
    """Here: The lower end of the interval of the effect; null without one."""
    high: float | None
    """The upper end of the interval of the effect; null without one."""


@dataclass(frozen=True, slots=True)
class BriefDecision:
    """What to do now, without the reasons.

    As everywhere: `action`, `variant`, `days_left`.
    """

    action: Action
    variant: str | None
    days_left: int


@dataclass(frozen=True, slots=True)
class BriefReadout:
    """What came of an experiment's phase, in brief. Of a test that cannot be trusted no effect is given.

    As everywhere: `experiment`, `phase`, `as_of`, `sentence`.
    """

    experiment: str
    phase: int
    as_of: datetime
    sentence: str
    decision: BriefDecision
    """Here: What to do, without the reasons."""
    metrics: tuple[BriefEffect, ...]
    """Here: What each variant did to each metric, goals first; empty where the numbers cannot be trusted."""


def brief(readout: Readout) -> BriefReadout:
    """The same look in brief: as it is decided, with the numbers that its verdicts rest on."""
    decision = readout.decision
    told = () if decision.action == "unhealthy" else readout.metrics
    return BriefReadout(
        readout.experiment,
        readout.phase,
        readout.as_of,
        readout.sentence,
        BriefDecision(decision.action, decision.variant, decision.days_left),
        tuple(_effect(metric, judged) for metric in told for judged in metric.comparisons),
    )


def _effect(metric: MetricReadout, judged: ComparisonReadout) -> BriefEffect:
    in_points = metric.effect_scale == "points"
    effect, ci = (judged.difference, judged.difference_ci) if in_points else (judged.lift, judged.ci)
    number = effect if judged.gate.open and isinstance(effect, float) else None
    low, high = (ci.low, ci.high) if number is not None and isinstance(ci, Interval) else (None, None)
    return BriefEffect(metric.metric, judged.variant, judged.verdict, metric.effect_scale, number, low, high)
