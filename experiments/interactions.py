"""Does the effect of an experiment depend on another one that runs over the same units at the same time."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final

from events.engine_sql import Expression, inline_table
from experiments.catalog import Catalog
from experiments.cube import FOREVER_US, Cube
from experiments.definition import Experiment
from experiments.judgement import pairs_on
from experiments.metrics import MetricRule
from experiments.observations import Observer
from experiments.readout_types import Check
from experiments.statements import statement
from experiments.statistics.arms import Pair
from experiments.statistics.interaction import Interaction, interaction
from experiments.statistics.moments import JointMoments
from experiments.statistics.multiplicity import holm
from experiments.study import Study

ALPHA: Final = 0.05
MOST_NEIGHBOURS: Final = 5


def interaction_checks(study: Study, cube: Cube, observer: Observer, catalog: Catalog) -> list[Check]:
    """One check for each other running experiment whose arms change the effect on the primary goal (Holm, 5 %)."""
    if study.experiment.status != "running":
        return []
    rule = cube.plan.rule(study.goals[0])
    if rule.metric.type == "quantile":
        return []
    checks: list[Check] = []
    for other in _neighbours(study.experiment, catalog)[:MOST_NEIGHBOURS]:
        _put_overlap(cube, other)
        observer.tabulate(rule)
        levels = observer.levels_of(rule, "overlap")
        found = contrasts(rule, levels, study.arms, [variant.key for variant in other.variants])
        checks += _checks(study, other, found)
    return checks


def contrasts(
    rule: MetricRule, levels: Mapping[str, Sequence[JointMoments]], arms: Sequence[str], others: Sequence[str]
) -> dict[tuple[str, str], Interaction]:
    """By variant and the other's variant: the effect there minus the effect among the other's control."""
    found: dict[tuple[str, str], Interaction] = {}
    for treatment, other in product(range(1, len(arms)), others[1:]):
        if others[0] not in levels or other not in levels:
            continue
        beside = [pairs_on(rule, levels[level], treatment, cuped=False)[0] for level in (others[0], other)]
        known = [pair for pair in beside if isinstance(pair, Pair)]
        contrast = interaction(known[0], known[1]) if len(known) == 2 else None
        if isinstance(contrast, Interaction):
            found[arms[treatment], other] = contrast
    return found


def _neighbours(experiment: Experiment, catalog: Catalog) -> list[Experiment]:
    """Others that run over the same kind of unit; experiments of one layer share no unit."""
    return [
        other
        for other in catalog.experiments.values()
        if other.key != experiment.key
        and other.status == "running"
        and other.unit == experiment.unit
        and not (other.layer and experiment.layer and other.layer.name == experiment.layer.name)
    ]


def _put_overlap(cube: Cube, other: Experiment) -> None:
    arms = [variant.key for variant in other.variants]
    unit = Expression.of("e.visitor_id" if other.unit == "visitor" else "e.user_id")
    cube.put("other_arms", inline_table({"variant": arms, "arm": range(len(arms))}))
    exposures = statement("exposures").tables(arms="other_arms")
    cube.put("other_exposures", exposures.bind(unit=unit, stop=FOREVER_US, experiment=other.key, phase=other.phase))
    units = statement("units").tables(exposures="other_exposures")
    cube.put("other_units", units.bind(exposed_on=cube.scope.days.sql("f.time")))
    cube.put("overlap", statement("overlap"))


def _checks(study: Study, other: Experiment, found: Mapping[tuple[str, str], Interaction]) -> list[Check]:
    corrected = holm([contrast.p for contrast in found.values()])
    return [
        Check(
            "interaction",
            f"{study.goals[0]}: the effect of {variant} differs between {other.variants[0].key} and {level}"
            f" of {other.key} by {contrast.difference:.4g} (p = {p:.2g}); read both together",
        )
        for ((variant, level), contrast), p in zip(found.items(), corrected, strict=True)
        if p <= ALPHA
    ]
