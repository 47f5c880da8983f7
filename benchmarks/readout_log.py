"""A log of any size for the readout's benchmark: an experiment, its visitors' pages, beats, orders, answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from events.parts.arrow import Table, arrow
from events.parts.manifest import PartName
from events.parts.part import SCHEMA
from events.parts.sealing import Place, write_part
from events.records import stream_number
from events.writer.decoding import received_date

START_US = 1_767_571_200_000_000  # 2026-01-05
DAY_US = 86_400_000_000
DAYS = 35
LOOKBACK_DAYS = 14
EVENTS_PER_VISITOR = 10
KINDS = ("exposure", "page", "engagement", "order", "refund", "survey")
SHARES = (0.1, 0.58, 0.22, 0.06, 0.01, 0.03)


@dataclass(frozen=True, slots=True)
class LogPlan:
    """How many events there are; a tenth as many visitors make them."""

    events: int
    seed: int = 20260105

    @property
    def visitors(self) -> int:
        return self.events // EVENTS_PER_VISITOR


def write(plan: LogPlan, data: Path, part_rows: int = 500_000) -> int:
    """Write the parts of the log; answers how many rows they hold."""
    random = np.random.default_rng(plan.seed)
    exposed = START_US + (LOOKBACK_DAYS * DAY_US) + random.integers(0, 14 * DAY_US, plan.visitors)
    rows = 0
    for low, (day, table) in enumerate(_tables(plan, random, exposed, part_rows)):
        name = PartName(0, low, low, 0)
        last = int(table.column("stream_id")[-1].as_py())
        write_part(Place(data / "log", day, name, last), [table])
        rows += table.num_rows
    return rows


def _tables(plan: LogPlan, random: np.random.Generator, exposed: Any, part_rows: int) -> Iterator[tuple[date, Table]]:
    """Day by day in order of time, as a writer would have cut them."""
    first = exposed // DAY_US
    per_day = plan.events // DAYS
    sequence = 0
    for day in range(START_US // DAY_US, START_US // DAY_US + DAYS):
        newcomers = np.flatnonzero(first == day)
        others = max(1, round(per_day * (1.0 - SHARES[0])))
        visitor = np.concatenate([newcomers, random.integers(0, plan.visitors, others)])
        kind = np.concatenate([np.zeros(len(newcomers), int), 1 + random.choice(5, others, p=_shares())])
        time = np.concatenate([exposed[newcomers], day * DAY_US + random.integers(0, DAY_US, others)])
        order = np.argsort(time, kind="stable")
        for start in range(0, len(order), part_rows):
            chosen = order[start : start + part_rows]
            yield (
                received_date(int(day * DAY_US)),
                _table(random, visitor[chosen], kind[chosen], time[chosen], sequence),
            )
            sequence += len(chosen)


def _shares() -> Any:
    shares = np.array(SHARES[1:])
    return shares / shares.sum()


def _table(random: np.random.Generator, visitor: Any, kind: Any, time: Any, sequence: int) -> Table:
    size = len(visitor)
    number = np.arange(sequence, sequence + size)
    is_kind = {name: kind == index for index, name in enumerate(KINDS)}
    paid = is_kind["order"] | is_kind["refund"]
    columns: dict[str, Any] = {
        "shard": np.zeros(size, np.int64),
        "stream_id": [stream_number(0, 0)] + (time // 1000 << 20),
        "position": np.zeros(size, np.int64),
        "message_id": _texts("m-", number),
        "type": np.array(["exposure", "page", "engagement", "track", "track", "track"])[kind],
        "event": arrow.array(
            np.array(["", "", "", "Order Completed", "Order Refunded", "Survey Answered"])[kind], mask=kind < 3
        ),
        "visitor_id": _texts("visitor-", visitor),
        "time": time,
        "received_at": time,
        "experiment": _only(is_kind["exposure"], np.full(size, "banner")),
        "variant": _only(is_kind["exposure"], np.where(visitor % 2 == 0, "control", "threshold")),
        "phase": _only(is_kind["exposure"], np.zeros(size, np.int64)),
        "value": _only(paid | is_kind["survey"], _values(random, is_kind, size)),
        "currency": _only(paid, np.full(size, "EUR")),
        "order_id": arrow.array(_texts("o-", np.maximum.accumulate(np.where(is_kind["order"], number, 0))), mask=~paid),
        "page_view_id": arrow.array(_texts("p-", visitor * 64 + time // DAY_US % 64), mask=~(kind == 1) & ~(kind == 2)),
        "engaged_ms": _only(is_kind["engagement"], random.integers(1, 300, size) * 100),
        "properties": _properties(random, is_kind, visitor),
    }
    columns["authority"] = np.zeros(size, np.int64)
    for name in ("bot", "forced", "forged", "quarantined"):
        columns[name] = np.zeros(size, bool)
    arrays = {
        field.name: arrow.array(columns[field.name], field.type)
        if field.name in columns
        else arrow.nulls(size, field.type)
        for field in SCHEMA
    }
    return arrow.table(arrays, schema=SCHEMA)


def _texts(prefix: str, numbers: Any) -> Any:
    return np.char.add(prefix, numbers.astype("U20")).astype(object)


def _only(mask: Any, values: Any) -> Any:
    return arrow.array(values, mask=~mask)


def _values(random: np.random.Generator, is_kind: dict[str, Any], size: int) -> Any:
    money = np.round(random.lognormal(3.5, 0.8, size), 2)
    return np.where(is_kind["survey"], random.integers(0, 11, size), np.where(is_kind["refund"], 5.0, money))


def _properties(random: np.random.Generator, is_kind: dict[str, Any], visitor: Any) -> Any:
    devices = np.array(
        ['{"device":"mobile","plan":"free"}', '{"device":"desktop","plan":"free"}', '{"device":"mobile","plan":"pro"}']
    )
    final = np.array(['{"seq":1,"final":true}', '{"seq":1,"final":false}'])
    size = len(visitor)
    text = np.where(
        is_kind["exposure"],
        devices[visitor % 3],
        np.where(is_kind["engagement"], final[random.integers(0, 2, size)], '{"survey":"nps"}'),
    )
    none = ~(is_kind["exposure"] | is_kind["engagement"] | is_kind["survey"])
    return arrow.array(text.astype(object), mask=none)
