"""From moments to verdicts: every comparison of one metric, judged by every method, the plan's deciding."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from experiments.cube.measures import SURVEYS, MetricRule
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.sums import columns_of
from experiments.definitions.model import Guardrail, Plan
from experiments.statistics.arms import Arm, Pair, gate_of, mean_arm, pair, proportion_arm, ratio_arm
from experiments.statistics.bayesian import LiftPrior, Posterior
from experiments.statistics.comparison import (
    Answer,
    Comparison,
    Method,
    PlannedAnswer,
    Question,
    answer_at,
    answer_of,
    compare,
    simultaneous_interval,
)
from experiments.statistics.cuped import adjust_means, adjust_ratios
from experiments.statistics.estimate import Caveat, Interval, NoEstimate, missing
from experiments.statistics.fixed import PooledZ, few
from experiments.statistics.guardrail import GuardrailAnswer, Margin, guardrail
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import quantile_estimate
from experiments.statistics.sequential import Look, looks_so_far
from experiments.statistics.survey import Responses, response_guard

Verdict = Literal["wins", "loses", "unclear", "violated", "safe"]
ESTIMATED_FROM: Final = "page_views"
_UNSERVED: Final = {"served": False}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days count: looks are closed shop days, never calls. `first_day` is that of the first exposure.

    Days are integers of `experiments.cube.shop_days`; None where there are none (an imported table).
    """

    first_day: int | None
    today: int
    day_us: int

    @property
    def closed_days(self) -> int:
        return 0 if self.first_day is None else max(0, (self.today - self.first_day) // self.day_us)

    def closed(self, day: int) -> bool:
        return day < self.today


@dataclass(frozen=True, slots=True)
class Judge:
    """How all comparisons of an experiment are judged: its plan, its calendar, n*, its variants and their weights."""

    plan: Plan
    calendar: Calendar
    planned_units: int
    arms: tuple[str, ...]
    weights: tuple[float, ...]
    family: int

    def question(self, treatment: int, want: str, look: Look | None = None) -> Question:
        """The question for one variant against control; n* is that of these two arms."""
        share = self.weights[0] + self.weights[treatment]
        prior = self.plan.prior
        return Question(
            alpha=self.plan.alpha,
            planned_units=max(1, round(self.planned_units * share)),
            look=look,
            looks=self.plan.looks,
            family=self.family,
            prior=None if prior is None else LiftPrior(prior.mean, prior.sd),
            want="up" if want == "up" else "down",
        )

    @property
    def waits_for_looks(self) -> bool:
        """Whether the method decides at the close of some days only."""
        return self.plan.method in ("planned", "fixed")

    def looks_reached(self) -> "list[tuple[int, int]]":
        """The looks of a planned test that have closed: number and last day; a fixed test has one, at its end."""
        first = self.calendar.first_day
        if first is None:
            return []
        looks = self.plan.looks if self.plan.method == "planned" else 1
        reached: list[tuple[int, int]] = []
        for number in range(1, looks + 1):
            days = -(-self.plan.days * number // looks)  # whole days, rounded up
            if self.calendar.closed_days >= days:
                reached.append((number, first + (days - 1) * self.calendar.day_us))
        return reached


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a method is asked of which arms, and what every method says."""

    question: Question
    pair: Pair | NoEstimate
    adjusted: Pair | NoEstimate | None
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class AnytimeAnswer(Answer):
    """`p_min` is the smallest p over the closed days; adjusted for the family, it decides."""

    p_min: float | NoEstimate
    p_min_adjusted: float | NoEstimate | None = None


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method side by side; only the plan's decides. `unadjusted` is the fixed one without CUPED."""

    fixed: Answer
    z_pooled: PooledZ | NoEstimate
    anytime: AnytimeAnswer
    planned: PlannedAnswer | NoEstimate
    bayesian: Posterior | NoEstimate
    unadjusted: Answer | None


@dataclass(frozen=True, slots=True)
class ComparisonReadout:
    """One variant against control: the deciding method's numbers, and every method's beside them.

    `p_adjusted` and `verdict` stand once the family is known. `now` is what today's numbers say, `ruling` what the
    method decides on: None while it may not decide (before a look, before the end). `leaning` is the difference that
    decides on the direction (on the day that reached p_min, which need not be today's), `blocked` why a win may not be
    shipped.
    """

    variant: str
    against: str
    lift: float | NoEstimate
    ci: Interval | NoEstimate
    difference: float | NoEstimate
    difference_ci: Interval | NoEstimate
    p: float | NoEstimate
    p_adjusted: float | NoEstimate | None
    ci_simultaneous: Interval | NoEstimate
    method: Method
    cuped: bool
    verdict: Verdict
    reasons: tuple[str, ...]
    methods: Methods
    now: Ruling = field(metadata=_UNSERVED)
    ruling: Ruling | None = field(metadata=_UNSERVED)
    leaning: float | NoEstimate = field(metadata=_UNSERVED)
    blocked: tuple[str, ...] = field(metadata=_UNSERVED)

    @property
    def deciding_p(self) -> float | NoEstimate:
        """The p that is corrected for the family and decides; of the anytime method the running minimum."""
        return self.methods.anytime.p_min if self.method == "anytime" else self.p


def judge_metric(judge: Judge, observed: MetricObservation) -> tuple[ComparisonReadout, ...]:
    """Every treatment of a metric against control."""
    return tuple(_compared(judge, observed, treatment) for treatment in range(1, len(observed.arms)))


def judge_level(judge: Judge, there: MetricObservation) -> tuple[ComparisonReadout, ...]:
    """The same within one level of a dimension: by the current numbers alone, unadjusted, by a method without looks."""
    method = judge.plan.method if judge.plan.method in ("anytime", "bayesian") else "fixed"
    exploring = replace(
        judge,
        plan=judge.plan.model_copy(update={"method": method}),
        calendar=replace(judge.calendar, first_day=None),
        family=1,
    )
    return judge_metric(exploring, replace(there, rule=replace(there.rule, cuped=False)))


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


def judge_guardrail(judged: ComparisonReadout, limit: Guardrail) -> GuardrailAnswer:
    """The verdict of a guardrail by the plan's method; until that may decide, by the anytime one: harm cannot wait."""
    ruling, method = judged.ruling or judged.now, judged.method if judged.ruling else "anytime"
    margin = Margin(limit.max_harm, limit.relative)
    return guardrail(ruling.pair, ruling.question, margin, method, ruling.adjusted)


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


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """What the anytime method says of one day; `pair` is what it judged."""

    pair: Pair | NoEstimate
    answer: Answer


def anytime_answers(
    judge: Judge, rule: MetricRule, looks: Sequence[Sequence[JointMoments]], treatment: int
) -> list[DayAnswer]:
    """The anytime answer of every day."""
    question = judge.question(treatment, rule.metric.want)
    answers: list[DayAnswer] = []
    for arms in looks:
        plain, adjusted = pairs_on(rule, arms, treatment)
        use = isinstance(plain, Pair) and isinstance(adjusted, Pair) and few(plain) is None
        judged = adjusted if use and adjusted is not None else plain
        answers.append(DayAnswer(judged, answer_at(plain, question, "anytime", question.alpha, adjusted)))
    return answers


def _compared(judge: Judge, observed: MetricObservation, treatment: int) -> ComparisonReadout:
    rule, method = observed.rule, judge.plan.method
    if rule.metric.type == "quantile":
        arms = arms_of(observed)
        current: Judged = pair(arms[0], arms[treatment]), None
    else:
        current = pairs_on(rule, observed.arms, treatment)
    now = _ruled(judge.question(treatment, rule.metric.want), current)
    ruling = _ruling(judge, observed, now, treatment)
    shown, said = ruling or now, now.comparison
    answer = answer_of(shown.comparison, method)
    p_min, leaning = _lowest(judge, observed, now, treatment)
    day = said.anytime
    anytime = AnytimeAnswer(day.p, day.ci, day.difference_ci, day.statistic, day.degrees_of_freedom, p_min)
    simultaneous = simultaneous_interval(shown.pair, shown.question, method, shown.adjusted)
    planned, blocked = shown.comparison.planned, _survey_reasons(observed, treatment)
    if isinstance(planned, NoEstimate) and method == "planned":
        planned = PlannedAnswer(*[planned] * 5, look=None, looks=judge.plan.looks, boundary=planned, crossed=False)
    reasons = [*said.reasons, *missing(answer.p, answer.ci, simultaneous, p_min), *blocked]
    if rule.estimated:  # where values are estimated, every table that shows them says so
        reasons.append(f"estimated_from_{ESTIMATED_FROM}")
    return ComparisonReadout(
        variant=judge.arms[treatment],
        against=judge.arms[0],
        lift=shown.comparison.lift,
        ci=answer.ci,
        difference=shown.comparison.difference,
        difference_ci=answer.difference_ci,
        p=answer.p,
        p_adjusted=None,
        ci_simultaneous=simultaneous,
        method=method,
        cuped=shown.comparison.cuped,
        verdict="unclear",
        reasons=tuple(dict.fromkeys(str(reason) for reason in reasons)),
        methods=Methods(said.fixed, said.pooled, anytime, planned, said.bayesian, said.unadjusted),
        now=now,
        ruling=ruling,
        leaning=leaning if method == "anytime" else shown.comparison.difference,
        blocked=blocked,
    )


def _ruled(question: Question, judged: Judged) -> Ruling:
    return Ruling(question, *judged, compare(judged[0], question, judged[1]))


def _ruling(judge: Judge, observed: MetricObservation, now: Ruling, treatment: int) -> Ruling | None:
    """Anytime and Bayesian decide now; a fixed test once, at its last day; a planned one where it crossed first."""
    if not judge.waits_for_looks or judge.calendar.first_day is None:
        return now
    ruling: Ruling | None = None
    open_looks: list[tuple[int, int]] = []  # number and units; a look with a closed gate spends no alpha
    for number, last_day in judge.looks_reached():
        found = _pairs_at(observed, last_day, treatment)
        if found is None:
            continue
        question = judge.question(treatment, observed.rule.metric.want)
        if isinstance(found[0], Pair) and gate_of(found[0]).open and judge.plan.method == "planned":
            open_looks.append((number, found[0].control.count + found[0].treatment.count))
            look = looks_so_far(open_looks, question.planned_units, judge.plan.looks)
            question = replace(question, look=look)
        ruling = _ruled(question, found)
        if isinstance(ruling.comparison.planned, PlannedAnswer) and ruling.comparison.planned.crossed:
            break
    return ruling


def _pairs_at(observed: MetricObservation, day: int, treatment: int) -> Judged | None:
    """The pair as it stood at the close of a day; None where nobody had entered yet."""
    if observed.looks is None:
        samples = observed.look_samples[day]
        control, treated = (_quantile_arm(observed.rule, samples[arm]) for arm in (0, treatment))
        return pair(control, treated), None
    rows = [row for row, known in enumerate(observed.looks.days) if known <= day]
    return pairs_on(observed.rule, observed.looks.cumulative[rows[-1]], treatment) if rows else None


def _lowest(
    judge: Judge, observed: MetricObservation, now: Ruling, treatment: int
) -> tuple[float | NoEstimate, float | NoEstimate]:
    """p_min over closed days and the difference on its day; without days (a table, a quantile) those of now."""
    if observed.looks is None:
        return now.comparison.anytime.p, now.comparison.difference
    closed = [row for row, day in enumerate(observed.looks.days) if judge.calendar.closed(day)]
    looks = [observed.looks.cumulative[row] for row in closed]
    nothing = NoEstimate(Caveat.NOT_ENOUGH_UNITS if closed else Caveat.BEFORE_FIRST_LOOK)
    lowest: tuple[float | NoEstimate, float | NoEstimate] = nothing, nothing
    for day in anytime_answers(judge, observed.rule, looks, treatment):
        p = day.answer.p
        if isinstance(day.pair, Pair) and not isinstance(p, NoEstimate):
            before = lowest[0]
            if isinstance(before, NoEstimate) or p < before:
                lowest = p, day.pair.treatment.value - day.pair.control.value
    return lowest


def _quantile_arm(rule: MetricRule, sample: QuantileSample) -> Arm | NoEstimate:
    found = quantile_estimate(sample.histogram, rule.metric.q or 0.5, sample.clusters)
    return found if isinstance(found, NoEstimate) else replace(found.arm, never_negative=rule.never_negative)


def _survey_reasons(observed: MetricObservation, treatment: int) -> tuple[str, ...]:
    bounds = SURVEYS.get(observed.rule.metric.type)
    if bounds is None or observed.responders is None:
        return ()
    asked = [
        Responses(observed.arms[index].count, observed.responders[index], arm.value)
        for index in (0, treatment)
        if isinstance(arm := arm_of(observed.rule, observed.arms[index]), Arm)
    ]
    guarded = response_guard(asked[0], asked[1], *bounds).reasons if len(asked) == 2 else ()
    return tuple(reason.value for reason in guarded)
