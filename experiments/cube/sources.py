"""Sources of the cube as SQL on a row `e` of the events view, which of them share a scan, and the caps of a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from events.authority import Authority
from events.engines.sql import Expression
from events.records import SURVEY_SCALES
from experiments.cube.measures import ENGAGEMENT, OWN_TYPES, SourceKey, Sums
from experiments.cube.scope import CubeScope
from experiments.cube.statements import Properties, condition, fields_of
from experiments.definitions.metrics import COLUMNS


def named(event: str) -> Expression:
    """Rows of the events view with this name."""
    if event in (ENGAGEMENT, *OWN_TYPES):
        return Expression.of("e.type = $type", type=event)
    return Expression.of("e.type = 'track' AND e.event = $event", event=event)


def valid_score(key: SourceKey) -> list[Expression]:
    """Answers to a survey that lie on its scale."""
    if key.score is None:
        return []
    low, high = SURVEY_SCALES[key.score]
    return [Expression.of("e.value >= $low AND e.value <= $high", low=float(low), high=float(high))]


def wanted_refunds(key: SourceKey, properties: Properties, purchases: str) -> list[Expression]:
    """Which refunds count, on a row `r` of them: of what kind, by their `where` and by that of their orders."""
    chosen = {
        "r.message_id IN (SELECT e.message_id FROM events AS e WHERE $wanted)": key.condition,
        f"r.order_key IN (SELECT e.order_key FROM {purchases} AS e WHERE $wanted)": key.order_condition,
    }
    kind = [] if key.event == "Order Refunded" else [Expression.of("r.event = 'Order Cancelled'")]
    return kind + [Expression.of(text, wanted=condition(where, properties)) for text, where in chosen.items() if where]


def rate_of(code: str, currency: str, rates: Mapping[str, float]) -> Expression:
    """What one unit of the currency `code` (SQL; NULL is the shop's own) is worth in the shop's; NULL: nobody says."""
    known = {currency: 1.0, **rates}
    case = " ".join(f"WHEN $code = $code_{index} THEN $rate_{index}" for index in range(len(known)))
    values = {f"code_{index}": name for index, name in enumerate(known)}
    worth = {f"rate_{index}": rate for index, rate in enumerate(known.values())}
    named = Expression.of(f"coalesce({code}, $currency)", currency=currency)
    return Expression.of(f"CASE {case} END", code=named, **values, **worth)


def event_amount(key: SourceKey, properties: Properties, rate: Expression) -> Expression:
    """What one event gives; of money what it is in the shop's currency, NULL where that has no `rate`."""
    match key.score:
        case "csat":
            return Expression.of("CASE WHEN e.value >= 4.0 THEN 1.0 ELSE 0.0 END")
        case "nps":
            return Expression.of("CASE WHEN e.value >= 9.0 THEN 100.0 WHEN e.value <= 6.0 THEN -100.0 ELSE 0.0 END")
        case "ces":
            return Expression.of("e.value")
        case None:
            pass
    number = properties.number(key.value)
    amount = Expression.of(f"coalesce({number}, e.value)" if key.value == "total" else number)
    return Expression.of("$amount * $rate", amount=amount, rate=factor_of(rate, key.sums))


def factor_of(rate: Expression, sums: Sums) -> Expression:
    """What an amount is multiplied by, NULL where it does not count: by the `rate` of its currency if it is money."""
    match sums:
        case "money":
            return rate
        case "beside_money":
            return Expression.of("CASE WHEN $rate IS NOT NULL THEN $one END", rate=rate, one=1.0)
        case "anything":
            return Expression.of("$one", one=1.0)


def chosen(tests: Sequence[Expression], results: Sequence[Expression], otherwise: str = "NULL") -> Expression:
    """CASE over the tests; a single test needs none, since the rows were filtered by it."""
    if len(tests) == 1:
        return results[0]
    case = Expression.of(otherwise)
    for test, result in zip(reversed(tests), reversed(results), strict=True):
        case = Expression.of("CASE WHEN $test THEN $result ELSE $other END", test=test, result=result, other=case)
    return case


def layers_of(sources: Iterable[SourceKey]) -> list[list[SourceKey]]:
    """Sources by scan: at most one of each event, so that a row has one source, and apart by what they know of.

    JSON is not read of the many events of a source that asks for none of it.
    """
    layers: list[list[SourceKey]] = []
    for key in sources:
        for layer in layers:
            if all(key.event != other.event and _scan(key) == _scan(other) for other in layer):
                layer.append(key)
                break
        else:
            layers.append([key])
    return layers


def _scan(key: SourceKey) -> tuple[Authority, bool]:
    """Of whom a source knows, and whether it reads JSON."""
    return key.authority, any(
        name not in COLUMNS and name != "value" for name in (*fields_of(key.condition), key.value)
    )


@dataclass(frozen=True, slots=True)
class Caps:
    """At what a unit's value (of a ratio: its numerator) and its denominator were cut; None where they were not."""

    high: float | None = None
    low: float | None = None
    base_high: float | None = None
    base_low: float | None = None


@dataclass(frozen=True, slots=True)
class StudyCaps:
    """The caps of each study of a cube, on rows that know their arm."""

    studies: tuple[Caps, ...]
    scope: CubeScope

    def none(self) -> "StudyCaps":
        """No caps at all."""
        return StudyCaps((Caps(),) * len(self.studies), self.scope)

    def of_value(self, text: str, arm: str) -> Expression:
        """The value after its caps."""
        return self._cut(text, arm, [(each.high, each.low) for each in self.studies])

    def of_base(self, text: str, arm: str) -> Expression:
        """The denominator after its caps."""
        return self._cut(text, arm, [(each.base_high, each.base_low) for each in self.studies])

    def _cut(self, text: str, arm: str, ends: Sequence[tuple[float | None, float | None]]) -> Expression:
        """What is zero stays zero: who bought nothing is not raised to the smallest purchase."""
        value = Expression.of(text)
        high = self._by_study(arm, [high for high, _ in ends])
        low = self._by_study(arm, [low if low is None or high is None else min(low, high) for high, low in ends])
        below = value if high is None else Expression.of("least($value, $high)", value=value, high=high)
        if low is None:
            return below
        raised = Expression.of("greatest($below, $low)", below=below, low=low)
        return Expression.of("CASE WHEN $value = 0.0 THEN 0.0 ELSE $raised END", value=value, raised=raised)

    def _by_study(self, arm: str, ends: Sequence[float | None]) -> Expression | float | None:
        """One bound for all where there is one; a study in which nobody brought anything has none, and needs none."""
        known = [0.0 if end is None else end for end in ends]
        if all(end is None for end in ends) or len(set(known)) == 1:
            return ends[0]
        cases = [f"WHEN {arm} < {self.scope.arms_of(study).stop} THEN {end!r}" for study, end in enumerate(known)]
        return Expression.of(f"CASE {' '.join(cases)} END")
