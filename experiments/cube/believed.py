"""How far a readout is believed: who told of its conversions, whose orders nobody knows, which refunds had no power."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from events.authority import WORDS, Authority
from events.engines.sql import Expression
from events.views.orders import HAS_POWER
from experiments.cube.cube import Cube
from experiments.cube.measures import MetricRule
from experiments.cube.statements import statement


@dataclass(frozen=True, slots=True)
class OrderTrust:
    """Orders of a study that backends told: `known` to be a unit's by more than a page, or `joined_by_page`; those that
    are `contested` by several pages and count for nobody; refunds that were `powerless`."""

    known: int = 0
    joined_by_page: int = 0
    contested: int = 0
    powerless: int = 0


@dataclass(frozen=True, slots=True)
class Believed:
    """`conversions` by arm of the study (its number there) and by the word of the authority."""

    conversions: tuple[Mapping[str, int], ...]
    orders: OrderTrust = field(default_factory=OrderTrust)
    second_users: int = 0


def believed(cube: Cube, study: int, rule: MetricRule) -> Believed:
    """Of a study whose cube is built; the conversions are the events that `rule` counts in its window.

    A conversion is believed as far as the least of what it rests on: who told of it, and who said whose it is.
    """
    return Believed(_conversions(cube, study, rule), _order_trust(cube, study), _second_users(cube, study))


def _conversions(cube: Cube, study: int, rule: MetricRule) -> tuple[Mapping[str, int], ...]:
    rows, arms = cube.once(statement("conversions")), cube.scope.arms_of(study)
    first, last = cube.plan.segment(rule.window.start_us), cube.plan.segment(rule.window.end_us)
    found = [dict.fromkeys(reversed(WORDS), 0) for _ in arms]
    columns = (rows[name].tolist() for name in ("arm", "source", "segment", "authority", "n"))
    for arm, source, segment, authority, n in zip(*columns, strict=True):
        if arm in arms and source == rule.source and first <= segment < last:
            found[arm - arms.start][Authority(authority).word] += int(n)
    return tuple(found)


def _order_trust(cube: Cube, study: int) -> OrderTrust:
    if "order_owners" not in cube.tables:
        return OrderTrust()
    ranks = {"page": int(Authority.PAGE), "backend": int(Authority.BACKEND)}
    rows = cube.once(cube.attributed("order_trust", has_power=HAS_POWER, **ranks))
    found = zip(rows["study"].tolist(), rows["name"].tolist(), rows["n"].tolist(), strict=True)
    return OrderTrust(**{str(name): int(n) for own, name, n in found if own == study})


def _second_users(cube: Cube, study: int) -> int:
    if "edges" not in cube.tables:
        return 0
    named = Expression.of("e.visitor_id" if cube.scope.unit == "visitor" else "e.user_id")
    rows = cube.once(statement("second_users").bind(named=named))
    return int(rows["n"][rows["study"] == study].sum())
