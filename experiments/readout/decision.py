"""The decision: a pure function of the verdicts, as the table in docs/statistics.md says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from experiments.answers.comparison import ComparisonReadout, Decided, Verdict
from experiments.answers.health import Check, Health
from experiments.answers.readout import Decision, MetricReadout
from experiments.catalog.calendar import ENROLS_NO_MORE, State, metric_window
from experiments.cube.shop_days import calendar_date
from experiments.readout.days import ClosedDays
from experiments.readout.samples import Judge
from experiments.readout.study import Study
from experiments.statistics.bayesian import Posterior
from experiments.statistics.estimate import Caveat, Interval
from kit.time import DAY_US, SECOND_US, microseconds


@dataclass(frozen=True, slots=True)
class VariantEvidence:
    """What is known of one variant: its goals in order (the first is primary), its guardrails, its expected loss.

    `blocking` are the guardrails of the strict form that are not safe, `blocked` the reasons for which a winning goal
    may not be shipped (answers to a survey that differ between the variants, a check of the health), `notes` what its
    goals lack until they can be judged.
    """

    variant: str
    goals: Sequence[tuple[str, Verdict]]
    guardrails: Sequence[tuple[str, Verdict]] = ()
    blocking: Sequence[str] = ()
    blocked: Sequence[str] = ()
    notes: Sequence[str] = ()
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
    """Where an experiment stands: whole shop days that have closed since the first exposure, and have still to close.

    `over` says that nothing which is still to come would be judged: the last look was read, the days of the plan are
    over, or the last window has closed after the end. `first_exposed` is False before anybody was. `waits` says until
    when open windows are waited for, and for whose.
    """

    state: State
    closed_days: int
    days_left: int
    min_days: int
    over: bool
    early: bool
    first_exposed: bool = True
    waits: str | None = None


def decide(
    variants: Sequence[VariantEvidence], schedule: Schedule, *, alarm: bool, open_questions: Sequence[str] = ()
) -> Decision:
    """What to do now, and why; `open_questions` explain keeping on."""
    left, ended = schedule.days_left, schedule.state in ENROLS_NO_MORE
    if alarm:
        reason = "sample ratio mismatch: the variants did not fill as their weights say, no number can be trusted"
        return Decision("unhealthy", None, left, (reason,))
    if not schedule.first_exposed:
        if ended:
            return Decision("inconclusive", None, 0, ("it ended before anybody was exposed",))
        return Decision("keep_running", None, left, ("nobody has been exposed yet",))
    harmed = [reason for evidence in variants for reason in evidence.harms]
    winners = [evidence for evidence in variants if evidence.wins]
    if harmed and not winners:
        harmful = [evidence.variant for evidence in variants if evidence.harms]  # all of them, or one to take back
        return Decision("roll_back", harmful[0] if len(harmful) == 1 else None, left, tuple(harmed))
    if winners and (ended or schedule.closed_days >= schedule.min_days):
        return _ship(winners, schedule, harmed)
    because = [reason for evidence in variants for reason in _standing(evidence, schedule)]
    if schedule.over:
        told = "nobody is enrolled any more" if ended and schedule.early else "the plan is over"
        return Decision("inconclusive", None, 0, tuple(because) or (f"{told} and no goal won or lost",))
    because += [schedule.waits] if schedule.waits else []
    return Decision("keep_running", None, left, (*because, *open_questions) or (f"{left} days of the plan are left",))


def _ship(winners: Sequence[VariantEvidence], schedule: Schedule, harmed: Sequence[str]) -> Decision:
    best = min(winners, key=lambda evidence: float("inf") if evidence.expected_loss is None else evidence.expected_loss)
    because = [f"{best.variant}: {best.goals[0][0]} wins, no other goal loses, no guardrail is violated"]
    if len(winners) > 1:
        because.append(f"{best.variant} has the lowest expected loss of {len(winners)} winners")
    if schedule.early:
        because.append(Caveat.STOPPED_EARLY_ESTIMATE_INFLATED.value)
    return Decision("ship", best.variant, schedule.days_left, (*because, *harmed))


def _standing(evidence: VariantEvidence, schedule: Schedule) -> list[str]:
    """Why a variant that may look good is not shipped."""
    name = evidence.variant
    reasons = list(evidence.notes)
    reasons += [f"{name}: guardrail {guardrail} is not known to be safe" for guardrail in evidence.blocking]
    reasons += [f"{name}: {reason}" for reason in evidence.blocked]
    if evidence.primary == "wins":
        reasons += [f"{name}: {goal} loses" for goal in evidence.losing]
        if evidence.wins and schedule.closed_days < schedule.min_days:
            reasons.append(f"{name}: {evidence.goals[0][0]} wins, but the plan asks for {schedule.min_days} whole days")
    return reasons


def decision_of(
    judge: Judge, study: Study, metrics: Sequence[MetricReadout], health: Health, as_of: datetime
) -> Decision:
    """The decision of a study, by the method of its plan."""
    waits, days = study.not_started(as_of), judge.days
    assert days is not None  # a table without days has no decision
    schedule = schedule_of(judge, study, days, as_of)
    if waits and days.first is None:
        return Decision("not_started", None, schedule.days_left, (waits,))
    questions: list[str] = []  # what goals still lack: an interval as narrow as the effect that the plan wants
    for metric in (metric for metric in metrics if metric.role == "goal"):
        target = study.plan.mde.get(metric.metric)
        points = metric.effect_scale == "points"
        intervals = [each.difference_ci if points else each.ci for each in metric.comparisons]
        widths = [interval.width / 2.0 for interval in intervals if isinstance(interval, Interval)]
        if target is not None and (not widths or max(widths) > target):
            wanted = f"{target:g} points" if points else f"{100 * target:g} %"
            questions.append(f"{metric.metric}: the interval is still wider than the {wanted} target")
    return decide(evidence_of(metrics, health.checks), schedule, alarm=health.srm.alarm, open_questions=questions)


def schedule_of(judge: Judge, study: Study, days: ClosedDays, as_of: datetime) -> Schedule:
    """Where a study stands at a moment: its state, its days and the windows that are still open."""
    plan, state = judge.plan, study.calendar.state_at(as_of)
    stop, longest = study.calendar.stop, study.calendar.window_seconds * SECOND_US
    window = max(metric_window(each.metric) for each in study.metrics if each.role == "goal") * SECOND_US
    looks = days.looks(plan, window) if judge.waits_for_looks else []
    enrolled = days.count if days.first is None or days.last is None else (days.last - days.first) // DAY_US + 1
    left, over, last = plan.days - days.count, days.count >= plan.days, None
    if looks:
        last = looks[-1].read_on if days.closed(looks[-1].exposed_until) else None
        left, over = days.until(looks[-1].read_on), days.closed(looks[-1].read_on)
    elif days.first is None and judge.waits_for_looks:
        left += -(-window // DAY_US)
    elif state in ENROLS_NO_MORE:
        last = None if stop is None or state == "closed" else days.days.day(microseconds(stop) + longest - 1)
        left, over = 0 if last is None else days.until(last), last is None
    told = None
    if last is not None and not over:
        whose = "the last look waits for" if looks else "nobody is enrolled any more;"
        told = f"{whose} windows that are open until {calendar_date(last).isoformat()}"
    return Schedule(
        state=state,
        closed_days=days.count,
        days_left=max(0, left),
        min_days=plan.min_days,
        over=over,
        early=min(days.count, enrolled) < plan.days,
        first_exposed=days.first is not None,
        waits=told,
    )


def evidence_of(metrics: Sequence[MetricReadout], checks: Sequence[Check] = ()) -> list[VariantEvidence]:
    """What is known of each variant."""
    found: list[VariantEvidence] = []
    limited = [(metric, metric.guardrail) for metric in metrics if metric.guardrail is not None]
    goals = [metric for metric in metrics if metric.role == "goal"]
    withheld = [check for check in checks if check.withholds_ship]
    for arm, primary in enumerate(goals[0].comparisons):
        verdicts: list[tuple[str, Verdict]] = [
            (metric.metric, metric.comparisons[arm].verdict) for metric, _ in limited
        ]
        strict = [metric.metric for metric, limit in limited if limit.require_safe]
        chances = primary.methods.bayesian
        blocked = [f"{goals[0].metric}: {reason}" for reason in primary.blocked]
        blocked += [check.detail for check in withheld if check.variant in (None, primary.variant)]
        found.append(
            VariantEvidence(
                variant=primary.variant,
                goals=[(goal.metric, goal.comparisons[arm].verdict) for goal in goals],
                guardrails=verdicts,
                blocking=[name for name, verdict in verdicts if name in strict and verdict != "safe"],
                blocked=blocked,
                notes=[note for goal in goals for note in notes_of(goal, goal.comparisons[arm])],
                expected_loss=chances.expected_loss if isinstance(chances, Posterior) else None,
            )
        )
    return found


def notes_of(metric: MetricReadout, judged: ComparisonReadout) -> list[str]:
    """What a goal still lacks until it can be judged, and what it said once and no longer says."""
    gate, notes = judged.gate, list[str]()
    if not gate.open and gate.reason in _COUNTED:
        smaller = min(judged.arms, key=lambda arm: arm.units).variant
        what = _COUNTED[gate.reason]
        told = f"{gate.expected:.2g} of {gate.needed} expected {what}"
        more = f"about {gate.more_units:,} more {metric.unit}s in {smaller}" if gate.more_units else f"more {what}"
        notes.append(f"{judged.variant}: {metric.metric}: {more} until it can be judged ({told})")
    if judged.decided is not None and judged.decided_on is not None and judged.verdict == "unclear":
        notes.append(f"{judged.variant}: {metric.metric}: {_once(judged, judged.decided, judged.decided_on)}")
    return notes


_COUNTED: Final[Mapping[Caveat | None, str]] = {
    Caveat.FEW_EVENTS: "events",
    Caveat.FEW_NON_EVENTS: "units without one",
}


def _once(judged: ComparisonReadout, decided: Decided, day: date) -> str:
    """It was ahead by 83 % on 7 January; today the interval reaches from -13 % to +16 %."""
    relative = isinstance(decided.lift, float)
    was = decided.lift if isinstance(decided.lift, float) else 0.0
    ahead = "ahead" if was > 0.0 else "behind"
    now = judged.interval
    told = f"it was {ahead} by {abs(was):.0%}" if relative else "it was decided"
    told += f" on {day.day} {day:%B}"
    if not isinstance(now, Interval):
        return f"{told}; today nothing can be said"
    ends = [f"{end:+.0%}" if isinstance(judged.ci, Interval) else f"{end:+.3g}" for end in (now.low, now.high)]
    return f"{told}; today the interval reaches from {ends[0]} to {ends[1]}"
