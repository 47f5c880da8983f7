"""Gathers from the judged metrics what the decision is made of."""

from collections.abc import Sequence
from datetime import datetime

from experiments.decision import Schedule, VariantEvidence, decide
from experiments.judge import Judge
from experiments.judgement import JudgedComparison
from experiments.readout_metrics import Family, JudgedMetric, verdict_of
from experiments.readout_types import Decision, Verdict
from experiments.statistics.bayesian import Posterior
from experiments.statistics.estimate import Interval
from experiments.study import Study


def decision_of(
    judge: Judge, study: Study, metrics: Sequence[JudgedMetric], family: Family, as_of: datetime, *, alarm: bool
) -> Decision:
    """The decision of a study, by the method of its plan; one that enrols no more has no days left."""
    calendar, waits = judge.calendar, study.not_started(as_of)
    if waits and calendar.first_day is None:
        return Decision("not_started", None, judge.plan.days, (waits,))
    closed = judge.plan.days if calendar.first_day is None and study.stopped else calendar.closed_days
    evidence = [evidence_of(judge, study.arms, metrics, family, arm) for arm in range(1, len(study.arms))]
    return decide(
        evidence,
        Schedule(closed, judge.plan.days, judge.plan.min_days),
        alarm=alarm,
        stopped=study.has_stopped(as_of),
        open_questions=_open_questions(study, metrics),
    )


def evidence_of(
    judge: Judge, arms: Sequence[str], metrics: Sequence[JudgedMetric], family: Family, arm: int
) -> VariantEvidence:
    """What is known of one variant."""
    found = [(metric, metric.comparisons[arm - 1]) for metric in metrics]
    goals = [(metric, each) for metric, each in found if metric.studied.role == "goal"]
    limits = [(metric, each) for metric, each in found if metric.guardrail is not None]
    verdicts: list[tuple[JudgedMetric, Verdict]] = [
        (metric, verdict_of(judge, metric, each, family)) for metric, each in limits
    ]
    return VariantEvidence(
        variant=arms[arm],
        goals=[(metric.studied.metric.name, verdict_of(judge, metric, each, family)) for metric, each in goals],
        guardrails=[(metric.studied.metric.name, verdict) for metric, verdict in verdicts],
        blocking=[
            metric.studied.metric.name
            for metric, verdict in verdicts
            if metric.guardrail is not None and metric.guardrail.require_safe and verdict != "safe"
        ],
        blocked=[f"{metric.studied.metric.name}: {reason}" for metric, each in goals[:1] for reason in each.blocked],
        expected_loss=_expected_loss(goals[0][1]),
    )


def _expected_loss(primary: JudgedComparison) -> float | None:
    found = primary.comparison.bayesian
    return found.expected_loss if isinstance(found, Posterior) else None


def _open_questions(study: Study, metrics: Sequence[JudgedMetric]) -> list[str]:
    """What the goals still lack: an interval as narrow as the effect that the plan wants to detect."""
    questions: list[str] = []
    for metric in (metric for metric in metrics if metric.studied.role == "goal"):
        name = metric.studied.metric.name
        target = study.plan.mde.get(name)
        intervals = [each.answer.ci for each in metric.comparisons]
        widest = max((ci.width / 2.0 for ci in intervals if isinstance(ci, Interval)), default=None)
        if target is None:
            continue
        if widest is None or widest > target:
            questions.append(f"{name}: the interval is still wider than the {100 * target:g} % target")
    return questions
