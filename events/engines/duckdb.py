"""How the analysis process reads the log: DuckDB, locked down, with typed views over the verified live parts."""

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import numpy as np
import numpy.typing as npt

from events.authority import Authority
from events.engines.sql import Dialect, Statement, inline_table
from events.log.reader import LogReader, Snapshot
from events.parts.arrow import Table, arrow
from events.parts.part import POSITION, REPLACED
from events.records import COLUMNS, Kind

Columns = dict[str, npt.NDArray[Any]]


def plain_column(values: Any) -> npt.NDArray[Any]:
    """A column as DuckDB gives it, without its mask: a missing number is NaN, a missing text None."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    missing = np.ma.getmaskarray(values)
    if values.dtype.kind in "iu" and missing.any():
        values = values.astype(np.float64)
    plain: npt.NDArray[Any] = np.array(values.data)
    if missing.any():
        plain[missing] = np.nan if plain.dtype.kind == "f" else None
    return plain


def quoted(text: str) -> str:
    """A text literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


BOOLEANS: Final = ("bot", "forced", "forged", "issued", "quarantined")
PLAIN: Final = (
    "shard", "stream_id", "position", "message_id", "type", "event", "visitor_id", "user_id", "time", "received_at",
    "experiment", "variant", "phase", "value", "currency", "order_id", "page_view_id", "engaged_ms", "url", "path",
    "device", "country", "site", "network", "product_ids", "quantities", "prices", "properties",
)  # fmt: skip
AUTHORITY: Final = f"coalesce(e.authority, CASE WHEN e.backend THEN {Authority.BACKEND:d} ELSE {Authority.PAGE:d} END)"
EVERYTHING: Final = "personal"  # the consent of rows that are older than it
CART: Final = "list_aggregate(list_sort(e.product_ids), 'string_agg', chr(31))"
_TYPES: Final[dict[Kind, str]] = {
    "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "text": "VARCHAR", "json": "VARCHAR",
    "texts": "VARCHAR[]", "floats": "DOUBLE[]",
}  # fmt: skip
_STORED: Final = {name: _TYPES[kind] for columns in (COLUMNS, REPLACED) for name, kind in columns.items()}
_READ: Final = ", ".join(f"'{n}': {{name: '{n}', type: '{t}', default_value: NULL}}" for n, t in _STORED.items())
LARGEST: Final = "9223372036854775808.0"  # 2^63, the bound of every number that the ingest takes


def rows_of(paths: Iterable[str]) -> str:
    """The rows of parts, whichever version wrote them: a column that one does not have is NULL there."""
    return f"read_parquet([{', '.join(map(quoted, paths))}], hive_partitioning = false, schema = MAP {{{_READ}}})"


def received_rows(source: str, received_until_us: int | None, properties: Sequence[str], *, hidden: bool) -> str:
    """Everything stored by then and neither a duplicate, nor erased, nor told with more authority by then.

    `cart` is which products it names, in one text however they were put.

    Property `properties[i]` is `text_i` (its text, strings without quotes) and `number_i` (NULL unless a number that
    the ingest would take: text can spell NaN, infinity and 1e308, and one of them would spoil every sum).
    """
    columns = [f"e.{name}" for name in PLAIN]
    columns += [
        "e.context",  # like the next of no readout's numbers
        "e.exposure_source",
        f"{AUTHORITY} AS authority",
        f"{CART} AS cart",
        f"coalesce(e.consent, '{EVERYTHING}') AS consent",
        *(f"coalesce(e.{name}, false) AS {name}" for name in BOOLEANS),
    ]
    columns += [f"{_extracted(name)} AS text_{index}" for index, name in enumerate(properties)]
    for index, name in enumerate(properties):
        number = f"TRY_CAST({_extracted(name)} AS DOUBLE)"
        columns.append(f"CASE WHEN abs({number}) < {LARGEST} THEN {number} END AS number_{index}")
    where = [] if received_until_us is None else [f"e.received_at <= {received_until_us}"]
    if hidden:
        same = " AND ".join(f"h.{name} = e.{name}" for name in POSITION)
        same += "" if received_until_us is None else f" AND h.since <= {received_until_us}"
        where.append(f"NOT EXISTS (SELECT 1 FROM hidden h WHERE {same})")
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {', '.join(columns)} FROM {source} e{condition}"


CLEAN_ROWS: Final = "SELECT * FROM received WHERE NOT quarantined"
"""What a readout may count: nothing from quarantine."""


def events_of(least: Authority) -> str:
    """The view of the events that are believed at least so far."""
    return "events" if least is Authority.PAGE else f"events_{least.word}"


VIEWS: Final = {events_of(each): f"SELECT * FROM events WHERE authority >= {each:d}" for each in Authority} | {
    "events": CLEAN_ROWS
}
"""The views of every engine, over `received` and over `events`."""


def _extracted(name: str) -> str:
    """The property as text; a dot reaches into an object. A pointer (RFC 6901) has no wildcards, as a path has."""
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in name.split("."))
    return "json_extract_string(e.properties, '" + pointer.replace("'", "''") + "')"


def uncounted(snapshot: Snapshot) -> Table:
    """The positions of rows that no readout counts, and `since` when (µs)."""
    rows, outranked = snapshot.hidden
    always = arrow.array([0] * rows.num_rows, arrow.int64())
    return arrow.concat_tables([rows.append_column("since", always), outranked])


class QueryTimeout(TimeoutError):
    """The analysis took longer than it may; a shorter span or fewer dimensions would do."""


class Engine(Protocol):
    """What a readout needs of a database: views (`received`, `events`, and of what is believed more `events_proven`,
    `events_backend`), tables of its own, and answers.
    """

    dialect: Dialect

    def materialise(self, name: str, statement: Statement) -> None:
        """Keep the rows of a SELECT as a table under this name, in place of an older one."""
        ...

    def keep_texts(self, name: str, column: str, values: Sequence[str]) -> None:
        """Keep texts as a table of one column."""
        ...

    def drop(self, name: str) -> None:
        """Let go of a table that is not read again."""
        ...

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        ...

    def columns(self, statement: Statement) -> Columns:
        """All rows of a SELECT as numpy arrays by column name; a missing number is NaN."""
        ...

    def sources(self) -> dict[str, Statement]:
        """What the views read, for the SQL that analysts are shown."""
        ...


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one analysis may use: memory in MB (beyond it DuckDB spills to disk), threads, seconds."""

    memory_mb: int = 1024
    threads: int = 1
    timeout_seconds: float = 60.0


class EventLog:
    """The log of a data directory, for one analysis at a time; whoever else reads it here shares its `reader`."""

    def __init__(self, data: Path, limits: EngineLimits = EngineLimits()) -> None:
        """Nothing is read yet."""
        self.reader = LogReader(data)
        self.limits = limits
        self._open: DuckEngine | None = None

    def interrupt(self) -> None:
        """Stop the analysis that runs now, if any, from another thread; it then raises `QueryTimeout`."""
        engine = self._open
        if engine is not None:
            engine.interrupt()

    def snapshot(self) -> Snapshot:
        """The log as it stands, every part verified; raises `DataDamaged`. Any thread may ask."""
        snapshot = self.reader.snapshot()
        for part in snapshot.parts:
            self.reader.contents.verified(part)
        return snapshot

    @contextmanager
    def open(
        self, snapshot: Snapshot, received_until_us: int | None = None, properties: Sequence[str] = ()
    ) -> "Generator[DuckEngine, None, None]":
        """An engine on the rows received by a moment (µs, inclusive); `properties` become typed columns."""
        engine = DuckEngine(self.reader.data, self.limits)
        timer = threading.Timer(self.limits.timeout_seconds, engine.interrupt)
        timer.daemon = True
        timer.start()
        self._open = engine
        try:
            with self.reader.contents.watching(snapshot.parts, (duckdb.Error,)):
                engine.attach(snapshot, received_until_us, properties)
                yield engine
        finally:
            self._open = None
            timer.cancel()
            engine.close()


class DuckEngine:
    """One DuckDB connection in memory that may read the log's folder and nothing else."""

    dialect: Dialect = "duckdb"

    def __init__(self, data: Path, limits: EngineLimits) -> None:
        """Open and size it; `attach` gives it the log and locks it."""
        spill = data / "run" / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        self._log = data / "log"
        self._limits = limits
        self._late = False
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": limits.threads,
                "memory_limit": f"{limits.memory_mb}MB",
                "temp_directory": str(spill),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )

    def attach(self, snapshot: Snapshot, received_until_us: int | None, properties: Sequence[str]) -> None:
        """Define the views `received` and `events`, then lock the configuration."""
        source = rows_of(str(part.path) for part in snapshot.parts)
        if not snapshot.parts:
            self._connection.execute(
                f"CREATE TABLE no_rows ({', '.join(f'{name} {kind}' for name, kind in _STORED.items())})"
            )
            source = "no_rows"
        hidden = uncounted(snapshot)
        if hidden.num_rows:
            self._connection.register("hidden_positions", hidden)
            self._connection.execute("CREATE TABLE hidden AS SELECT * FROM hidden_positions")
        rows = received_rows(source, received_until_us, properties, hidden=hidden.num_rows > 0)
        with self._in_time():
            self._connection.execute(f"CREATE VIEW received AS {rows}")
            for name, text in VIEWS.items():
                self._connection.execute(f"CREATE VIEW {name} AS {text}")
            self._connection.execute(f"SET allowed_directories = [{quoted(str(self._log))}]")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
        self._attached = (snapshot, received_until_us, properties)

    def materialise(self, name: str, statement: Statement) -> None:
        """Keep the rows of a SELECT as a table."""
        with self._in_time():
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {statement.render()}")

    def keep_texts(self, name: str, column: str, values: Sequence[str]) -> None:
        """Keep texts as a table of one column."""
        with self._in_time():
            self._connection.register("given", {"given": np.array(values, dtype=object)})
            kept = f"SELECT CAST(g.given AS VARCHAR) AS {column} FROM given AS g"
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {kept}")
            self._connection.unregister("given")

    def drop(self, name: str) -> None:
        """Let go of a table."""
        with self._in_time():
            self._connection.execute(f"DROP TABLE IF EXISTS {name}")

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """All rows of a SELECT."""
        with self._in_time():
            return self._connection.execute(statement.render()).fetchall()

    def columns(self, statement: Statement) -> Columns:
        """All rows of a SELECT as numpy arrays."""
        with self._in_time():
            found = self._connection.execute(statement.render()).fetchnumpy()
        return {name: plain_column(values) for name, values in found.items()}

    def sources(self) -> dict[str, Statement]:
        """What the views read, as statements that run in the data directory without this engine."""
        snapshot, received_until_us, properties = self._attached
        source = rows_of(str(part.path.relative_to(self._log.parent)) for part in snapshot.parts)
        hidden = uncounted(snapshot)
        rows = received_rows(source, received_until_us, properties, hidden=hidden.num_rows > 0)
        tables = {"hidden": inline_table(hidden.to_pydict(), passing=True)} if hidden.num_rows else {}
        return {
            **tables,
            "received": Statement.of_passing(rows),
            **{name: Statement.of(text) for name, text in VIEWS.items()},
        }

    def interrupt(self) -> None:
        """Stop what runs, from another thread; it then raises `QueryTimeout`."""
        self._late = True
        self._connection.interrupt()

    def close(self) -> None:
        """Let go of all memory and spilled files."""
        self._connection.close()

    @contextmanager
    def _in_time(self) -> Generator[None]:
        if self._late:
            raise self._timeout()
        try:
            yield
        except duckdb.InterruptException as error:
            raise self._timeout() from error

    def _timeout(self) -> QueryTimeout:
        seconds = self._limits.timeout_seconds
        return QueryTimeout(f"the analysis took longer than {seconds:g} s; ask for one metric or a shorter experiment")
