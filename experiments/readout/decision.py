"""The decision: a pure function of the verdicts, as the table in docs/statistics.md says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from experiments.answers.comparison import ComparisonReadout, Decided, Verdict
from experiments.answers.health import Check, Health
from experiments.answers.readout import Action, Decision, Ground, MetricReadout
from experiments.catalog.calendar import ENROLS_NO_MORE, State, metric_window
from experiments.cube.shop_days import calendar_date
from experiments.readout.days import ClosedDays
from experiments.readout.inference import NO_LONGER_SUPPORTED
from experiments.readout.samples import Judge
from experiments.readout.study import Study
from experiments.statistics.bayesian import Posterior
from experiments.statistics.estimate import Caveat, Interval
from experiments.wording.codes import CLAUSES
from experiments.wording.effects import ToldEffect, sentence_case
from experiments.wording.figures import day_text, difference_text, lift_text
from kit.time import DAY_US, SECOND_US, microseconds


class Motive(NamedTuple):
    """One reason of a decision: its code and its sentence."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class VariantEvidence:
    """What is known of one variant: its goals by title in order (the first is primary), its guardrails, its expected
    loss.

    `blocking` are the guardrails of the strict form that are not safe, `blocked` the reasons for which a winning goal
    may not be shipped (answers to a survey that differ between the variants, a check of the health), `notes` what its
    goals lack until they can be judged.
    """

    variant: str
    goals: Sequence[tuple[str, Verdict]]
    guardrails: Sequence[tuple[str, Verdict]] = ()
    blocking: Sequence[str] = ()
    blocked: Sequence[Motive] = ()
    notes: Sequence[Motive] = ()
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
    def harms(self) -> list[Motive]:
        """Why it should be taken back."""
        told = [
            Motive(Ground.GUARDRAIL_VIOLATED, f"With {self.variant} the guardrail {name} is violated.")
            for name in self.violated
        ]
        if self.primary == "loses":
            told.append(Motive(Ground.GOAL_LOSES, f"With {self.variant} the {self.goals[0][0]} loses."))
        return told

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
    variants: Sequence[VariantEvidence], schedule: Schedule, *, alarm: bool, open_questions: Sequence[Motive] = ()
) -> Decision:
    """What to do now, and why; `open_questions` explain keeping on."""
    left, ended = schedule.days_left, schedule.state in ENROLS_NO_MORE
    if alarm:
        return _decision("unhealthy", None, left, [MISMATCH])
    if not schedule.first_exposed:
        return _decision("inconclusive", None, 0, [NEVER]) if ended else _decision("keep_running", None, left, [NOBODY])
    harmed = [reason for evidence in variants for reason in evidence.harms]
    winners = [evidence for evidence in variants if evidence.wins]
    if harmed and not winners:
        harmful = [evidence.variant for evidence in variants if evidence.harms]  # all of them, or one to take back
        return _decision("roll_back", harmful[0] if len(harmful) == 1 else None, left, harmed)
    if winners and (ended or schedule.closed_days >= schedule.min_days):
        return _ship(winners, schedule, harmed)
    because = [reason for evidence in variants for reason in _standing(evidence, schedule)]
    if schedule.over:
        over = ENROLS_NO_MORE_TOLD if ended and schedule.early else PLAN_OVER_TOLD
        return _decision("inconclusive", None, 0, because or [over])
    because += [Motive(Ground.WINDOWS_OPEN, schedule.waits)] if schedule.waits else []
    because += open_questions
    if not because:
        days = f"{left} day{' of the plan is' if left == 1 else 's of the plan are'} left."
        because = [Motive(Ground.DAYS_LEFT, days)]
    return _decision("keep_running", None, left, because)


MISMATCH: Final = Motive(
    Ground.SAMPLE_RATIO_MISMATCH,
    "The variants did not fill as their weights say (sample ratio mismatch), so no number can be trusted.",
)
NOBODY: Final = Motive(Ground.NOBODY_EXPOSED, "Nobody has been exposed yet.")
NEVER: Final = Motive(Ground.ENDED_BEFORE_EXPOSURE, "It ended before anybody was exposed.")
PLAN_OVER_TOLD: Final = Motive(Ground.PLAN_OVER, "The plan is over and no goal won or lost.")
ENROLS_NO_MORE_TOLD: Final = Motive(Ground.ENROLS_NO_MORE, "Nobody is enrolled any more and no goal won or lost.")
EARLY: Final = Motive(
    Caveat.STOPPED_EARLY_ESTIMATE_INFLATED,
    "It is decided before the plan's last day, so the estimate is likely too high: a test that may stop any day stops"
    " on a good one.",
)


def _decision(action: Action, variant: str | None, days_left: int, because: Sequence[Motive]) -> Decision:
    codes = tuple(dict.fromkeys(str(reason.code) for reason in because))
    return Decision(action, variant, days_left, tuple(reason.sentence for reason in because), codes)


def _ship(winners: Sequence[VariantEvidence], schedule: Schedule, harmed: Sequence[Motive]) -> Decision:
    best = min(winners, key=lambda evidence: float("inf") if evidence.expected_loss is None else evidence.expected_loss)
    told = f"With {best.variant} the {best.goals[0][0]} wins, no other goal loses and no guardrail is violated."
    because = [Motive(Ground.GOAL_WINS, told)]
    if len(winners) > 1:
        told = f"Of {len(winners)} winners {best.variant} has the lowest expected loss."
        because.append(Motive(Ground.LOWEST_LOSS, told))
    if schedule.early:
        because.append(EARLY)
    return _decision("ship", best.variant, schedule.days_left, [*because, *harmed])


def _standing(evidence: VariantEvidence, schedule: Schedule) -> list[Motive]:
    """Why a variant that may look good is not shipped."""
    name = evidence.variant
    reasons = list(evidence.notes)
    reasons += [
        Motive(Ground.GUARDRAIL_OPEN, f"With {name} the guardrail {guardrail} is not known to be safe.")
        for guardrail in evidence.blocking
    ]
    reasons += evidence.blocked
    if evidence.primary == "wins":
        reasons += [Motive(Ground.GOAL_LOSES, f"With {name} the {goal} loses.") for goal in evidence.losing]
        if evidence.wins and schedule.closed_days < schedule.min_days:
            days = f"{schedule.min_days} whole day{'' if schedule.min_days == 1 else 's'}"
            told = f"With {name} the {evidence.goals[0][0]} wins, but the plan asks for {days}."
            reasons.append(Motive(Ground.TOO_FEW_DAYS, told))
    return reasons


def decision_of(
    judge: Judge, study: Study, metrics: Sequence[MetricReadout], health: Health, as_of: datetime
) -> Decision:
    """The decision of a study, by the method of its plan."""
    waits, days = study.not_started(as_of), judge.days
    assert days is not None  # a table without days has no decision
    schedule = schedule_of(judge, study, days, as_of)
    if waits and days.first is None:
        return _decision("not_started", None, schedule.days_left, [Motive(Ground.NOT_BEGUN, sentence_case(waits))])
    questions: list[Motive] = []  # what goals still lack: an interval as narrow as the effect that the plan wants
    for metric in (metric for metric in metrics if metric.role == "goal"):
        target = study.plan.mde.get(metric.metric)
        points = metric.effect_scale == "points"
        intervals = [each.difference_ci if points else each.ci for each in metric.comparisons]
        widths = [interval.width / 2.0 for interval in intervals if isinstance(interval, Interval)]
        if target is not None and (not widths or max(widths) > target):
            wanted = difference_text(target, metric.quantity) if points else lift_text(target)
            told = f"The interval of the {metric.title} is still wider than the {wanted} that the plan wants to see."
            questions.append(Motive(Ground.WIDER_THAN_TARGET, told))
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
        whose = "The last look waits for windows that are" if looks else "Nobody is enrolled any more, and windows are"
        told = f"{whose} open until {day_text(calendar_date(last))}."
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
        verdicts: list[tuple[str, Verdict]] = [(metric.title, metric.comparisons[arm].verdict) for metric, _ in limited]
        strict = [metric.title for metric, limit in limited if limit.require_safe]
        chances = primary.methods.bayesian
        blocked = [_blocked(primary.variant, goals[0].title, code) for code in primary.blocked]
        blocked += [Motive(check.code, check.detail) for check in withheld if check.variant in (None, primary.variant)]
        found.append(
            VariantEvidence(
                variant=primary.variant,
                goals=[(goal.title, goal.comparisons[arm].verdict) for goal in goals],
                guardrails=verdicts,
                blocking=[name for name, verdict in verdicts if name in strict and verdict != "safe"],
                blocked=blocked,
                notes=[note for goal in goals for note in notes_of(goal, goal.comparisons[arm])],
                expected_loss=chances.expected_loss if isinstance(chances, Posterior) else None,
            )
        )
    return found


def _blocked(variant: str, title: str, code: str) -> Motive:
    return Motive(code, f"With {variant} the {title} may not be compared: {CLAUSES[code]}.")


def notes_of(metric: MetricReadout, judged: ComparisonReadout) -> list[Motive]:
    """What a goal still lacks until it can be judged, and what it said once and no longer says."""
    gate, notes, lead = judged.gate, list[Motive](), f"With {judged.variant} the {metric.title}"
    if gate.reason is Caveat.FEW_EVENTS or gate.reason is Caveat.FEW_NON_EVENTS:
        notes.append(Motive(gate.reason, f"{lead} cannot be judged{ToldEffect(metric, judged).too_early}."))
    if judged.decided is not None and judged.decided_on is not None and judged.verdict == "unclear":
        told = _once(metric, judged, judged.decided, judged.decided_on)
        notes.append(Motive(NO_LONGER_SUPPORTED, f"{lead} {told}."))
    return notes


def _once(metric: MetricReadout, judged: ComparisonReadout, decided: Decided, day: date) -> str:
    """It was ahead by 83 % on 7 January; today the interval reaches from 13 % lower to 16 % higher."""
    was = decided.lift if isinstance(decided.lift, float) else 0.0
    ahead = "ahead" if was > 0.0 else "behind"
    told = f"was {ahead} by {lift_text(was)}" if was else "was decided"
    told += f" on {day.day} {day:%B}"
    if not isinstance(judged.interval, Interval):
        return f"{told}; today nothing can be said"
    return f"{told}; today the interval reaches from {ToldEffect(metric, judged).plausible}"
