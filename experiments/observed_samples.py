"""The values of a quantile metric: exact histograms per arm and level, and how events cluster in units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from events.engine_sql import Expression, inline_table
from experiments.cube import Cube
from experiments.metrics import MetricRule
from experiments.statements import statement
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram

CENTS: Final = 100.0
Place = tuple[int, str]  # arm and level


@dataclass(frozen=True, slots=True)
class QuantileSample:
    """One arm's values; where events are sampled, `clusters` has per unit num: at or below the quantile, den: all."""

    histogram: Histogram
    clusters: JointMoments | None


def prepare_samples(cube: Cube, rule: MetricRule, through_day: int | None = None) -> None:
    """Materialise the events that a quantile over events samples: all, or those until a shop day."""
    day = cube.scope.days.sql("e.time")
    so_far = "TRUE" if through_day is None else "$day <= $through"
    values = {} if through_day is None else {"day": day, "through": through_day}
    key = cube.plan.sources[rule.source]
    bound = cube.attributed(
        "samples",
        amount=cube.amount_of(key),
        named=cube.events_of(key),
        until=rule.window.end_us,
        so_far=Expression.of(so_far, **values),
        currency=cube.scope.currency,
    )
    cube.put("samples", bound.tables(events="purchases" if key.kind == "orders" else "events"))


def samples_by_level(
    cube: Cube, rule: MetricRule, levels: str, units: Mapping[Place, tuple[int, int]]
) -> dict[Place, QuantileSample]:
    """The sample of each arm on each level; `levels` is the table of levels, `units` how many units stand there."""
    name = "sample_histogram" if rule.over_events else "histogram"
    rows = cube.engine.rows(statement(name).tables(levels=levels))
    counts: dict[Place, dict[int, int]] = {place: {} for place in units}
    for arm, level, cents, n in rows:
        counts[int(arm), str(level)][int(cents)] = int(n)
    if not rule.over_events:
        for place, (total, _) in units.items():
            silent = total - sum(counts[place].values())
            counts[place][0] = counts[place].get(0, 0) + silent
    histograms = {place: _histogram(found) for place, found in counts.items()}
    clusters = _clusters(cube, rule, levels, histograms, units) if rule.over_events else {}
    return {place: QuantileSample(histogram, clusters.get(place)) for place, histogram in histograms.items()}


def _histogram(cents: Mapping[int, int]) -> Histogram:
    filled = sorted((value, count) for value, count in cents.items() if count)
    return Histogram.from_columns([value / CENTS for value, _ in filled], [count for _, count in filled])


def _clusters(
    cube: Cube,
    rule: MetricRule,
    levels: str,
    histograms: Mapping[Place, Histogram],
    units: Mapping[Place, tuple[int, int]],
) -> dict[Place, JointMoments]:
    quantiles = {place: histogram.quantile(rule.metric.q or 0.5) for place, histogram in histograms.items()}
    known = {
        place: float(round(value * CENTS)) for place, value in quantiles.items() if not isinstance(value, NoEstimate)
    }
    if not known:
        return {}
    columns = {"arm": [arm for arm, _ in known], "level": [level for _, level in known], "cents": [*known.values()]}
    cube.put("thresholds", inline_table(columns))
    return {
        (int(arm), str(level)): JointMoments.from_sums(
            units[int(arm), str(level)][0],
            {"num": float(below), "den": float(events)},
            {("num", "num"): float(b_b), ("num", "den"): float(b_e), ("den", "den"): float(e_e)},
        )
        for arm, level, _, below, events, b_b, b_e, e_e in cube.engine.rows(
            statement("sample_clusters").tables(levels=levels)
        )
    }
