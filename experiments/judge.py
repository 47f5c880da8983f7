"""How comparisons are judged: the plan, which days count, the question each comparison is asked."""

from dataclasses import dataclass

from experiments.definition import Plan
from experiments.statistics.bayesian import Prior
from experiments.statistics.comparison import Question
from experiments.statistics.group_sequential import Look, equal_looks


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days count: looks are closed shop days, never calls. `first_day` is that of the first exposure.

    Days are integers of `experiments.shop_days`; None where there are none (an imported table).
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
