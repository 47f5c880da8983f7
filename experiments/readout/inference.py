"""From moments to verdicts: every comparison of one metric, judged by every method, the plan's deciding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.cube.measures import SURVEYS, MetricRule
from experiments.cube.observations import MetricObservation, QuantileSample
from experiments.cube.sums import columns_of
from experiments.definitions.model import Guardrail, Plan
from experiments.statistics.arms import Arm, Pair, mean_arm, pair, proportion_arm, ratio_arm
from experiments.statistics.bayesian import Prior
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
from experiments.statistics.cuped import Adjustment, adjust_means, adjust_ratios
from experiments.statistics.estimate import Interval, NoEstimate, Reason, missing
from experiments.statistics.fixed import few
from experiments.statistics.guardrail import GuardrailAnswer, Margin, guardrail
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import quantile_estimate
from experiments.statistics.sequential import Look, equal_looks
from experiments.statistics.survey import Responses, response_guard


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
    """How all comparisons of an experiment are judged: its plan, its calendar, n* and the weights of its variants."""

    plan: Plan
    calendar: Calendar
    planned_units: int
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
            family=self.family,
            prior=None if prior is None else Prior(prior.mean, prior.sd),
            want="up" if want == "up" else "down",
        )

    @property
    def waits_for_looks(self) -> bool:
        """Whether the method decides at the close of some days only."""
        return self.plan.method in ("planned", "fixed")

    def looks_reached(self) -> "list[tuple[Look | None, int]]":
        """The looks of a planned test that have closed, each with its last day; a fixed test has one, at its end."""
        first = self.calendar.first_day
        if first is None:
            return []
        planned = self.plan.method == "planned"
        looks = self.plan.looks if planned else 1
        reached: list[tuple[Look | None, int]] = []
        for number in range(1, looks + 1):
            days = -(-self.plan.days * number // looks)  # whole days, rounded up
            if self.calendar.closed_days >= days:
                look = Look(number, equal_looks(looks)) if planned else None
                reached.append((look, first + (days - 1) * self.calendar.day_us))
        return reached


Judged = tuple[Pair | NoEstimate, Pair | NoEstimate | None]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the plan's method decides on: by which question, of which arms."""

    question: Question
    pair: Pair | NoEstimate
    adjusted: Pair | NoEstimate | None
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class JudgedComparison:
    """One variant against control. `ruling` is None while the method may not decide (before a look, before the end).

    `p_min` is the running minimum of the anytime p, `leaning` the difference that decides on the direction (on the day
    that reached p_min, which need not be today's), `blocked` why a win may not be shipped.
    """

    treatment: int
    method: Method
    question: Question
    pair: Pair | NoEstimate
    adjusted: Pair | NoEstimate | None
    comparison: Comparison
    ruling: Ruling | None
    answer: Answer
    p_min: float | NoEstimate
    leaning: float | NoEstimate
    simultaneous: Interval | NoEstimate
    blocked: tuple[str, ...] = ()

    @property
    def deciding_p(self) -> float | NoEstimate:
        """The p that is corrected for the family and decides; of the anytime method the running minimum."""
        return self.p_min if self.method == "anytime" else self.answer.p

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why numbers are missing or to be read with care, each once."""
        missing_now = missing(self.answer.p, self.answer.ci, self.simultaneous, self.p_min)
        return tuple(
            dict.fromkeys([*(str(reason) for reason in (*self.comparison.reasons, *missing_now)), *self.blocked])
        )


def judge_metric(judge: Judge, observed: MetricObservation, *, cuped: bool) -> tuple[JudgedComparison, ...]:
    """Every treatment of a metric against control."""
    return tuple(_judged(judge, observed, arm, cuped=cuped) for arm in range(1, len(observed.arms)))


def judge_level(judge: Judge, there: MetricObservation) -> "tuple[Judge, tuple[JudgedComparison, ...]]":
    """The same within one level of a dimension: by the current numbers alone, unadjusted, by a method without looks."""
    method = judge.plan.method if judge.plan.method in ("anytime", "bayesian") else "fixed"
    exploring = replace(
        judge,
        plan=judge.plan.model_copy(update={"method": method}),
        calendar=replace(judge.calendar, first_day=None),
        family=1,
    )
    return exploring, judge_metric(exploring, there, cuped=False)


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
        return ratio_arm(columns_of(moments, {"y": "num", "d": "den"}))
    return mean_arm(moments.moments("y"))


def judge_guardrail(judged: JudgedComparison, limit: Guardrail) -> GuardrailAnswer:
    """The verdict of a guardrail by the plan's method; until that may decide, by the anytime one: harm cannot wait."""
    margin = Margin(limit.max_harm, limit.relative)
    if judged.ruling is None:
        return guardrail(judged.pair, judged.question, margin, "anytime", judged.adjusted)
    ruling = judged.ruling
    return guardrail(ruling.pair, ruling.question, margin, judged.method, ruling.adjusted)


def pairs_on(rule: MetricRule, arms: Sequence[JointMoments], treatment: int, *, cuped: bool) -> Judged:
    """The pair of a treatment, and the same after CUPED."""
    plain = pair(arm_of(rule, arms[0]), arm_of(rule, arms[treatment]))
    if not cuped or rule.metric.type in ("quantile", "funnel"):
        return plain, None
    found = _adjustment(rule, arms[0], arms[treatment])
    return plain, found.pair if isinstance(found, Adjustment) else found


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """What the anytime method says of one day; `pair` is what it judged."""

    pair: Pair | NoEstimate
    answer: Answer


def anytime_answers(
    judge: Judge, rule: MetricRule, looks: Sequence[Sequence[JointMoments]], treatment: int, *, cuped: bool
) -> list[DayAnswer]:
    """The anytime answer of every day."""
    question = judge.question(treatment, rule.metric.want)
    answers: list[DayAnswer] = []
    for arms in looks:
        plain, adjusted = pairs_on(rule, arms, treatment, cuped=cuped)
        use = isinstance(plain, Pair) and isinstance(adjusted, Pair) and few(plain) is None
        judged = adjusted if use and adjusted is not None else plain
        answers.append(DayAnswer(judged, answer_at(judged, question, "anytime", question.alpha)))
    return answers


def _judged(judge: Judge, observed: MetricObservation, treatment: int, *, cuped: bool) -> JudgedComparison:
    rule, method = observed.rule, judge.plan.method
    question = judge.question(treatment, rule.metric.want)
    plain, adjusted = _current(observed, treatment, cuped=cuped)
    comparison = compare(plain, question, adjusted)
    now = Ruling(question, plain, adjusted, comparison)
    ruling = _ruling(judge, observed, now, treatment, cuped=cuped)
    shown = ruling or now
    p_min, leaning = _lowest(judge, observed, now, treatment, cuped=cuped)
    return JudgedComparison(
        treatment=treatment,
        method=method,
        question=question,
        pair=plain,
        adjusted=adjusted,
        comparison=comparison,
        ruling=ruling,
        answer=answer_of(shown.comparison, method),
        p_min=p_min,
        leaning=leaning if method == "anytime" else shown.comparison.difference,
        simultaneous=simultaneous_interval(shown.pair, shown.question, method, shown.adjusted),
        blocked=_survey_reasons(observed, treatment),
    )


def _current(observed: MetricObservation, treatment: int, *, cuped: bool) -> Judged:
    if observed.rule.metric.type == "quantile":
        arms = arms_of(observed)
        return pair(arms[0], arms[treatment]), None
    return pairs_on(observed.rule, observed.arms, treatment, cuped=cuped)


def _ruling(judge: Judge, observed: MetricObservation, now: Ruling, treatment: int, *, cuped: bool) -> Ruling | None:
    """Anytime and Bayesian decide now; a fixed test once, at its last day; a planned one where it crossed first."""
    if not judge.waits_for_looks or judge.calendar.first_day is None:
        return now
    ruling: Ruling | None = None
    for look, last_day in judge.looks_reached():
        found = _pairs_at(observed, last_day, treatment, cuped=cuped)
        if found is None:
            continue
        question = judge.question(treatment, observed.rule.metric.want, look)
        plain, adjusted = found
        ruling = Ruling(question, plain, adjusted, compare(plain, question, adjusted))
        if isinstance(ruling.comparison.planned, PlannedAnswer) and ruling.comparison.planned.crossed:
            break
    return ruling


def _pairs_at(observed: MetricObservation, day: int, treatment: int, *, cuped: bool) -> Judged | None:
    """The pair as it stood at the close of a day; None where nobody had entered yet."""
    if observed.looks is None:
        samples = observed.look_samples[day]
        control, treated = (_quantile_arm(observed.rule, samples[arm]) for arm in (0, treatment))
        return pair(control, treated), None
    rows = [row for row, known in enumerate(observed.looks.days) if known <= day]
    return pairs_on(observed.rule, observed.looks.cumulative[rows[-1]], treatment, cuped=cuped) if rows else None


def _lowest(
    judge: Judge, observed: MetricObservation, now: Ruling, treatment: int, *, cuped: bool
) -> tuple[float | NoEstimate, float | NoEstimate]:
    """p_min over closed days and the difference on its day; without days (a table, a quantile) those of now."""
    if observed.looks is None:
        return now.comparison.anytime.p, now.comparison.difference
    closed = [row for row, day in enumerate(observed.looks.days) if judge.calendar.closed(day)]
    looks = [observed.looks.cumulative[row] for row in closed]
    nothing = NoEstimate(Reason.NOT_ENOUGH_UNITS if closed else Reason.BEFORE_FIRST_LOOK)
    lowest: tuple[float | NoEstimate, float | NoEstimate] = nothing, nothing
    for day in anytime_answers(judge, observed.rule, looks, treatment, cuped=cuped):
        p = day.answer.p
        if isinstance(day.pair, Pair) and not isinstance(p, NoEstimate):
            before = lowest[0]
            if isinstance(before, NoEstimate) or p < before:
                lowest = p, day.pair.treatment.value - day.pair.control.value
    return lowest


def _adjustment(rule: MetricRule, control: JointMoments, treatment: JointMoments) -> Adjustment | NoEstimate:
    if rule.is_ratio:
        names = {"y": "num", "d": "den", "x": "xnum", "e": "xden", "h": "has_history"}
        return adjust_ratios(columns_of(control, names), columns_of(treatment, names))
    names = {"y": "y", "x": "x", "h": "has_history"}
    return adjust_means(columns_of(control, names), columns_of(treatment, names))


def _quantile_arm(rule: MetricRule, sample: QuantileSample) -> Arm | NoEstimate:
    found = quantile_estimate(sample.histogram, rule.metric.q or 0.5, sample.clusters)
    return found if isinstance(found, NoEstimate) else found.arm


def _survey_reasons(observed: MetricObservation, treatment: int) -> tuple[str, ...]:
    bounds = SURVEYS.get(observed.rule.metric.type)
    if bounds is None or observed.responders is None:
        return ()
    arms = [arm_of(observed.rule, observed.arms[arm]) for arm in (0, treatment)]
    if any(isinstance(arm, NoEstimate) for arm in arms):
        return ()
    asked = [
        Responses(observed.arms[index].count, observed.responders[index], arm.value)
        for index, arm in zip((0, treatment), arms, strict=True)
        if isinstance(arm, Arm)
    ]
    return tuple(reason.value for reason in response_guard(asked[0], asked[1], *bounds).reasons)
