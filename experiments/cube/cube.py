"""Builds the one unit × day cube of a readout on an engine: exposures, units, who owns which event, then the cube."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from events.authority import Authority
from events.engines.duckdb import Columns, Engine
from events.engines.sql import Expression, Statement, all_of, any_of, union_all
from events.views.orders import ORDER_VIEWS, OWN_COLUMNS, order_claims, order_views, refunds, view
from experiments.cube.measures import NONE, CubePlan, MetricRule, SourceKey, Sums
from experiments.cube.scope import CubeScope, Enrolment, arms_table, enrolled
from experiments.cube.sources import (
    chosen,
    event_amount,
    factor_of,
    layers_of,
    named,
    rate_of,
    valid_score,
    wanted_refunds,
)
from experiments.cube.statements import condition, fields_of, statement
from kit.time import SECOND_US

VISIT_US: Final = 30 * 60 * SECOND_US  # a history is an earlier visit, not the page view that led to the exposure

MOST_LEVELS: Final = 50  # of a dimension; an attribute that pages send may have any number
OTHER_LEVELS: Final = "other"


@dataclass
class Cube:
    """The cube and the tables that it is made of. `tables` are kept for the SQL that is shown to analysts."""

    engine: Engine
    scope: CubeScope
    plan: CubePlan
    tables: dict[str, Statement] = field(default_factory=dict[str, Statement])
    _answers: dict[str, Columns] = field(default_factory=dict[str, Columns])
    _others: tuple[Enrolment, ...] = ()

    def build(self) -> None:
        """Materialise everything, once."""
        if "owners" not in self.tables:
            self.expose()
        for dimension in self.plan.dimensions:
            # the attribute at the first exposure; what the log knows of the device stands in where it was not given,
            # and the site of a key goes before what anybody said
            text = self.plan.properties.attribute(dimension)
            level = f"coalesce({text}, e.{dimension})" if dimension in ("device", "country") else text
            level = f"coalesce(e.site, {text})" if dimension == "site" else level
            levels = statement("levels").bind(level=Expression.of(level), most=MOST_LEVELS, other=OTHER_LEVELS)
            self.put(levels_table(self.plan, dimension), levels)
        for authority in sorted({Authority.PAGE, *(key.authority for key in self.plan.sources)}):
            self._relate(authority)
            lookback = max(self.plan.lookback_us, VISIT_US)
            self.put_among(authority, "histories", self.attributed("histories", lookback=lookback, visit=VISIT_US))
            keys = [key for key in self.plan.sources if key.authority is authority]
            if any(key.kind in ("orders", "refunds", "funnel") for key in keys):
                self._purchases(authority)
            if any(key.kind == "refunds" for key in keys):
                refund_id = self.plan.properties.text("refund_id")
                self.put_among(authority, "refunds", refunds(refund_id))
                self.put_among(authority, "returned", self._returned("money"))
        self.put("cube", union_all([*self._event_layers(), *self._own_layers(), _EMPTY]))
        for name in self.tables:
            if name.startswith(("beats_", "page_times_", "steps_")):
                self.engine.drop(name)

    def expose(self) -> None:
        """Exposures, units (by first exposure) and which unit each event belongs to."""
        scope = self.scope
        self.put("arms", arms_table(scope.enrolments))
        unit = Expression.of("e.visitor_id" if scope.unit == "visitor" else "e.user_id")
        if scope.identity == "first_touch":
            self.put("edges", view("edges").bind(known_until=scope.known_until_us))
        if scope.site is None:
            exposures = statement("exposures").bind(unit=unit, enrolled=enrolled(scope.enrolments))
        elif scope.site.held_back is None:
            exposures = statement("site_exposures").bind(since=scope.site.since_us, unit=unit, stop=scope.stop_us)
        else:
            exposures = self._arrived(scope.site.since_us, scope.site.held_back, unit)
        self.put("exposures", exposures)
        self.put("units", self._units())
        self._relate(Authority.PAGE)

    def overlap(self, others: Sequence[Enrolment]) -> None:
        """The units that are in other experiments as well, by the arm of each, numbered over all of `others`."""
        if not others:
            return
        self._others = tuple(others)
        unit = Expression.of("e.visitor_id" if self.scope.unit == "visitor" else "e.user_id")
        self.put("other_arms", arms_table(others))
        exposures = statement("exposures").tables(arms="other_arms")
        self.put("other_exposures", exposures.bind(unit=unit, enrolled=enrolled(others)))
        self.put("other_units", self._units().tables(exposures="other_exposures"))
        self.put("overlap", statement("overlap"))

    def other_arms(self, experiment: str) -> range:
        """The numbers of an experiment's arms among the others; none where it is not among them."""
        first = 0
        for other in self._others:
            if other.experiment == experiment:
                return range(first, first + len(other.arms))
            first += len(other.arms)
        return range(0)

    def put(self, name: str, statement: Statement) -> None:
        """Materialise a table and remember how it was made."""
        if name in self.tables and name not in _OF_ONE_METRIC:
            self._answers.clear()
        self.tables[name] = statement
        self.engine.materialise(name, statement)

    def put_among(self, authority: Authority, name: str, statement: Statement) -> None:
        """The same of what is believed at least so far: a table of its own, of tables of its own."""
        self.put(self.among(authority).get(name, name), statement.tables(**self.among(authority)))

    def among(self, authority: Authority) -> dict[str, str]:
        """By the name of a table, the one that knows nothing of what is believed less; page's is the whole."""
        return {} if authority is Authority.PAGE else {name: f"{name}_{authority.word}" for name in _RANKED}

    def once(self, statement: Statement) -> Columns:
        """The answer of a SELECT that reads no table of one metric: asked again, it is the same."""
        text = statement.render(self.engine.dialect)
        if text not in self._answers:
            self._answers[text] = self.engine.columns(statement)
        return self._answers[text]

    def attributed(self, file: str, /, **values: Expression | str | float) -> Statement:
        """A statement that joins events to their owners."""
        if self.scope.unit == "visitor":
            key, by_user = "e.visitor_id", "CASE WHEN e.user_id = e.visitor_id THEN 1 ELSE 0 END"
        else:
            key, by_user = "coalesce(e.user_id, e.visitor_id)", "CASE WHEN e.user_id IS NULL THEN 0 ELSE 1 END"
        return statement(file).bind(key=Expression.of(key), by_user=Expression.of(by_user), **values)

    def attributed_orders(self, file: str, /, **values: Expression | str | float) -> Statement:
        """The same of orders, each of which knows its own."""
        bound = statement(file).bind(key=Expression.of("e.order_key"), by_user=0, **values)
        return bound.tables(owners="order_owners", events="purchases")

    def rate(self, code: str = "e.currency") -> Expression:
        """What one unit of a currency is worth in the shop's."""
        return rate_of(code, self.scope.currency, self.scope.rates)

    def excluded(
        self, study: int = 0, rules: Sequence[MetricRule] | None = None
    ) -> tuple[tuple[int, ...], int, dict[str, int]]:
        """What does not count in a study, for some metrics: (quarantined, bots, forced, forged) exposures, quarantined
        events, and, by metric, the events whose money cannot be said in the shop's currency."""
        rules = self.plan.rules if rules is None else rules
        exposures, events, unconverted = self._left_out
        own, names = self.scope.enrolments[study], sorted({name for rule in rules for name in self.plan.names(rule)})
        here = (exposures["experiment"] == own.experiment) & (exposures["phase"] == own.phase)
        uncounted = tuple(int(exposures[name][here].sum()) for name in ("quarantined", "bots", "forced", "forged"))
        quarantined = events["n"][(events["study"] == study) & np.isin(events["name"].astype(np.str_), names)].sum()
        rows = [unconverted[name][unconverted["study"] == study].tolist() for name in ("source", "segment", "n")]
        by_metric: dict[str, int] = {}
        for rule in (rule for rule in rules if rule.money):
            read = (index for index in (rule.source, rule.taken, rule.base) if index != NONE)
            once = {replace(self.plan.sources[index], value="", sums="money"): index for index in read}
            first, last = self.plan.segment(rule.window.start_us), self.plan.segment(rule.window.end_us)
            counts = zip(*rows, strict=True)
            total = sum(n for source, segment, n in counts if source in once.values() and first <= segment < last)
            by_metric[rule.name] = int(total)
        return uncounted, int(quarantined), {name: n for name, n in by_metric.items() if n}

    @cached_property
    def _left_out(self) -> tuple[Columns, Columns, Columns]:
        """Of all studies: exposures, quarantined events, events whose money cannot be said."""
        scope = self.scope
        if scope.site is None:
            exposures = statement("excluded_exposures").bind(enrolled=enrolled(scope.enrolments))
        else:
            (own,) = scope.enrolments
            named_so = {"experiment": Expression.of("$key", key=own.experiment), "phase": Expression.of(f"{own.phase}")}
            arrivals = statement("excluded_arrivals").bind(since=scope.site.since_us, stop=scope.stop_us)
            exposures = arrivals.also(**named_so)
        names = sorted({name for rule in self.plan.rules for name in self.plan.names(rule)})
        events = self.attributed("excluded_events", named=any_of(map(named, names)))
        found = (exposures, events, statement("unconverted"))
        return self.engine.columns(found[0]), self.engine.columns(found[1]), self.engine.columns(found[2])

    def evidence(self) -> dict[int, tuple[int, ...]]:
        """By study, what tells whether any row of the log that it rests on has come or gone since it was last asked.

        Rows never change: that is how many there are, and sums over their places and times.
        """
        return {int(study): tuple(map(int, found)) for study, *found in self.engine.rows(self.attributed("evidence"))}

    def events_of(self, key: SourceKey) -> Expression:
        """The events of a source, with its `where`."""
        properties = self.plan.properties.of(key.event, scored=key.score is not None)
        return all_of([named(key.event), condition(key.condition, properties), *valid_score(key)])

    def segments(self) -> Expression:
        """The segment of the time since exposure."""
        since = "e.time - o.exposed_at"
        cases = [f"WHEN {since} < {edge} THEN {index}" for index, edge in enumerate(self.plan.boundaries[1:])]
        return Expression.of(f"CASE {' '.join(cases)} END")

    def _arrived(
        self, since_us: int, held_back: Callable[[Sequence[str]], Sequence[str]], unit: Expression
    ) -> Statement:
        """Who arrived, in two arms; no engine has the hash of the assignment, so it is taken of the ids here."""
        own = "TRUE"
        if self.scope.unit == "visitor" and self.scope.identity == "first_touch":
            known = "SELECT user_id FROM edges WHERE place = 1"
            own = f"(e.user_id IS NULL OR e.user_id <> e.visitor_id OR e.user_id NOT IN ({known}))"
        values = {"unit": unit, "since": since_us, "stop": self.scope.stop_us, "own": Expression.of(own)}
        self.put("arrivals", statement("arrivals").bind(**values))
        names = self.engine.columns(statement("arrival_names"))["unit_name"].tolist()
        self.engine.keep_texts("held_back", "unit_name", held_back(names))
        return statement("arrived")

    def _units(self) -> Statement:
        """Each unit by its first exposure; of users by that which is believed most, because anybody can name a user."""
        first = "x.authority" if self.scope.unit == "user" else str(int(Authority.PAGE))
        return statement("units").bind(exposed_on=self.scope.days.sql("f.time"), believed=Expression.of(first))

    def _relate(self, authority: Authority) -> None:
        """Which unit each id belongs to, by what is believed at least so far."""
        scope = self.scope
        if self.among(authority).get("owners", "owners") in self.tables:
            return
        if scope.identity == "first_touch" and authority is not Authority.PAGE:
            self.put_among(authority, "edges", view("edges").bind(known_until=scope.known_until_us))
        owners = statement(f"owners_{scope.identity}_{scope.unit}").bind(least=int(authority), own=int(max(Authority)))
        self.put_among(authority, "owners", owners)

    def _purchases(self, authority: Authority) -> None:
        read: list[str] = []  # what metrics read of an order beyond its own columns
        for key in (key for key in self.plan.sources if key.kind in ("orders", "funnel")):
            read += [*fields_of(key.condition), *([] if key.value == "value" else [key.value])]
        fields = [self.plan.properties.columns(name) for name in dict.fromkeys(read) if name not in OWN_COLUMNS]
        for name, made in order_views(fields).items():
            self.put_among(authority, name, made)
        self.put_among(authority, "order_claims", order_claims(self.scope.unit))
        self.put_among(authority, "order_owners", self.attributed("order_owners"))
        for name in ("order_copies", "ranked_copies", "orders"):
            self.engine.drop(self.among(authority).get(name, name))

    def _returned(self, sums: Sums) -> Statement:
        codes = {"order_rate": "e.currency", "refund_rate": "coalesce(r.currency, e.currency)"}
        rates = {name: factor_of(self.rate(code), sums) for name, code in codes.items()}
        return self.attributed_orders("returned", day=self.scope.days.sql("r.time"), **rates)

    def _event_layers(self) -> list[Statement]:
        """Plain events and orders."""
        layers: list[Statement] = []
        for kind in ("events", "orders"):
            for keys in layers_of(key for key in self.plan.sources if key.kind == kind):
                wanted = [self.events_of(key) for key in keys]
                indexes = [Expression.of(str(self.plan.sources.index(key))) for key in keys]
                layer = (self.attributed if kind == "events" else self.attributed_orders)(
                    "cube_events",
                    segment=self.segments(),
                    day=self.scope.days.sql("e.time"),
                    source=chosen(wanted, indexes, "-1"),
                    amount=chosen(wanted, [event_amount(key, self.plan.properties, self.rate()) for key in keys]),
                    rate=self.rate(),
                    named=any_of(wanted),
                    first=self.plan.boundaries[0],
                    until=self.plan.boundaries[-1],
                )
                layers.append(layer.tables(**self.among(keys[0].authority)))
        return layers

    def _own_layers(self) -> list[Statement]:
        """Sources whose rows depend on the window, or on more than one event."""
        layers: list[Statement] = []
        for index, key in enumerate(self.plan.sources):
            match key.kind:
                case "refunds":
                    layers += self._refund_layers(index, key)
                case "engagement":
                    final = Expression.of(self.plan.properties.text("final"))
                    layers += self._time_layers(index, key, "beats", final=final)
                case "page_times":
                    layers += self._time_layers(index, key, "page_times", session=VISIT_US)
                case "funnel":
                    layers.append(self._funnel_layer(index, key))
                case _:
                    pass
        return layers

    def _spans(self, key: SourceKey) -> list[tuple[int, int, int]]:
        """(segment, first, until) of the window and, with a covariate, of the look-back."""
        window = key.window
        if window is None:
            return []
        spans = [(self.plan.segment(window.start_us), window.start_us, window.end_us)]
        if self.plan.lookback_us:
            spans.append((0, -self.plan.lookback_us, 0))
        return spans

    def _refund_layers(self, index: int, key: SourceKey) -> list[Statement]:
        among = self.among(key.authority)
        wanted = all_of(wanted_refunds(key, self.plan.properties, among.get("purchases", "purchases")))
        returned = among.get("returned", "returned")  # refunds joined to their orders, by the amounts read of both
        if (key.value, key.order_value, key.sums) != ("value", "value", "money"):
            returned = f"returned_{index}"
            tables = {"refunds": key.value, "purchases": key.order_value}
            for name, value in tables.items():
                amount = Expression.of(self.plan.properties.number(value))
                self.put(f"{name}_{index}", statement(f"{name}_of").bind(amount=amount).tables(**among))
            own = {name: f"{name}_{index}" for name in tables}
            self.put(returned, self._returned(key.sums).tables(**{**among, **own}))
        layers: list[Statement] = []
        for segment, first, until in self._spans(key):
            timely = Expression.of("r.since < $until", until=until)
            if key.within_us is not None and until > 0:
                timely = Expression.of("r.after_order < $within", within=key.within_us)
            bound = statement("cube_refunds").bind(segment=segment, source=index, first=first, until=until)
            layers.append(bound.bind(named=wanted, timely=timely).tables(returned=returned))
        return layers

    def _time_layers(self, index: int, key: SourceKey, table: str, **values: Expression | float) -> list[Statement]:
        """Engaged time from the rows of a table, and the cube's rows that its spans make of them."""
        spans = self._spans(key)
        rows = self.attributed(
            table,
            day=self.scope.days.sql("e.time"),
            condition=condition(key.condition, self.plan.properties),
            first=self.plan.boundaries[0],
            until=max(until for _, _, until in spans),
            **values,
        )
        self.put(f"{table}_{index}", rows.tables(**self.among(key.authority)))
        return [
            statement(f"cube_{table}").bind(segment=segment, source=index, first=first, until=until)
            .tables(**{table: f"{table}_{index}"})
            for segment, first, until in spans
        ]  # fmt: skip

    def _funnel_layer(self, index: int, key: SourceKey) -> Statement:
        names = tuple(dict.fromkeys(key.steps))
        fields = condition(key.condition, self.plan.properties)
        until = key.window.end_us if key.window else 0
        steps: list[Statement] = []
        for name in names:
            attributed = self.attributed_orders if name == "Order Completed" else self.attributed
            of_step = attributed("steps", named=all_of([named(name), fields]), name=name, until=until)
            steps.append(of_step.tables(**self.among(key.authority)))
        self.put(f"steps_{index}", union_all(steps))
        for number, name in enumerate(key.steps):
            reached = statement("next_step" if number else "first_step").tables(steps=f"steps_{index}").bind(name=name)
            if number:
                previous = key.steps[number - 1]
                reached = reached.tables(reached=reached_table(index, number - 1)).bind(previous=previous)
            self.put(reached_table(index, number), reached)
        return (
            statement("cube_funnel")
            .bind(segment=self.plan.segment(0), source=index, day=self.scope.days.sql("r.time"))
            .tables(reached=reached_table(index, len(key.steps) - 1))
        )


def levels_table(plan: CubePlan, dimension: str) -> str:
    """Where the levels of a dimension are kept."""
    return f"levels_{plan.dimensions.index(dimension)}"


def reached_table(source: int, step: int) -> str:
    """Where the units that reached a step of a funnel are kept."""
    return f"reached_{source}_{step}"


_OF_ONE_METRIC: Final = frozenset({"totals", "unit_values", "metric_days", "samples", "thresholds"})
_RANKED: Final = (
    "events",
    "edges",
    "owners",
    "histories",
    *ORDER_VIEWS,
    "order_claims",
    "order_owners",
    "refunds",
    "returned",
)
_EMPTY: Final = Statement.of(
    "SELECT CAST(0 AS BIGINT) AS unit, CAST(0 AS BIGINT) AS segment, CAST(0 AS BIGINT) AS day, CAST(-1 AS BIGINT)"
    " AS source, CAST(0 AS BIGINT) AS events, CAST(0 AS DOUBLE) AS amount, CAST(0 AS BIGINT) AS finals,"
    " CAST(0 AS BIGINT) AS convertible, CAST(0 AS BIGINT) AS authority WHERE FALSE"
)
