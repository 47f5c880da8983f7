"""The values of a quantile, per arm and level: of units, or of the events themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from events.engines.sql import Expression, inline_table
from experiments.cube.cube import Cube
from experiments.cube.measures import MetricRule
from experiments.cube.sources import event_amount
from experiments.cube.statements import statement
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.moments import JointMoments
from experiments.statistics.quantiles import Histogram

Place = tuple[int, str]  # arm and level


@dataclass(frozen=True, slots=True)
class QuantileSample:
    """One arm's values, and how many units it has; where events are sampled, `clusters` has per unit num: at or below
    the quantile, den: all."""

    histogram: Histogram
    clusters: JointMoments | None
    units: int


NO_SAMPLE: Final = QuantileSample(Histogram.from_columns([], []), None, 0)


def prepare_samples(cube: Cube, rule: MetricRule, through_day: int | None = None) -> None:
    """Materialise the events that a quantile over events samples: all, or those until a shop day."""
    day = cube.scope.days.sql("e.time")
    so_far = "TRUE" if through_day is None else "$day <= $through"
    values = {} if through_day is None else {"day": day, "through": through_day}
    key = cube.plan.sources[rule.source]
    attributed = cube.attributed_orders if key.kind == "orders" else cube.attributed
    bound = attributed(
        "samples",
        amount=event_amount(key, cube.plan.properties, cube.rate()),
        named=cube.events_of(key),
        until=rule.window.end_us,
        so_far=Expression.of(so_far, **values),
    )
    cube.put("samples", bound.tables(**cube.among(key.authority)))


def samples_by_level(
    cube: Cube, rule: MetricRule, levels: str, units: Mapping[Place, tuple[int, int]]
) -> dict[Place, QuantileSample]:
    """The sample of each arm on each level; `levels` is the table of levels, `units` how many units stand there."""
    found = cube.engine.columns(
        statement("sample_histogram" if rule.over_events else "histogram").tables(levels=levels)
    )
    names, number = np.unique(found["level"].astype(np.str_), return_inverse=True)
    numbers = {str(name): index for index, name in enumerate(names)}
    histograms: dict[Place, Histogram] = {}
    for (arm, level), (total, _) in units.items():
        here = (found["arm"] == arm) & (number == numbers.get(level, -1))
        values, counts = found["value"][here], found["n"][here].astype(np.int64)
        silent = 0 if rule.over_events else total - int(counts.sum())  # units without any value are zero
        histograms[arm, level] = Histogram.from_columns(np.append(values, 0.0), np.append(counts, silent))
    clusters = _clusters(cube, rule, levels, histograms, units) if rule.over_events else {}
    return {
        place: QuantileSample(histogram, clusters.get(place), units[place][0])
        for place, histogram in histograms.items()
    }


def _clusters(
    cube: Cube,
    rule: MetricRule,
    levels: str,
    histograms: Mapping[Place, Histogram],
    units: Mapping[Place, tuple[int, int]],
) -> dict[Place, JointMoments]:
    quantiles = {place: histogram.quantile(rule.metric.q or 0.5) for place, histogram in histograms.items()}
    known = {place: value for place, value in quantiles.items() if not isinstance(value, NoEstimate)}
    if not known:
        return {}
    columns = {"arm": [arm for arm, _ in known], "level": [level for _, level in known], "value": [*known.values()]}
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
