"""A second readout in plain Python, written from the specification and not from the SQL, over lists of records."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from oracles.metric_oracle import (
    Currency,
    Row,
    Terms,
    What,
    amount_of,
    caps_of,
    cut,
    meets,
    parts_of,
    sums_money,
    window_of,
)
from worlds.event_log import Received

from experiments.definitions.shop import Metric
from experiments.statistics.moments import JointMoments

DAY = 86_400_000_000
HALF_HOUR = 1_800_000_000
RANKS = {"page": 0, "proven": 1, "backend": 2}


@dataclass(frozen=True)
class World:
    """What is analysed: the log, and everything the definition says. `as_of`, `stop` in µs."""

    events: Sequence[Received]
    experiment: str
    arms: tuple[str, ...]
    as_of: int
    phase: int = 0
    unit: str = "visitor"
    identity: str = "first_touch"
    timezone: str = "UTC"
    currency: str = "EUR"
    rates: Mapping[str, float] = field(default_factory=dict)
    lookback: int = 14 * DAY
    stop: int | None = None
    longest: int = 7 * DAY


@dataclass
class Unit:
    name: str
    arm: int
    exposed_at: int
    attributes: dict[str, Any]
    authority: int = 0


class Oracle:
    """Reads a world metric by metric."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = self._log()
        by_user = world.unit == "user"  # whom anybody can name: the exposures that are believed most
        self.exposures = sorted(
            self._exposures(), key=lambda row: (-row["authority"] if by_user else 0, row["time"], row["place"])
        )
        self.units: dict[str, Unit] = {}
        seen = defaultdict(set)
        for row in self.exposures:
            name = row["visitor_id"] if world.unit == "visitor" else row["user_id"]
            arm = world.arms.index(row["variant"])
            seen[name].add(arm)
            if name not in self.units:
                self.units[name] = Unit(name, arm, row["time"], row["properties"] or {}, authority=row["authority"])
        self.several = sum(1 for arms in seen.values() if len(arms) > 1)
        self._believe(0)

    def believing(self, least: int) -> "Oracle":
        """The same where nothing is known of what is believed less."""
        if least == 0:
            return self
        other = copy(self)
        other.log = [row for row in self.log if row["authority"] >= least]
        other._believe(least)
        return other

    def _believe(self, least: int) -> None:
        self.least = least
        self.by_user: dict[str, int] = defaultdict(lambda: -1)
        for row in self.exposures:
            if row["visitor_id"] == row["user_id"] and row["authority"] >= least:
                self.by_user[row["visitor_id"]] = max(self.by_user[row["visitor_id"]], row["authority"])
        self._edges()
        self.orders = self._orders()
        self.known: set[str] = set()  # the units with a history
        for row in self.log:
            unit = self.owner(row)
            if unit and not row["bot"]:
                gap = unit.exposed_at - row["time"]
                if HALF_HOUR < gap <= max(self.world.lookback, HALF_HOUR):
                    self.known.add(unit.name)

    def _log(self) -> list[Row]:
        """Each message once, from whom is believed most, the lowest position; nothing from quarantine.

        Exposures are taken from everybody who tells of them.
        """
        rows: dict[tuple[str, int], Row] = {}
        for place, event in enumerate(sorted(self.world.events, key=lambda event: event.received_at)):
            record = event.record
            row = {name: getattr(record, name) for name in record.__struct_fields__}
            row |= {"place": place, "received_at": event.received_at}
            rows.setdefault((record.message_id, record.authority), row)
        best = dict(sorted(rows))
        told = [row for (message, rank), row in rows.items() if rank == best[message] or row["type"] == "exposure"]
        return sorted((row for row in told if not row["quarantined"]), key=lambda row: row["place"])

    def _exposures(self) -> Iterable[Row]:
        world = self.world
        for row in self.log:
            ours = (row["type"], row["experiment"], row["phase"]) == ("exposure", world.experiment, world.phase)
            bad = row["bot"] or row["forged"] or row["forced"] or row["variant"] not in world.arms
            named = row["visitor_id"] if world.unit == "visitor" else row["user_id"]
            if ours and not bad and named and (world.stop is None or row["time"] <= world.stop):
                yield row

    def _edges(self) -> None:
        """Which visitor is which user, and how far that is believed; a page tells a visitor's first user only."""
        known = None if self.world.stop is None else self.world.stop + self.world.longest
        users = {row["user_id"] for row in self.log}
        first: dict[str, str] = {}
        self.edges: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        for row in self.log:
            user, visitor, page = row["user_id"], row["visitor_id"], row["authority"] == 0
            if not user or user == visitor or (known is not None and row["received_at"] > known):
                continue
            if page and row["type"] == "alias" and visitor in users:
                continue
            if not page or first.setdefault(visitor, user) == user:
                self.edges[user, visitor] = max(self.edges[user, visitor], row["authority"])

    def owner(self, row: Row) -> Unit | None:
        """The unit that an event, or an order, belongs to."""
        if "claims" not in row:
            return self._owner(row)[0]
        best: tuple[Unit | None, tuple[int, ...]] = (None, (-1,))
        for visitor, user, authority, preference in row["claims"]:
            unit, known = self._owner({"visitor_id": visitor, "user_id": user})
            rank = (min(authority, known), -preference)
            if unit and rank > best[1]:
                best = unit, rank
        return best[0]

    def _owner(self, row: Row) -> tuple[Unit | None, int]:
        strict, found = self.world.identity == "strict", dict[str, int]()
        if self.world.unit == "user":
            if row["user_id"] is not None:
                unit = self.units.get(row["user_id"])  # believed as far as the exposure: anybody can name a user
                return (unit, unit.authority) if unit and unit.authority >= self.least else (None, -1)
            if not strict:
                seen = {user: rank for (user, visitor), rank in self.edges.items() if visitor == row["visitor_id"]}
                exposed = {user: self.units[user].authority for user in seen if user in self.units}
                found = {user: min(seen[user], rank) for user, rank in exposed.items() if rank >= self.least}
        elif row["user_id"] != row["visitor_id"]:
            return self.units.get(row["visitor_id"]), 2
        else:
            name = row["visitor_id"]
            if not strict:
                found = {visitor: rank for (user, visitor), rank in self.edges.items() if user == name}
            if self.by_user[name] >= 0:
                found[name] = max(found.get(name, -1), self.by_user[name])
        known = [(-rank, self.units[name].exposed_at, name) for name, rank in found.items() if name in self.units]
        return (self.units[min(known)[2]], -min(known)[0]) if known else (None, -1)

    def day(self, time: int) -> int:
        """The shop's calendar day."""
        local = datetime.fromtimestamp(time // 1_000_000, UTC).astimezone(ZoneInfo(self.world.timezone))
        return (local.date() - datetime(1970, 1, 1).date()).days * DAY

    def _named(self, name: str) -> list[Row]:
        rows = [row for row in self.log if row["type"] == "track" and row["event"] == name and not row["bot"]]
        return sorted(rows, key=lambda row: (row["time"], row["place"]))

    def _orders(self) -> dict[str, Row]:
        copies = defaultdict(list)
        for row in self._named("Order Completed"):
            copies[row["order_id"] or "message:" + row["message_id"]].append(row)
        starts = defaultdict(list)
        for row in self._named("Checkout Started"):
            if row["order_id"] and row["visitor_id"]:
                starts[row["order_id"]].append(row)
        orders: dict[str, Row] = {}
        for key, rows in copies.items():
            rows.sort(key=lambda row: -row["authority"])  # of equal ones the earliest stays first
            best = rows[0]
            anonymous = [row for row in rows if row["visitor_id"] and row["visitor_id"] != row["user_id"]]
            known = [row for row in rows if row["user_id"] is not None]
            visitor, visitor_rank = (anonymous[0]["visitor_id"], anonymous[0]["authority"]) if anonymous else (None, -1)
            user, user_rank = (known[0]["user_id"], known[0]["authority"]) if known else (None, -1)
            money = next((row for row in rows if row["value"] is not None), best)
            order = dict(best) | {name: money[name] for name in ("value", "currency")}
            order["key"], order["own_visitor"] = key, visitor or user
            order["worth_rank"] = best["authority"] if money["value"] is None else money["authority"]
            order["properties"] = self._said(rows)
            claims: list[tuple[str, str | None, int, int]] = []
            by_user = self.world.unit == "user"
            if visitor is not None and (not by_user or visitor_rank > user_rank):
                claims.append((visitor, None, visitor_rank, 0 if visitor_rank == best["authority"] else 3))
            if user is not None and (by_user or user_rank > visitor_rank):
                claims.append((user, user, user_rank, 1))
            if max(visitor_rank, user_rank) < best["authority"]:
                timely = [row for row in starts[key] if row["time"] <= order["time"] + DAY]
                claims += self._started(timely, [row for row in rows if row["authority"] == best["authority"]])
            orders[key] = order | {"claims": claims}
        return orders

    @staticmethod
    def _said(rows: list[Row]) -> Row:
        """Each property from the first copy that says it."""
        said: Row = {}
        for row in reversed(rows):
            said |= {name: value for name, value in (row["properties"] or {}).items() if value is not None}
        return said

    @staticmethod
    def _started(starts: list[Row], copies: list[Row]) -> list[tuple[str, str | None, int, int]]:
        """Who started the checkout, as a claim; of several pages the one whose cart was bought, else nobody."""
        highest = max((row["authority"] for row in starts), default=0)
        visitors: dict[str, list[Row]] = defaultdict(list)
        for row in starts:
            if row["authority"] == highest:
                visitors[row["visitor_id"]].append(row)
        if highest == 0 and len(visitors) > 1:
            bought = [sorted(row["product_ids"]) for row in copies if row["product_ids"]]
            carts = {name: [sorted(row["product_ids"] or []) for row in own] for name, own in visitors.items()}
            visitors = {name: own for name, own in visitors.items() if any(cart in bought for cart in carts[name])}
            if len(visitors) > 1:
                return []
        if not visitors:
            return []
        name = min(visitors, key=lambda name: (min(row["time"] for row in visitors[name]), name))
        users = [row["user_id"] for row in visitors[name] if row["user_id"] is not None]
        return [(name, max(users, default=None), highest, 2)]

    def _refunds(self) -> list[Row]:
        """Each refund that has power over its order once, joined to it; never more than the order."""
        found: dict[tuple[str, str], Row] = {}
        rows = self._named("Order Refunded") + self._named("Order Cancelled")
        for row in sorted(rows, key=lambda row: (-row["authority"], row["time"], row["place"])):
            order = self.orders.get(row["order_id"] or "")
            if order is None or row["authority"] < order["worth_rank"]:
                continue
            if row["authority"] == 0 and row["visitor_id"] != order["own_visitor"]:
                continue
            refund = (row["properties"] or {}).get("refund_id")
            cancelled = row["event"] == "Order Cancelled"
            key = (
                "order:" + row["order_id"]
                if cancelled
                else f"refund:{refund}"
                if refund
                else "message:" + row["message_id"]
            )
            found.setdefault((row["order_id"], key), row | {"key": key})
        left: dict[str, float] = {}
        joined: list[Row] = []
        for row in sorted(found.values(), key=lambda row: (row["time"], row["key"])):
            order = self.orders[row["order_id"]]
            whole = row["event"] == "Order Cancelled" or row["value"] is None
            worth, own = self._worth(order), self._worth(order if row["currency"] is None else row)
            amount = None  # one of them is of a currency that nobody can convert
            if worth is not None and (whole or own is not None):
                rest = left.setdefault(row["order_id"], (order["value"] or 0.0) * worth)
                amount = rest if whole else min(rest, abs(row["value"]) * (own or 0.0))
                left[row["order_id"]] = rest - amount
            joined.append(row | {"amount": amount, "order": order})
        return joined

    def _worth(self, row: Row) -> float | None:
        """What one unit of the event's currency is worth in the shop's."""
        own = row["currency"] in (None, self.world.currency)
        return 1.0 if own else self.world.rates.get(row["currency"])

    def contributions(  # noqa: C901 - one case after the other
        self, what: What, span: tuple[int, int]
    ) -> list[tuple[Unit, int, float]]:
        """(unit, day, amount) of the events of one kind in a span of time since exposure; amount 1 to count."""
        event, value, where, terms, currency = what
        if event == "engagement":
            return self._engagement(span, value is None)
        if (event, value) == ("page", "engaged_seconds"):
            return self._page_times(where, span)
        if event in ("Order Refunded", "Order Cancelled"):
            return self._refund_parts(event, (where, terms, currency), span, count=value is None)
        if event == "Order Completed":
            rows = list(self.orders.values())
        elif event in ("page", "screen"):
            rows = [row for row in self.log if row["type"] == event and not row["bot"]]
        else:
            rows = self._named(event)
        found: list[tuple[Unit, int, float]] = []
        for row in rows:
            unit = self.owner(row)
            if unit and span[0] <= row["time"] - unit.exposed_at < span[1] and meets(row, where):
                amount, worth = 1.0 if value is None else amount_of(row, value), self._worth(row)
                if amount is not None and (currency == "any" or worth is not None):
                    rate = worth if currency == "converted" and worth is not None else 1.0
                    found.append((unit, self.day(row["time"]), amount * rate))
        return found

    def _refund_parts(
        self, event: str, wanted: tuple[dict[str, Any], Terms, Currency], span: tuple[int, int], *, count: bool
    ) -> list[tuple[Unit, int, float]]:
        where, (within, order_where), currency = wanted
        found: list[tuple[Unit, int, float]] = []
        orders: set[str] = set()  # that were given back: in parts they count once
        for row in self._refunds():
            unit = self.owner(row["order"])
            if unit is None or (event == "Order Cancelled" and row["event"] != event):
                continue
            counted = span[0] <= row["order"]["time"] - unit.exposed_at < span[1] and meets(row["order"], order_where)
            timely = row["time"] - unit.exposed_at < span[1]
            if within is not None and span[1] > 0:
                timely = row["time"] - row["order"]["time"] < within
            known = currency == "any" or row["amount"] is not None
            if counted and timely and known and meets(row, where):
                first, amount = row["order_id"] not in orders, row["amount"] or 0.0
                orders.add(row["order_id"])
                found.append((unit, self.day(row["time"]), float(first) if count else amount))
        return found

    def _engagement(self, span: tuple[int, int], count: bool) -> list[tuple[Unit, int, float]]:
        views: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.log:
            unit = self.owner(row)
            if unit and row["page_view_id"] and row["type"] in ("page", "engagement") and not row["bot"]:
                views[unit.name, row["page_view_id"]].append(row)
        found: list[tuple[Unit, int, float]] = []
        for (name, _), rows in views.items():
            unit = self.units[name]
            beats = [row for row in rows if row["type"] == "engagement" and row["engaged_ms"] is not None]
            inside = [row for row in beats if span[0] <= row["time"] - unit.exposed_at < span[1]]
            if not inside:
                continue
            before = [row["engaged_ms"] for row in beats if row["time"] - unit.exposed_at < span[0]]
            start = min((row["time"] for row in rows if row["type"] == "page"), default=0)
            start = max(start, unit.exposed_at + span[0])
            engaged = max(row["engaged_ms"] for row in inside) - max(before, default=0)
            possible = (max(row["time"] for row in inside) - start) / 1000
            seconds = max(0.0, min(engaged, possible)) / 1000
            found.append((unit, min(self.day(row["time"]) for row in inside), 1.0 if count else seconds))
        return found

    def _page_times(self, where: dict[str, Any], span: tuple[int, int]) -> list[tuple[Unit, int, float]]:
        """The seconds in the span between a page view and the visitor's next one, unless half an hour lies between."""
        visits: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in sorted(self.log, key=lambda row: (row["time"], row["message_id"])):
            unit = self.owner(row)
            if unit and row["type"] == "page" and not row["bot"]:
                visits[unit.name, row["visitor_id"]].append(row)
        found: list[tuple[Unit, int, float]] = []
        for (name, _), pages in visits.items():
            unit = self.units[name]
            first, until = (unit.exposed_at + offset for offset in span)
            for page, following in pairwise(pages):
                seconds = (min(following["time"], until) - max(page["time"], first)) / 1e6
                left = following["time"] - page["time"] >= HALF_HOUR
                if not left and page["time"] < until and following["time"] > first and meets(page, where):
                    found.append((unit, self.day(following["time"]), seconds))
        return found

    def columns(  # noqa: C901 - the specification, top to bottom
        self, metric: Metric, until_day: int | None = None
    ) -> dict[int, dict[str, list[float]]]:
        """Per arm the columns y, d, x, e and h over its units; with `until_day` as they stood at that day's close."""
        self = self.believing(RANKS[metric.source])
        start, end = window_of(metric)
        look = (-self.world.lookback, 0)
        sums = {role: defaultdict(float) for role in ("gross", "taken", "base", "x", "xtaken", "e")}
        whole: dict[str, dict[str, float]] = {role: defaultdict(float) for role in ("gross", "taken", "base")}
        for role, early, what in parts_of(metric):
            for unit, day, amount in self.contributions(what, (start, end)):
                whole[role][unit.name] += amount
                if until_day is None or metric.type in ("retention", "funnel") or day <= until_day:
                    sums[role][unit.name] += amount
            for unit, _, amount in self.contributions(what, look):
                sums[early][unit.name] += amount
        if metric.type == "funnel":
            sums["gross"] = self._funnel(metric)
            sums["x"] = defaultdict(float)
        ends, base_ends = caps_of(metric, whole["gross"], whole["base"])
        arms = {arm: {name: [] for name in "ydxeh"} for arm in range(len(self.world.arms))}
        for unit in self.units.values():
            closed = metric.type in ("retention", "funnel")
            if closed and unit.exposed_at + end > self.world.as_of:
                continue
            if until_day is not None and self.day(unit.exposed_at + (end if closed else 0)) > until_day:
                continue
            row = arms[unit.arm]
            gross, taken = sums["gross"][unit.name], sums["taken"][unit.name]
            value = cut(gross, ends) - taken  # what cancels leaves rounding, which is no event
            row["y"].append(value if abs(value) > 1e-12 * (abs(gross) + abs(taken)) else 0.0)
            row["d"].append(cut(sums["base"][unit.name], base_ends))
            row["x"].append(cut(sums["x"][unit.name], ends) - sums["xtaken"][unit.name])
            row["e"].append(cut(sums["e"][unit.name], base_ends))
            row["h"].append(float(unit.name in self.known))
        return arms

    def unconverted(self, metric: Metric) -> int:
        """How many events of the metric's window its sums leave out for their currency."""
        self = self.believing(RANKS[metric.source])
        if not sums_money(metric):
            return 0
        span, left_out, seen = window_of(metric), 0, set[tuple[str, str, str]]()
        for _, _, (event, _, where, terms, _) in parts_of(metric):
            source = (event, str(where), str(terms))
            anything, known = (
                self.contributions((event, None, where, terms, currency), span) for currency in ("any", "known")
            )
            lacking = sum(amount for *_, amount in anything) - sum(amount for *_, amount in known)
            left_out += 0 if source in seen else round(lacking)
            seen.add(source)
        return left_out

    def moments(self, metric: Metric, until_day: int | None = None) -> list[JointMoments]:
        """The same as joint moments."""
        return [JointMoments.of(columns) for columns in self.columns(metric, until_day).values()]

    def _funnel(self, metric: Metric) -> dict[str, float]:
        end = window_of(metric)[1]
        rows = defaultdict(list)
        for step in set(metric.steps):
            source = (
                list(self.orders.values())
                if step == "Order Completed"
                else [
                    row
                    for row in self.log
                    if not row["bot"] and (row["type"] == step or (row["type"] == "track" and row["event"] == step))
                ]
            )
            for row in source:
                unit = self.owner(row)
                if unit and 0 <= row["time"] - unit.exposed_at < end:
                    rows[unit.name].append((row["time"], step))
        done: dict[str, float] = defaultdict(float)
        for name, found in rows.items():
            time, before = -1, ""
            for step in metric.steps:
                later = [at for at, event in found if event == step and (at > time or (at == time and step != before))]
                if not later:
                    break
                time, before = min(later), step
            else:
                done[name] = 1.0
        return done
