"""What each metric needs of the cube: its sources, its window, its cap. Pure; the SQL is bound elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import msgspec

from events.authority import Authority, of_word
from experiments.cube.statements import Properties, properties_of
from experiments.definitions.content import canonical
from experiments.definitions.shop import Cap, Metric, RatioPart
from kit.time import SECOND_US

ORDER: Final = "Order Completed"
REFUNDS: Final = ("Order Refunded", "Order Cancelled")
ENGAGEMENT: Final = "engagement"
ENGAGED: Final = "engaged_seconds"
PAGE: Final = "page"
OWN_TYPES: Final = ("page", "screen", "identify", "group")  # events that have a type of their own, and no name
NONE: Final = -1
ONCE: Final = Cap(fixed=1.0)
UNCUT: Final = Cap()

SourceKind = Literal["events", "orders", "refunds", "engagement", "page_times", "funnel"]
Field = Literal["events", "amount", "convertible"]
Sums = Literal["money", "anything", "beside_money"]
Score = Literal["csat", "nps", "ces"]
SURVEYS: Final[Mapping[str, tuple[float, float]]] = {"csat": (0.0, 1.0), "nps": (-100.0, 100.0), "ces": (1.0, 7.0)}


@dataclass(frozen=True, slots=True)
class MetricWindow:
    """Half-open time since exposure, in µs."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class SourceKey:
    """What events of one kind give: two metrics with equal keys share their rows of the cube.

    `window` (and `within_us`, the time of a refund after its order, `order_where`, which orders count,
    `order_value`, what refunds can take off) only where the rows depend on it. `sums` says whether `value` is money, to
    be turned into the shop's currency, else whether it is summed of all events or, as it stands beside money in a
    ratio, only of those whose money could be. Of what is believed less than `authority` the source knows nothing.
    """

    kind: SourceKind
    event: str
    value: str = "value"
    where: bytes = b"{}"
    score: Score | None = None
    steps: tuple[str, ...] = ()
    window: MetricWindow | None = None
    within_us: int | None = None
    order_where: bytes = b"{}"
    order_value: str = "value"
    sums: Sums = "money"
    authority: Authority = Authority.PAGE

    @property
    def condition(self) -> dict[str, Any]:
        """The `where` as a mapping."""
        return msgspec.json.decode(self.where)

    @property
    def order_condition(self) -> dict[str, Any]:
        """The `order_where` as a mapping."""
        return msgspec.json.decode(self.order_where)


@dataclass(frozen=True, slots=True)
class MetricRule:
    """How a metric is read from the cube. Sources are indexes of the plan's sources; NONE where there is none.

    `cap` holds for what a unit brought (of a ratio: its numerator), `base_cap` for its denominator.
    """

    metric: Metric
    window: MetricWindow
    source: int
    field: Field
    taken: int = NONE
    base: int = NONE
    base_field: Field = "events"
    cap: Cap = UNCUT
    base_cap: Cap = UNCUT
    closed_window: bool = False  # only units whose window has closed
    over_events: bool = False  # a quantile whose sample is the events, not the units
    estimated: bool = False  # engaged time that page events tell, not beats
    money: bool = False  # only events count whose money can be said in the shop's currency, also as a denominator
    cuped: bool = False  # adjusted for what was known before the exposure

    @property
    def name(self) -> str:
        return self.metric.name

    @property
    def is_ratio(self) -> bool:
        return self.base != NONE

    @property
    def is_share(self) -> bool:
        """Whether a unit's value is 0 or 1."""
        return self.metric.type in ("proportion", "retention", "funnel")

    @property
    def never_negative(self) -> bool:
        """Whether no unit's value can lie below 0: numbers of events and times. An amount may, as refunds do."""
        if self.metric.type in ("csat", "ces"):
            return True
        counted = self.field == "events" and (not self.is_ratio or self.base_field == "events")
        timed = self.metric.event in (ENGAGEMENT, PAGE) and self.metric.value == ENGAGED
        return self.taken == NONE and (counted or timed)


@dataclass(frozen=True, slots=True)
class CubePlan:
    """All that one cube must hold: sources, the boundaries of its segments (µs since exposure), the properties read."""

    rules: tuple[MetricRule, ...]
    sources: tuple[SourceKey, ...]
    boundaries: tuple[int, ...]
    properties: Properties
    dimensions: tuple[str, ...]
    lookback_us: int

    def segment(self, boundary_us: int) -> int:
        """The first segment at or after a boundary."""
        return self.boundaries.index(boundary_us)

    def names(self, rule: MetricRule) -> tuple[str, ...]:
        """The events that a metric counts."""
        read = (self.sources[index] for index in (rule.source, rule.taken, rule.base) if index != NONE)
        return tuple(dict.fromkeys(name for key in read for name in (key.steps or (key.event,))))

    def rule(self, name: str) -> MetricRule:
        """The rule of a metric."""
        return next(rule for rule in self.rules if rule.name == name)


def cube_plan(metrics: Iterable[Metric], lookback_seconds: int, dimensions: Iterable[str] = ()) -> CubePlan:
    """The plan of one cube for these metrics; `lookback_seconds` 0 switches the covariate off."""
    sources = _Sources()
    rules = tuple(
        replace(
            _rule(metric, replace(sources, authority=of_word(metric.source))),
            cuped=lookback_seconds > 0 and metric.type not in ("quantile", "funnel"),
        )
        for metric in metrics
    )
    lookback_us = lookback_seconds * SECOND_US
    boundaries = {0, -lookback_us}
    for rule in rules:
        boundaries |= {rule.window.start_us, rule.window.end_us}
    named = [
        name
        for key in sources.found
        for name in (*properties_of(key.condition), key.value)
        if name not in ("value", ENGAGED)
    ]
    properties = tuple(dict.fromkeys((*named, "refund_id", "final", *dimensions)))
    return CubePlan(
        rules=rules,
        sources=tuple(sources.found),
        boundaries=tuple(sorted(boundaries)),
        properties=Properties(properties),
        dimensions=tuple(dimensions),
        lookback_us=lookback_us,
    )


@dataclass(slots=True)
class _Sources:
    found: list[SourceKey] = field(default_factory=list[SourceKey])
    authority: Authority = Authority.PAGE  # of the sources that are asked for now

    def index(self, key: SourceKey) -> int:
        key = replace(key, authority=self.authority)
        if key not in self.found:
            self.found.append(key)
        return self.found.index(key)

    def estimated(self, *sources: int) -> bool:
        return any(self.found[source].kind == "page_times" for source in sources)


def _rule(metric: Metric, sources: _Sources) -> MetricRule:
    where = canonical(metric.where)
    match metric.type:
        case "ratio":
            return _ratio(metric, sources)
        case "csat" | "nps" | "ces":
            key = SourceKey("events", metric.event or "", where=where, score=metric.type)
            source = sources.index(key)
            return MetricRule(metric, _window(metric), source, "amount", base=source, base_field="events")
        case "funnel":
            window = _window(metric)
            key = SourceKey("funnel", metric.steps[-1], steps=metric.steps, window=window, where=where)
            return MetricRule(metric, window, sources.index(key), "events", cap=ONCE, closed_window=True)
        case "retention":
            window = MetricWindow((metric.from_seconds or 0) * SECOND_US, (metric.to_seconds or 0) * SECOND_US)
            source = sources.index(_key(metric.event or "", None, where, window))
            return MetricRule(metric, window, source, "events", cap=ONCE, closed_window=True)
        case "proportion" | "count":
            window = _window(metric)
            source = sources.index(_key(metric.event or "", None, where, window))
            cap = ONCE if metric.type == "proportion" else metric.cap or UNCUT
            return MetricRule(metric, window, source, "events", cap=cap)
        case "mean" | "quantile":
            return _mean(metric, sources)


def _mean(metric: Metric, sources: _Sources) -> MetricRule:
    window, money = _window(metric), _is_money(metric.value, metric.money)
    sums: Sums = "money" if money else "anything"
    source = sources.index(_key(metric.event or "", metric.value, canonical(metric.where), window, sums=sums))
    taken = NONE
    if metric.subtract is not None:
        within = metric.subtract.within_seconds
        within_us = None if within is None else within * SECOND_US
        key = _key(metric.subtract.event, metric.subtract.value, b"{}", window, within_us, sums)
        taken = sources.index(_of_orders(key, sources.found[source]))
    over_events = metric.type == "quantile" and sources.found[source].kind in ("events", "orders")
    return MetricRule(
        metric, window, source, "amount",
        taken=taken, cap=metric.cap or UNCUT, over_events=over_events,
        estimated=sources.estimated(source), money=money,
    )  # fmt: skip


def _ratio(metric: Metric, sources: _Sources) -> MetricRule:
    window = _window(metric)
    above, below = metric.numerator, metric.denominator
    if above is None or below is None:
        raise ValueError(f"metric {metric.name}: a ratio needs a numerator and a denominator")
    money = any(_is_money(part.sum, part.money) for part in (above, below))
    counts: Field = "convertible" if money else "events"
    key, base_key = (
        _key(part.event, part.sum, canonical({**metric.where, **part.where}), window, sums=_sums(part, beside=money))
        for part in (above, below)
    )
    source, base = (sources.index(each) for each in (_of_orders(key, base_key), base_key))
    return MetricRule(
        metric, window,
        source=source,
        field=counts if above.count else "amount",
        base=base,
        base_field=counts if below.count else "amount",
        cap=above.cap or UNCUT,
        base_cap=below.cap or UNCUT,
        estimated=sources.estimated(source, base),
        money=money,
    )  # fmt: skip


def _is_money(value: str | None, declared: bool | None) -> bool:
    """Whether a sum is of money: it is unless the metric says otherwise, because foreign money may not be added up."""
    return value not in (None, ENGAGED) and declared is not False


def _sums(part: RatioPart, *, beside: bool) -> Sums:
    if part.count or _is_money(part.sum, part.money):
        return "money"
    return "beside_money" if beside else "anything"


def _of_orders(refunds: SourceKey, orders: SourceKey) -> SourceKey:
    """A refund counts only if its order does."""
    joined = refunds.kind == "refunds" and orders.kind == "orders"
    if not joined:
        return refunds
    return replace(refunds, order_where=orders.where, order_value=_own_amount(orders.value))


def _key(
    event: str,
    value: str | None,
    where: bytes,
    window: MetricWindow,
    within_us: int | None = None,
    sums: Sums = "money",
) -> SourceKey:
    if event == ENGAGEMENT and value in (None, ENGAGED):
        return SourceKey("engagement", event, ENGAGED, where, window=window)
    if event == PAGE and value == ENGAGED:
        return SourceKey("page_times", event, ENGAGED, where, window=window)
    if event in REFUNDS:
        amount = _own_amount(_value(value))
        return SourceKey("refunds", event, amount, where, window=window, within_us=within_us, sums=sums)
    return SourceKey("orders" if event == ORDER else "events", event, _value(value), where, sums=sums)


def _value(value: str | None) -> str:
    """`value` is the log's own column; any other name is a property."""
    return "value" if value is None or value in ("revenue", "score") else value


def _own_amount(value: str) -> str:
    """Of orders and refunds the total is the log's own value."""
    return "value" if value == "total" else value


def _window(metric: Metric) -> MetricWindow:
    return MetricWindow(0, metric.window_seconds * SECOND_US)
