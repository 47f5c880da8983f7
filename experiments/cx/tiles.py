"""One KPI as it is shown: its value and days, what has changed since the time before, and how it stands to its target.

A change is called one only where its interval excludes 0 once all KPIs that are shown together are considered (Holm).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from experiments.answers.customers import KpiChange, KpiPoint, KpiReadout, Reach, ServiceTime, Unsaid
from experiments.cube.shop_days import calendar_date
from experiments.cx.asked import ExperienceQuery, Span
from experiments.cx.estimates import ALPHA, difference_of, interval_of
from experiments.cx.parts import POOLED, Counted, Grouped, Part, grouped
from experiments.definitions.shop import Kpi, Shop
from experiments.statistics.estimate import Interval, Want
from experiments.statistics.multiplicity import holm
from experiments.wording.customers import LEAST, SCALES, TITLES, kpi_sentence
from kit.time import DAY_US


@dataclass(frozen=True, slots=True)
class Times:
    """The days that are asked for, and those before that they are compared with."""

    span: Span
    before: Span | None
    window: int

    @property
    def windows(self) -> Iterator[Span]:
        """Of each day, the days that it looks back on."""
        for day in range(self.span.first, self.span.last + DAY_US, DAY_US):
            yield Span(day - (self.window - 1) * DAY_US, day)


def tiles_of(kpi: Kpi, part: Part, times: Times, query: ExperienceQuery, shop: Shop) -> list[KpiReadout]:
    """A KPI as a whole and by level, without what is known of all KPIs together."""
    levels: list[Grouped | None] = [None, *(grouped(part, times.span) if query.by else ())]
    return [_tile(kpi, part, level, times, query, shop) for level in levels]


def judged(tiles: Sequence[KpiReadout]) -> list[KpiReadout]:
    """The tiles with what has changed, in their order, each with its sentence.

    Wholes are a family, and levels are another one; what has no p counts in its family, as 1.
    """
    corrected: dict[int, float] = {}
    for whole in (True, False):
        family = [place for place, tile in enumerate(tiles) if (tile.level is None) is whole]
        ps = [tiles[place].p_adjusted for place in family]
        corrected.update(zip(family, holm([1.0 if p is None else p for p in ps]), strict=True))
    return [_judged(tile, corrected[place]) for place, tile in enumerate(tiles)]


def _judged(tile: KpiReadout, corrected: float) -> KpiReadout:
    p = None if tile.p_adjusted is None else corrected
    change: KpiChange | None = None
    if tile.difference is not None:
        good = (tile.difference > 0.0) == (tile.want == "up")
        change = "unclear" if p is None or p >= ALPHA else "better" if good else "worse"
    found = replace(tile, p_adjusted=p, change=change)
    return replace(found, sentence=kpi_sentence(found))


def _tile(kpi: Kpi, part: Part, group: Grouped | None, times: Times, query: ExperienceQuery, shop: Shop) -> KpiReadout:
    names = None if group is None else group.names
    counted, before = part.over(times.span, names), times.before and part.over(times.before, names)
    estimate = counted.estimate
    compared = before and difference_of(estimate, before.estimate)
    ci, want, target = interval_of(estimate), _want(kpi), shop.targets.get(kpi)
    reasons = [] if estimate.lack is None else [estimate.lack]
    if before and before.estimate.value is None:
        reasons.append(Unsaid.NOTHING_BEFORE)
    elif before and before.estimate.lack is not None:
        reasons.append(before.estimate.lack)
    survey = query.survey and query.survey.lower()
    if group is not None and query.by == "survey" and group.level != POOLED:
        survey = group.level
    return KpiReadout(
        kpi=kpi,
        title=TITLES[kpi],
        scale=SCALES[kpi],
        want=want,
        survey=survey,
        level=None if group is None else group.level,
        value=estimate.value,
        ci=ci,
        answers=counted.answers,
        asked=counted.asked,
        response_rate=counted.responded / counted.asked if counted.asked else None,
        unusable=counted.unusable,
        immature=counted.immature,
        previous=before.estimate.value if before else None,
        difference=compared.value if compared else None,
        difference_ci=compared.ci if compared else None,
        p_adjusted=compared.p if compared else None,
        change=None,
        target=target,
        reach=None if target is None or estimate.value is None else _reach(ci, want, target),
        reasons=tuple(dict.fromkeys(reasons)),
        sentence="",
        in_service=_service(counted, before or None),
        series=tuple(_points(part, names, times)),
    )


def _points(part: Part, names: Sequence[str] | None, times: Times) -> Iterator[KpiPoint]:
    for window in times.windows:
        found = part.over(window, names)
        yield KpiPoint(calendar_date(window.last), found.estimate.value, interval_of(found.estimate), found.answers)


def _want(kpi: Kpi) -> Want:
    return "down" if kpi in LEAST else "up"


def _reach(ci: Interval | None, want: Want, target: float) -> Reach:
    if ci is None:
        return "open"
    worst, best = (ci.low, ci.high) if want == "up" else (-ci.high, -ci.low)
    aim = target if want == "up" else -target
    return "met" if worst >= aim else "missed" if best < aim else "open"


def _service(counted: Counted, before: Counted | None) -> ServiceTime | None:
    if counted.service is None:
        return None
    earlier = before.service if before else None
    compared = difference_of(counted.service, earlier) if earlier else None
    return ServiceTime(
        counted.service.value,
        interval_of(counted.service),
        earlier.value if earlier else None,
        compared.value if compared else None,
        compared.ci if compared else None,
    )
