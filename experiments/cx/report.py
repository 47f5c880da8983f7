"""Customers' experience of some shop days: every KPI as a whole, by level, day by day, and against the time before."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from experiments.answers.encoding import plain
from experiments.catalog.catalog import Catalog
from experiments.cube.shop_days import shop_days
from experiments.cx.asked import MOST_DAYS, ExperienceQuery, UnknownSegment, span_of
from experiments.cx.gathering import Gathering, told_properties
from experiments.cx.journeys import journey_of, stages_of
from experiments.cx.kpis import KpiParts
from experiments.cx.surveys import named_kinds
from experiments.cx.tiles import Tiles, Times, with_changes
from experiments.readout.read import Readouts
from kit.time import DAY_US, microseconds

COLUMNS: Final = (
    "kpi", "survey", "level", "date", "value", "ci_low", "ci_high", "answers", "asked", "response_rate", "unusable",
    "immature", "previous", "difference", "difference_ci_low", "difference_ci_high", "p_adjusted", "change", "target",
    "reach", "sentence",
)  # fmt: skip
"""Of the flat table: of each KPI and level a row for the whole time, without a date, and one for each day."""
_REACH_US: Final = 3 * MOST_DAYS * DAY_US  # how far back a period, the one before and a window go


def customer_experience(readouts: Readouts, catalog: Catalog, query: ExperienceQuery) -> dict[str, Any]:
    """The answer. Raises InvalidDate, UnknownKpi, UnknownSegment, UnknownSurvey and UncountableCondition."""
    as_of = readouts.as_of(query.look)
    now_us, shop = microseconds(as_of), catalog.shop
    if query.segment is not None and query.segment not in catalog.segments:
        raise UnknownSegment(query.segment, catalog.segments)
    segment = None if query.segment is None else catalog.segments[query.segment].where
    days = shop_days(shop.timezone, now_us - _REACH_US, now_us)
    span, kpis = span_of(query, days.day(now_us)), query.kpis
    days = shop_days(shop.timezone, days.moment(span.first) - _REACH_US, now_us)
    times = Times(span, span.before if query.compare else None, query.window)
    since = min(span.first - (query.window - 1) * DAY_US, times.before.first if times.before else span.first)
    wheres = [*(stage.where for stage in stages_of(shop)), segment or {}]
    properties, snapshot = told_properties(wheres), readouts.log.snapshot()
    with readouts.log.open(snapshot, None, properties.names) as engine:
        gathering = Gathering(engine, days, properties, since, now_us, segment, named_kinds(catalog.metrics.values()))
        gathering.tell()
        parts = KpiParts(gathering, shop, query)
        shown_as = Tiles(times, query, shop)
        tiles = [tile for kpi in kpis for tile in shown_as.of(kpi, parts.of(kpi))]
        unusable, journey = parts.unusable(span), journey_of(gathering, shop, span)
    shown, watermark = readouts.moments(query.look, snapshot, as_of)
    first, last = span.dates
    previous_first, previous_last = times.before.dates if times.before else (None, None)
    found = {
        "from": first,
        "to": last,
        "timezone": shop.timezone,
        "window": query.window,
        "by": query.by,
        "segment": query.segment,
        "previous_from": previous_first,
        "previous_to": previous_last,
        "as_of": shown,
        "watermark": watermark,
        "pending": query.look.pending,
        "unusable": unusable,
        "kpis": with_changes(tiles),
        "journey": journey,
    }
    told = plain(found)
    for tile in told["kpis"]:
        tile.setdefault("response_rate", None)
    return told


def experience_rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the flat table."""
    for kpi in found["kpis"]:
        whole = {name: kpi.get(name) for name in COLUMNS}
        yield whole | _ends("ci", kpi["ci"]) | _ends("difference_ci", kpi["difference_ci"])
        named = {name: kpi[name] for name in ("kpi", "survey", "level")}
        for point in kpi["series"]:
            yield named | {name: point[name] for name in ("date", "value", "answers")} | _ends("ci", point["ci"])


def _ends(name: str, interval: list[float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}
