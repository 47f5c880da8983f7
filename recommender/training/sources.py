"""Where purchases come from: the event log, or one table of order lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from events.authority import Authority
from events.engines.duckdb import DuckEngine, EngineLimits, EventLog, events_of
from events.engines.sql import Statement
from events.engines.tables import TableReader
from events.parts.part import PartReplaced
from events.views.orders import LINES, order_views, refunds, view
from kit.time import DAY_SECONDS
from recommender.model.purchases import UNKNOWN_NETWORK, LineCodes, Origins, Purchases

REQUIRED: Final = ("user", "product", "order", "time")
LIMITS: Final = EngineLimits(memory_mb=1024, threads=1, timeout_seconds=3600.0)
_NUMBERS: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT", "DECIMAL", "U")
FOREVER_US: Final = 1 << 62
_LATEST_SECONDS: Final = 4_102_444_800  # 2100: a time beyond it is not in seconds


class TableError(ValueError):
    """A table of purchases that cannot be used; says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class LoggedPurchases:
    """Every order line of the log, and those alone that are believed so far, in the same codes."""

    every: Purchases
    believed: Purchases

    @classmethod
    def alike(cls, purchases: Purchases) -> "LoggedPurchases":
        """All of them are believed so far."""
        return cls(purchases, purchases)


def logged_purchases(data: Path, least: Authority) -> LoggedPurchases:
    """The order lines of the log, by everything and by what is believed at least so far. Raises DataDamaged.

    A training waits for all else on its machine, so parts may be merged while it reads: then it reads once more.
    """
    log = EventLog(data, LIMITS)
    try:
        return _logged(log, least)
    except PartReplaced:
        return _logged(log, least)


def _logged(log: EventLog, least: Authority) -> LoggedPurchases:
    with log.open(log.snapshot(), properties=("refund_id",)) as engine:
        if least is Authority.PAGE:
            _materialise(engine, least, "lines")
            return LoggedPurchases.alike(_coded(engine))
        _materialise(engine, Authority.PAGE, "every_line")
        _materialise(engine, least, "believed_lines")
        both = Statement.of("SELECT *, 0 AS believed FROM every_line UNION ALL SELECT *, 1 FROM believed_lines")
        engine.materialise("lines", both)
        return LoggedPurchases(_coded(engine, "l.believed = 0"), _coded(engine, "l.believed = 1"))


def _materialise(engine: DuckEngine, least: Authority, name: str) -> None:
    """The table of the order lines that events of at least this authority tell of."""
    lines = Statement.of_file(Path(__file__).with_name("order_lines.sql")).bind(page=int(Authority.PAGE))
    views = {"edges": view("edges").bind(known_until=FOREVER_US), **order_views([(*LINES, "received_at", "network")])}
    for each, made in {**views, "refunds": refunds("e.text_0"), name: lines}.items():
        engine.materialise(each, made.tables(events=events_of(least)))


def purchases_from_table(path: Path) -> Purchases:
    """A CSV or Parquet file with the columns user, product, order, time and, if known, quantity and price.

    `time` is a timestamp, or seconds since 1970. Lines that lack one of the four do not count, nor those of a quantity
    or price of 0 or less; without a quantity they count once. Raises TableError.
    """
    if not path.is_file():
        raise TableError(f"{path}: there is no such file")
    try:
        with TableReader(path) as reader:
            found = _read(reader)
    except ValueError as error:
        raise TableError(f"{path.name}: {str(error)[:300]}") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("duckdb", "_duckdb"):
            raise
        raise TableError(f"{path.name}: {str(error).splitlines()[0][:300]}") from None
    if not len(found):
        raise TableError(f"{path.name}: it holds no purchase; each line needs {', '.join(REQUIRED)}")
    return found


def _read(reader: TableReader) -> Purchases:
    """Raises ValueError for what cannot be read as a purchase."""
    types = reader.types()
    missing = [name for name in REQUIRED if name not in types]
    if missing:
        there = ", ".join(types)[:100]
        raise ValueError(f"column {missing[0]} is missing; it needs {', '.join(REQUIRED)}, and has {there}")
    seconds = 'epoch(TRY_CAST("time" AS TIMESTAMP))'  # since 1970, NULL where it is no time
    if types["time"].startswith(_NUMBERS):
        seconds = 'CAST("time" AS DOUBLE)'
    elif types["time"] == "TIMESTAMP WITH TIME ZONE":
        seconds = 'epoch("time")'
    right = "must be a timestamp such as 2026-01-31T12:00:00, or seconds since 1970"
    _refuse(reader, "time", f"{seconds} IS NULL OR {seconds} NOT BETWEEN 0 AND {_LATEST_SECONDS}", right)
    counts = [f'"{name}" IS NOT NULL' for name in REQUIRED]
    for name in ("quantity", "price"):
        if name in types:
            _refuse(reader, name, f'TRY_CAST("{name}" AS DOUBLE) IS NULL', "must be a number")
            counts.append(f'coalesce(TRY_CAST("{name}" AS DOUBLE), 1) > 0')
    person = "concat('u:', CAST(\"user\" AS VARCHAR))"
    selection = (
        f'SELECT {person} AS person, CAST("product" AS VARCHAR) AS product, CAST("order" AS VARCHAR) AS basket, '
        f"{seconds} / {DAY_SECONDS}.0 AS day, {Authority.BACKEND:d} AS authority, day AS received, "
        f"CAST(NULL AS BIGINT) AS network FROM imported WHERE {' AND '.join(counts)}"
    )
    reader.materialise("lines", Statement.of(selection))
    return _coded(reader)


def _refuse(reader: TableReader, column: str, wrong: str, right: str) -> None:
    """Raises ValueError with the first value of a column that is wrong."""
    query = f'SELECT CAST("{column}" AS VARCHAR) FROM imported WHERE "{column}" IS NOT NULL AND ({wrong}) LIMIT 1'
    for (value,) in reader.rows(Statement.of(query)):
        raise ValueError(f"{column} {ascii(value)[:60]} {right}")


def _coded(engine: DuckEngine | TableReader, chosen: str = "TRUE") -> Purchases:
    """The chosen rows of the table `lines` with texts as codes, the same codes whichever rows are chosen."""
    names: dict[str, list[str]] = {}
    for column in ("person", "product", "basket", "network"):
        numbered = f"SELECT {column}, row_number() OVER (ORDER BY {column}) - 1 AS code FROM lines GROUP BY {column}"
        engine.materialise(f"{column}_codes", Statement.of(numbered))
        if column in ("person", "product"):
            rows = engine.rows(Statement.of(f"SELECT {column} FROM {column}_codes ORDER BY code"))
            names[column] = [row[0] for row in rows]
    found = engine.columns(
        Statement.of(
            "SELECT c.code AS person, p.code AS product, b.code AS basket, l.day AS day, l.authority AS authority, "
            f"CASE WHEN l.network IS NULL THEN {UNKNOWN_NETWORK} ELSE n.code END AS network, l.received AS received "
            "FROM lines AS l "
            "JOIN person_codes AS c ON c.person = l.person JOIN product_codes AS p ON p.product = l.product "
            "JOIN basket_codes AS b ON b.basket = l.basket LEFT JOIN network_codes AS n ON n.network = l.network "
            f"WHERE {chosen} ORDER BY l.day, b.code, p.code"
        )
    )
    coded = LineCodes(*(found[name].astype(np.int32) for name in ("person", "product", "basket")))
    told = Origins(
        found["authority"].astype(np.int32), found["network"].astype(np.int32), found["received"].astype(np.float64)
    )
    return Purchases.coded(coded, found["day"].astype(np.float64), names["person"], names["product"], told)
