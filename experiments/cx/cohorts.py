"""Who came back, and who bought again: shares of those who were new on some days, and are old enough to tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from events.engines.duckdb import Columns
from experiments.answers.customers import Unsaid
from experiments.cx.asked import Span
from experiments.cx.estimates import share
from experiments.cx.parts import Counted, Levels, Mask, Whole, level_column, on_days

SPLITS: Final = ("device", "country")


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """People by the shop day on which they were new; `old_enough` are those whose days are over, `came` who did it."""

    day: Whole
    old_enough: Mask
    came: Mask
    split: Levels | None

    @classmethod
    def of(cls, people: Columns, did: str, by: str | None, days_us: int, now_us: int) -> Self:
        """Of people who are new, whether they `did` it (a column) within so many µs since."""
        over = people["first_at"] + days_us <= now_us
        return cls(people["day"], over, people[did] == 1, level_column(people, by, SPLITS))

    @property
    def levels(self) -> Sequence[str]:
        """On what, or from where they first came."""
        return self.split.names if self.split is not None else ()

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """Of who was new on these days."""
        new = on_days(self.day, span)
        if levels is not None and self.split is not None:
            new &= self.split.chosen(levels)
        ready = new & self.old_enough
        of, young = int(ready.sum()), int((new & ~self.old_enough).sum())
        lack = Unsaid.ALL_TOO_YOUNG if young else Unsaid.NOTHING_YET
        return Counted(share(int((ready & self.came).sum()), of, lack), of, immature=young)
