"""The answers of the analysis: JSON, CSV or Parquet, each with an ETag of what it says, whatever the clock shows."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import msgspec

from app.analysis.client import AnalysisAnswer
from app.analysis.queries import Form
from app.glossary.columns import column_notes
from events.engines.tables import Table, csv_bytes, parquet_bytes, table_of
from events.privacy.person import Identity
from experiments.answers.encoding import HEAD, plain, readout_json, timeseries_json
from experiments.answers.readout import Readout
from kit.time import iso, moment_of

JSON: Final = "application/json"
CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
CLOCK: Final = frozenset({"as_of", "watermark"})  # what moves while nothing happens


def json_answer(value: Any, etag: str | None = None) -> AnalysisAnswer:
    """Any value as JSON; without `etag` that of its bytes."""
    body = msgspec.json.encode(value)
    return AnalysisAnswer(200, JSON, body, {"etag": etag or f'"{_digest(body)}"'})


def table_answer(table: Table, form: str, notes: Mapping[str, str], etag: str | None = None) -> AnalysisAnswer:
    """A table as `csv` or `parquet`; `notes` say what its columns hold."""
    body = csv_bytes(table) if form == "csv" else parquet_bytes(table, notes)
    return AnalysisAnswer(200, CONTENT_TYPES[form], body, {"etag": etag or f'"{_digest(body)}"'})


def rows_answer(rows: Sequence[Mapping[str, Any]], names: Sequence[str], form: Form, kind: str) -> AnalysisAnswer:
    """Rows of one type of the answers; as JSON `{"rows": […]}`."""
    etag = weak(_digest(msgspec.json.encode([_still(row) for row in rows])))
    if form == "json":
        return json_answer({"rows": rows}, etag)
    return table_answer(table_of(rows, names), form, column_notes(names, kind), etag)


def person_json(found: Identity) -> dict[str, Any]:
    """Whose ids went together, what joined them, and what pages claim of them, the most told first."""
    return {
        "visitors": sorted(found.person.visitors),
        "users": sorted(found.person.users),
        "joined_by": [
            {
                "visitor": joined.visitor,
                "user": joined.user,
                "authority": joined.authority.word,
                "at": iso(moment_of(joined.at)),
            }
            for joined in found.joined_by
        ],
        "claims": [
            {"id": claimed, "events": events}
            for claimed, events in sorted(found.claims.items(), key=lambda claim: (-claim[1], claim[0]))
        ],
    }


def object_etag(value: Mapping[str, Any]) -> str:
    """The ETag of an object whose `as_of` and `watermark` follow the clock."""
    return weak(_digest(msgspec.json.encode(_still(value))))


def weak(name: str) -> str:
    """A weak ETag (RFC 9110, 8.8.3): bodies of one ETag say the same, though their clocks differ."""
    return f'W/"{name}"'


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _still(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in CLOCK}


REMEMBERED: Final = 64  # bodies


@dataclass(frozen=True, slots=True)
class _Known:
    """A readout by what it says: equal ETags have equal bodies but for the head."""

    etag: str
    readout: Readout = field(compare=False)


class Bodies:
    """The bodies of the newest readouts; any thread may ask."""

    def __init__(self) -> None:
        self._rest = lru_cache(REMEMBERED)(_without_head)
        self._days = lru_cache(REMEMBERED)(_days_of)

    def results(self, readout: Readout) -> bytes:
        """The results object."""
        return _with_head(readout, self._rest(_Known(readout.etag, readout), readout_json))

    def timeseries(self, readout: Readout) -> bytes:
        """The readout's metrics day by day."""
        return _with_head(readout, self._rest(_Known(readout.etag, readout), timeseries_json))

    def days(self, readout: Readout, metric: str | None) -> bytes:
        """The same of one metric alone, without what all have: of the first where it reads none of that name."""
        names = [each.metric for each in readout.metrics]
        return self._days(_Known(readout.etag, readout), metric if metric in names else (names or [None])[0])


def _days_of(known: _Known, metric: str | None) -> bytes:
    readout = known.readout
    alone = tuple(each for each in readout.metrics if each.metric == metric)
    return msgspec.json.encode({"metrics": timeseries_json(replace(readout, metrics=alone))["metrics"]})


def _without_head(known: _Known, form: Callable[[Readout], dict[str, Any]]) -> bytes:
    return msgspec.json.encode({name: value for name, value in form(known.readout).items() if name not in HEAD})


def _with_head(readout: Readout, rest: bytes) -> bytes:
    head = msgspec.json.encode({name: plain(getattr(readout, name)) for name in HEAD})
    return head[:-1] + b"," + rest[1:]
