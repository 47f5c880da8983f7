"""The one place that names the columns of the event log, in the order of its Parquet parts."""

from typing import Final, Literal

Kind = Literal["int", "float", "bool", "text", "texts", "floats", "json"]

COLUMNS: Final[dict[str, Kind]] = {
    "shard": "int",
    "stream_id": "int",  # milliseconds << 20 | sequence, so that one integer orders as the store's ids do
    "position": "int",  # index of the event inside its stream entry
    "message_id": "text",
    "type": "text",  # exposure | track | page | screen | identify | group | alias | engagement
    "event": "text",
    "visitor_id": "text",  # anonymousId, else userId
    "user_id": "text",
    "time": "int",  # microseconds UTC, when it happened
    "received_at": "int",  # microseconds UTC, the time of the stream id
    "experiment": "text",
    "variant": "text",
    "phase": "int",
    "propensity": "float",
    "exposure_source": "text",  # ofrep | personalize | client | growthbook
    "value": "float",
    "currency": "text",
    "order_id": "text",
    "product_ids": "texts",
    "quantities": "floats",
    "prices": "floats",
    "page_view_id": "text",
    "engaged_ms": "int",
    "url": "text",
    "path": "text",
    "device": "text",
    "country": "text",
    "bot": "bool",
    "forced": "bool",
    "forged": "bool",
    "backend": "bool",  # sent with a secret key: its value outranks a browser's copy of the same order
    "quarantined": "bool",  # an impossible time: kept and counted, never in a readout
    "properties": "json",  # of an exposure: the attributes it was decided on
    "context": "json",
}

STREAM_COLUMNS: Final = ("shard", "stream_id", "position", "received_at")  # given by the store, not by the sender
SEQUENCE_BITS: Final = 20


def stream_number(milliseconds: int, sequence: int) -> int:
    """A store's stream id as the one integer that the column `stream_id` holds."""
    return milliseconds << SEQUENCE_BITS | sequence


def stream_text(number: int) -> str:
    """The store's own writing of a stream id, `milliseconds-sequence`."""
    return f"{number >> SEQUENCE_BITS}-{number & ((1 << SEQUENCE_BITS) - 1)}"
