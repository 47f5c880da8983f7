"""The typed views that DuckDB gives the analysis: `received` (what is stored) and `events` (what may be read)."""

from collections.abc import Sequence
from typing import Final

BOOLEANS: Final = ("bot", "forced", "forged", "backend", "quarantined")
PLAIN: Final = (
    "shard", "stream_id", "position", "message_id", "type", "event", "visitor_id", "user_id", "time", "received_at",
    "experiment", "variant", "phase", "value", "currency", "order_id", "page_view_id", "engaged_ms", "url", "path",
    "device", "country", "product_ids", "quantities", "prices", "properties",
)  # fmt: skip
LARGEST: Final = "9223372036854775808.0"  # 2^63, the bound of every number at the door
POSITION: Final = ("shard", "stream_id", "position")


def received_rows(source: str, received_until_us: int | None, properties: Sequence[str], *, hidden: bool) -> str:
    """Everything stored by then and neither a duplicate nor erased.

    Property `properties[i]` is `text_i` (its text, strings without quotes) and `number_i` (NULL unless a number that
    the door would take: text can spell NaN, infinity and 1e308, and one of them would spoil every sum).
    """
    columns = [f"e.{name}" for name in PLAIN]
    columns += [f"coalesce(e.{name}, false) AS {name}" for name in BOOLEANS]
    columns += [f"{_extracted(name)} AS text_{index}" for index, name in enumerate(properties)]
    columns += [f"{_number(name)} AS number_{index}" for index, name in enumerate(properties)]
    where = [] if received_until_us is None else [f"e.received_at <= {received_until_us}"]
    if hidden:
        same = " AND ".join(f"h.{name} = e.{name}" for name in POSITION)
        where.append(f"NOT EXISTS (SELECT 1 FROM hidden h WHERE {same})")
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {', '.join(columns)} FROM {source} e{condition}"


CLEAN_ROWS: Final = "SELECT * FROM received WHERE NOT quarantined"
"""What a readout may count: nothing from quarantine."""


def _number(name: str) -> str:
    number = f"TRY_CAST({_extracted(name)} AS DOUBLE)"
    return f"CASE WHEN abs({number}) < {LARGEST} THEN {number} END"


def _extracted(name: str) -> str:
    """The property as text; a dot reaches into an object."""
    path = "$" + "".join('."' + part.replace('"', '\\"') + '"' for part in name.split("."))
    return "json_extract_string(e.properties, '" + path.replace("'", "''") + "')"
