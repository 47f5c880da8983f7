"""One KPI as it is shown: its value and days, what has changed since the time before, and how it stands to its target.

A change is called one only where its interval excludes 0 once all KPIs that are shown together are considered (Holm).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from experiments.answers.customers import KpiPoint, KpiReadout, Reach, ServiceTime, Unsaid
from experiments.cube.shop_days import calendar_date
from experiments.cx.asked import ExperienceQuery, Span
from experiments.cx.estimates import ALPHA, difference_of, interval_of
from experiments.cx.parts import POOLED, Counted, Grouped, KpiPart, grouped
from experiments.definitions.shop import Kpi, Shop
from experiments.statistics.estimate import Interval, Want
from experiments.statistics.multiplicity import holm
from experiments.wording.customers import LEAST, SCALES, TITLES, kpi_sentence
from kit.time import DAY_US
from kit.values import small_letters


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


@dataclass(frozen=True, slots=True)
class Tiles:
    """How KPIs are shown: of which days, split by what, and with the targets of the shop."""

    times: Times
    query: ExperienceQuery
    shop: Shop

    def of(self, kpi: Kpi, part: KpiPart) -> Iterator[KpiReadout]:
        """A KPI as a whole and by level, without what is known of all KPIs together."""
        yield self._tile(kpi, part, None)
        for group in grouped(part, self.times.span) if self.query.by else ():
            yield self._tile(kpi, part, group)

    def _tile(self, kpi: Kpi, part: KpiPart, group: Grouped | None) -> KpiReadout:
        times, names = self.times, None if group is None else group.names
        counted, before = part.over(times.span, names), times.before and part.over(times.before, names)
        estimate, ci = counted.estimate, interval_of(counted.estimate)
        compared = before and difference_of(estimate, before.estimate)
        reasons = [] if estimate.lack is None else [estimate.lack]
        if before and before.estimate.value is None:
            reasons.append(Unsaid.NOTHING_BEFORE)
        elif before and before.estimate.lack is not None:
            reasons.append(before.estimate.lack)
        want: Want = "down" if kpi in LEAST else "up"
        target = self.shop.targets.get(kpi)
        windows = ((window, part.over(window, names)) for window in times.windows)
        return KpiReadout(
            kpi=kpi,
            title=TITLES[kpi],
            unit=SCALES[kpi],
            want=want,
            survey=self._survey(group),
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
            reach=None if target is None or estimate.value is None else reach_of(ci, want, target),
            reasons=tuple(dict.fromkeys(reasons)),
            sentence="",
            in_service=service_time(counted, before or None),
            series=tuple(
                KpiPoint(calendar_date(window.last), found.estimate.value, interval_of(found.estimate), found.answers)
                for window, found in windows
            ),
        )

    def _survey(self, group: Grouped | None) -> str | None:
        """Of which survey a tile is."""
        if self.query.by == "survey" and group is not None and group.level != POOLED:
            return group.level
        return None if self.query.survey is None else small_letters(self.query.survey)


def reach_of(ci: Interval | None, want: Want, target: float) -> Reach:
    """How an interval stands to a target."""
    if ci is None:
        return "open"
    worst, best, aim = (ci.low, ci.high, target) if want == "up" else (-ci.high, -ci.low, -target)
    return "met" if worst >= aim else "missed" if best < aim else "open"


def service_time(counted: Counted, before: Counted | None) -> ServiceTime | None:
    """A time in hours of service, where these are known."""
    if counted.service is None:
        return None
    earlier = before.service if before else None
    compared = difference_of(counted.service, earlier) if earlier else None
    ci, difference_ci = interval_of(counted.service), compared.ci if compared else None
    previous, difference = earlier.value if earlier else None, compared.value if compared else None
    return ServiceTime(counted.service.value, ci, previous, difference, difference_ci)


def with_changes(tiles: Sequence[KpiReadout]) -> list[KpiReadout]:
    """The tiles with what has changed, in their order, each with its sentence.

    Wholes are a family, and levels are another one; what has no p counts in its family, as 1.
    """
    found = list(tiles)
    for whole in (True, False):
        family = [place for place, tile in enumerate(tiles) if (tile.level is None) is whole]
        ps = [tiles[place].p_adjusted for place in family]
        for place, known, p in zip(family, ps, holm([1.0 if p is None else p for p in ps]), strict=True):
            tile, change = tiles[place], None
            if tile.difference is not None:
                good = (tile.difference > 0.0) == (tile.want == "up")
                change = "unclear" if known is None or p >= ALPHA else "better" if good else "worse"
            tile = replace(tile, p_adjusted=None if known is None else p, change=change)
            found[place] = replace(tile, sentence=kpi_sentence(tile))
    return found
