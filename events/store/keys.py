"""Names every key that Resonate keeps in the store; docs/store.md explains them and a test holds both together."""

from typing import Final

SHARDS: Final = "resonate:shards"  # number of shards, recorded once
DESIGNS: Final = "resonate:designs"  # frozen designs, so that they outlive a data directory
OWNER: Final = "resonate:owner"  # the one data directory whose writer may take events out; expires unless renewed
LIBRARY: Final = "resonate"  # the function library (functions.lua)


def events_key(shard: int) -> str:
    """The stream of a shard: one entry per flush, fields `n` (events), `e` (their JSON array), `t` (events so far)."""
    return f"{{{shard}}}:events"


def watermark_key(shard: int) -> str:
    """How far the writer has come: a hash of `stream_id` (number), `time_us`, `written` (events so far)."""
    return f"{{{shard}}}:watermark"


def history_key(person: str) -> str:
    """A person's newest purchases: a hash of order and product → time, quantity, price."""
    return f"{{h:{person}}}"


def history_owner_key(person: str) -> str:
    """The user who logged in first on this visitor and took over the visitor's purchases."""
    return f"{{h:{person}}}:owner"


def log_in_key(visitor_id: str) -> str:
    """The user whom a backend says to be logged in on this visitor: a hash of `user` (digest), `at`, `until` (ms)."""
    return f"{{p:{visitor_id}}}"


def wanted_key(shard: int) -> str:
    """The stream number that a waiting reader wants in a part: the writer cuts early for it. Expires in seconds."""
    return f"{{{shard}}}:wanted"


TOMBSTONES: Final = "resonate:tombstones"  # what <data>/tombstones.json holds: digests of erased ids, stream numbers
