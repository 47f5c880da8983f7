"""A readout as the bytes that are served. All but its head is encoded once: only the clock moves between two asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec

from experiments.plain import plain
from experiments.readout_series import timeseries_json
from experiments.readout_types import Readout, readout_json

HEAD: Final = ("experiment", "phase", "fingerprint", "as_of", "watermark", "pending")  # of both objects, in order
REMEMBERED: Final = 64  # bodies


@dataclass(frozen=True, slots=True)
class _Known:
    """A readout by what it says: equal ETags have equal bodies but for the head."""

    etag: str
    readout: Readout = field(compare=False)


def results_body(readout: Readout) -> bytes:
    """The results object."""
    return _with_head(readout, _results(_Known(readout.etag, readout)))


def timeseries_body(readout: Readout) -> bytes:
    """The readout's metrics day by day."""
    return _with_head(readout, _timeseries(_Known(readout.etag, readout)))


@lru_cache(REMEMBERED)
def _results(known: _Known) -> bytes:
    return _without_head(known.readout, readout_json)


@lru_cache(REMEMBERED)
def _timeseries(known: _Known) -> bytes:
    return _without_head(known.readout, timeseries_json)


def _without_head(readout: Readout, form: Callable[[Readout], dict[str, Any]]) -> bytes:
    return msgspec.json.encode({name: value for name, value in form(readout).items() if name not in HEAD})


def _with_head(readout: Readout, rest: bytes) -> bytes:
    head = msgspec.json.encode({name: plain(getattr(readout, name)) for name in HEAD})
    return head[:-1] + b"," + rest[1:]
