"""Which events came lately, by name: how many, from which libraries, with which properties, read by which metrics."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from events.authority import Authority
from events.engines.duckdb import Engine
from events.engines.sql import Expression, Statement, equals_any
from events.libraries import LABELS_OF_LIBRARIES, MOST_LETTERS, NAMES, OTHER_LIBRARY, library_label, library_of
from events.permitted import without_who
from events.records import EVENT_NAME, IDENTIFY, REFUSED, REPAIRED, TRACK
from experiments.catalog.heard import ALWAYS
from experiments.definitions.shop import Metric
from kit.suggestions import nearest
from kit.time import DAY_US, iso, microseconds, moment_of

SQL: Final = Path(__file__).parent / "sql"
MOST_NAMES: Final = 500
LONGEST_LOOKED_INTO: Final = 4_096  # letters of a row's properties
OTHERS: Final = "other"
UNREAD_TYPES: Final = frozenset({IDENTIFY, "group", "alias", "exposure", "engagement", "page", "screen"})
KINDS: Final[Mapping[type, str]] = {
    bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "object", type(None): "null",
}  # fmt: skip
NAMED: Final = "coalesce(e.event, e.type)"
ORDER_NAME: Final = "Order Completed"
_TOLD: Final = f"lower(trim(left(coalesce(json_extract_string(e.context, '$.library.name'), ''), {MOST_LETTERS})))"
# What an event says of its library; all that are not known are one, because whoever sends events invents names.
LIBRARY: Final = Expression.of(
    f"CASE WHEN $known THEN {_TOLD} ELSE '{OTHER_LIBRARY}' END",
    known=equals_any(_TOLD, dict.fromkeys((*NAMES, *LABELS_OF_LIBRARIES))),
)


@cache
def arrivals_sql(name: str) -> Statement:
    """The statement of `sql/<name>.sql`."""
    return Statement.of_file(SQL / f"{name}.sql")


def names_read(metrics: Iterable[Metric]) -> dict[str, list[str]]:
    """By the name of an event the metrics that read it."""
    found: dict[str, list[str]] = {}
    for metric in metrics:
        for name in events_read(metric):
            found.setdefault(name, []).append(metric.name)
    return found


def events_read(metric: Metric) -> list[str]:
    """The names of the events that a metric reads, each once."""
    parts = (metric.numerator, metric.denominator, metric.subtract)
    read = [metric.event, *metric.steps, *(part.event for part in parts if part is not None)]
    return list(dict.fromkeys(name for name in read if name))


def events_lately(engine: Engine, metrics: Iterable[Metric], now: datetime, days: int) -> dict[str, Any]:
    """Every name of the last days, the most frequent first; of more than 500 the rest as `other`."""
    now_us = microseconds(now)
    span: dict[str, Any] = {"since": now_us - days * DAY_US, "refused": REFUSED}
    rows = engine.rows(arrivals_sql("event_names").bind(day=now_us - DAY_US, **span))
    libraries: dict[tuple[str, str], set[str]] = {}
    for kind, name, library, *_ in engine.rows(arrivals_sql("event_libraries").bind(library=LIBRARY, **span)):
        libraries.setdefault((kind, name), set()).add(library_label(library))
    shown, rest = rows[:MOST_NAMES], rows[MOST_NAMES:]
    properties = _properties(engine, [str(name) for _, name, *_ in shown], span)
    read = names_read(metrics)
    listed = [
        {
            "event": name,
            "type": kind,
            "count": n,
            "count_24h": int(n_day),
            "last_seen": iso(moment_of(last)),
            "libraries": sorted(libraries.get((kind, name), ())),
            "properties": properties.get((kind, name), []),
            "metrics": read.get(name, []),
            "hint": hint_of(kind, name, read, 0 if n == 0 else worthless / n),
        }
        for kind, name, n, n_day, worthless, last, *_ in shown
    ]
    if rest:
        *_, all_n, all_day = rest[0]
        told = sum(row[2] for row in shown), sum(int(row[3]) for row in shown)
        counts = {"count": int(all_n) - told[0], "count_24h": int(all_day) - told[1]}
        last = iso(moment_of(max(row[5] for row in rest)))
        empty: dict[str, Any] = {"libraries": [], "properties": [], "metrics": [], "hint": None}
        listed.append({"event": OTHERS, "type": OTHERS, **counts, "last_seen": last, **empty})
    return {"as_of": iso(now, "seconds"), "events": listed}


def hint_of(kind: str, name: str, read: Mapping[str, Sequence[str]], worthless: float) -> dict[str, str] | None:
    """What is probably wrong with events of this name."""
    if name == ORDER_NAME and worthless > 0.01:
        message = f"{worthless:.0%} of them have no value; send revenue, total or value as a number"
        return {"code": "order_without_value", "message": message}
    if kind in UNREAD_TYPES or name in read or name in ALWAYS:
        return None
    near = nearest(name, dict.fromkeys((*read, *sorted(ALWAYS))))
    if near:
        return {"code": "near_name", "message": f"no metric reads {name!r}; did you mean {near[0]}?"}
    return {"code": "no_metric_reads", "message": f"no metric reads {name!r}"} if kind == TRACK else None


def newest_rows(engine: Engine, name: str, now: datetime, days: int) -> dict[str, Any]:
    """The last 20 rows of a name, without what says who it was."""
    bound = arrivals_sql("newest_rows").bind(name=name, since=microseconds(now) - days * DAY_US)
    return {"as_of": iso(now, "seconds"), "event": name, "rows": _rows_told(engine, bound)}


def newest_rows_of(engine: Engine, visitor: str, now: datetime, days: int) -> dict[str, Any]:
    """The last 20 rows that came with this visitor id, without what says who it was."""
    bound = arrivals_sql("newest_rows_of").bind(visitor=visitor, since=microseconds(now) - days * DAY_US)
    return {"as_of": iso(now, "seconds"), "rows": _rows_told(engine, bound)}


def _rows_told(engine: Engine, bound: Statement) -> list[dict[str, Any]]:
    names = ("time", "received_at", "type", "event", "experiment", "variant", "value", "currency", "url", "path",
             "device", "country", "site", "bot", "forged", "forced", "quarantined", "authority")  # fmt: skip
    told: list[dict[str, Any]] = []
    for *values, properties, context in engine.rows(bound):
        row = {
            column: value
            for column, value in zip(names, values, strict=True)
            if value is not None and value is not False
        }
        row |= {each: iso(moment_of(row[each])) for each in ("time", "received_at")}
        row["authority"] = Authority(row["authority"]).word
        row |= {each: row[each].partition("?")[0].partition("#")[0] for each in ("url", "path") if each in row}
        row["properties"] = without_who(json.loads(properties or "{}"))
        held = json.loads(context or "{}")
        row["library"] = library_of(held)
        row["context"] = {each: held[each] for each in (REPAIRED, EVENT_NAME) if each in held}
        told.append(row)
    return told


def _properties(engine: Engine, names: Sequence[str], span: Mapping[str, Any]) -> dict[tuple[str, str], list[Any]]:
    """By type and name: each property of its newest rows, how many have it, and which kinds of value it has."""
    found: dict[tuple[str, str], list[Any]] = {}
    if not names:
        return found
    bound = arrivals_sql("event_properties").bind(
        named=equals_any(NAMED, dict.fromkeys(names)), longest=LONGEST_LOOKED_INTO, **span
    )
    for kind, name, newest in engine.rows(bound):
        rows: list[dict[str, Any]] = [json.loads(each) for each in newest]
        kinds: dict[str, set[str]] = {}
        for each, value in ((each, value) for row in rows for each, value in row.items()):
            kinds.setdefault(each, set()).add(KINDS[type(value)])
        had = Counter(each for row in rows for each in row)
        found[kind, name] = [
            {"name": each, "share": round(n / len(rows), 2), "kinds": sorted(kinds[each])}
            for each, n in had.most_common(100)
        ]
    return found
