"""The decision: a pure function of the verdicts, as the table in docs/statistics.md says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.readout.encoding import Decision, MetricReadout
from experiments.readout.inference import Judge, Verdict
from experiments.readout.study import Study
from experiments.statistics.bayesian import Posterior
from experiments.statistics.estimate import Caveat, Interval


@dataclass(frozen=True, slots=True)
class VariantEvidence:
    """What is known of one variant: its goals in order (the first is primary), its guardrails, its expected loss.

    `blocking` are the guardrails of the strict form that are not safe, `blocked` the reasons for which a winning goal
    may not be shipped (answers to a survey that differ between the variants).
    """

    variant: str
    goals: Sequence[tuple[str, Verdict]]
    guardrails: Sequence[tuple[str, Verdict]] = ()
    blocking: Sequence[str] = ()
    blocked: Sequence[str] = ()
    expected_loss: float | None = None

    @property
    def primary(self) -> Verdict:
        return self.goals[0][1]

    @property
    def violated(self) -> list[str]:
        return [name for name, verdict in self.guardrails if verdict == "violated"]

    @property
    def losing(self) -> list[str]:
        return [name for name, verdict in self.goals if verdict == "loses"]

    @property
    def harms(self) -> list[str]:
        """Why it should be taken back."""
        reasons = [f"{self.variant}: guardrail {name} is violated" for name in self.violated]
        return [*reasons, f"{self.variant}: {self.goals[0][0]} loses"] if self.primary == "loses" else reasons

    @property
    def wins(self) -> bool:
        """The primary wins, no other goal loses, no guardrail is violated, and nothing stands in the way."""
        return self.primary == "wins" and not (self.losing or self.violated or self.blocking or self.blocked)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Whole shop days: how many have closed since the first exposure, how many the plan has, how many it needs."""

    closed_days: int
    days: int
    min_days: int

    @property
    def days_left(self) -> int:
        return max(0, self.days - self.closed_days)

    @property
    def is_over(self) -> bool:
        return self.closed_days >= self.days


def decide(
    variants: Sequence[VariantEvidence], schedule: Schedule, *, alarm: bool, stopped: bool = False,
    open_questions: Sequence[str] = (),
) -> Decision:  # fmt: skip
    """What to do now, and why. `stopped` experiments gather no more units; `open_questions` explain keeping on."""
    left = 0 if stopped else schedule.days_left
    if alarm:
        reason = "sample ratio mismatch: the variants did not fill as their weights say, no number can be trusted"
        return Decision("unhealthy", None, left, (reason,))
    harmed = [reason for evidence in variants for reason in evidence.harms]
    winners = [evidence for evidence in variants if evidence.wins]
    if harmed and not winners:
        harmful = [evidence.variant for evidence in variants if evidence.harms]  # all of them, or one to take back
        return Decision("roll_back", harmful[0] if len(harmful) == 1 else None, left, tuple(harmed))
    if winners and (schedule.closed_days >= schedule.min_days or stopped):
        return _ship(winners, schedule, left, harmed)
    because = tuple(reason for evidence in variants for reason in _standing(evidence, schedule))
    if stopped or schedule.is_over:
        ended = "the plan is over" if schedule.is_over else "nobody is enrolled any more"
        return Decision("inconclusive", None, 0, because or (f"{ended} and no goal won or lost",))
    return Decision("keep_running", None, left, (*because, *open_questions) or (f"{left} days of the plan are left",))


def _ship(winners: Sequence[VariantEvidence], schedule: Schedule, left: int, harmed: Sequence[str]) -> Decision:
    best = min(winners, key=lambda evidence: float("inf") if evidence.expected_loss is None else evidence.expected_loss)
    because = [f"{best.variant}: {best.goals[0][0]} wins, no other goal loses, no guardrail is violated"]
    if len(winners) > 1:
        because.append(f"{best.variant} has the lowest expected loss of {len(winners)} winners")
    if not schedule.is_over:
        because.append(Caveat.STOPPED_EARLY_ESTIMATE_INFLATED.value)
    return Decision("ship", best.variant, left, (*because, *harmed))


def _standing(evidence: VariantEvidence, schedule: Schedule) -> list[str]:
    """Why a variant that may look good is not shipped."""
    name = evidence.variant
    reasons = [f"{name}: guardrail {guardrail} is not known to be safe" for guardrail in evidence.blocking]
    reasons += [f"{name}: {reason}" for reason in evidence.blocked]
    if evidence.primary == "wins":
        reasons += [f"{name}: {goal} loses" for goal in evidence.losing]
        if evidence.wins and schedule.closed_days < schedule.min_days:
            reasons.append(f"{name}: {evidence.goals[0][0]} wins, but the plan asks for {schedule.min_days} whole days")
    return reasons


def decision_of(
    judge: Judge, study: Study, metrics: Sequence[MetricReadout], as_of: datetime, *, alarm: bool
) -> Decision:
    """The decision of a study, by the method of its plan; one that enrols no more has no days left."""
    calendar, waits = judge.calendar, study.not_started(as_of)
    if waits and calendar.first_day is None:
        return Decision("not_started", None, judge.plan.days, (waits,))
    closed = judge.plan.days if calendar.first_day is None and study.stopped else calendar.closed_days
    questions: list[
        str
    ] = []  # what goals still lack: an interval as narrow as the effect that the plan wants to detect
    for metric in (metric for metric in metrics if metric.role == "goal"):
        target = study.plan.mde.get(metric.metric)
        widths = [each.ci.width / 2.0 for each in metric.comparisons if isinstance(each.ci, Interval)]
        if target is not None and (not widths or max(widths) > target):
            questions.append(f"{metric.metric}: the interval is still wider than the {100 * target:g} % target")
    return decide(
        evidence_of(metrics),
        Schedule(closed, judge.plan.days, judge.plan.min_days),
        alarm=alarm,
        stopped=study.has_stopped(as_of),
        open_questions=questions,
    )


def evidence_of(metrics: Sequence[MetricReadout]) -> list[VariantEvidence]:
    """What is known of each variant."""
    found: list[VariantEvidence] = []
    limited = [(metric, metric.guardrail) for metric in metrics if metric.guardrail is not None]
    goals = [metric for metric in metrics if metric.role == "goal"]
    for arm, primary in enumerate(goals[0].comparisons):
        verdicts: list[tuple[str, Verdict]] = [
            (metric.metric, metric.comparisons[arm].verdict) for metric, _ in limited
        ]
        strict = [metric.metric for metric, limit in limited if limit.require_safe]
        chances = primary.methods.bayesian
        found.append(
            VariantEvidence(
                variant=primary.variant,
                goals=[(goal.metric, goal.comparisons[arm].verdict) for goal in goals],
                guardrails=verdicts,
                blocking=[name for name, verdict in verdicts if name in strict and verdict != "safe"],
                blocked=[f"{goals[0].metric}: {reason}" for reason in primary.blocked],
                expected_loss=chances.expected_loss if isinstance(chances, Posterior) else None,
            )
        )
    return found
