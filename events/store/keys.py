"""Names every key that Resonate keeps in the store; docs/store.md explains them and a test holds both together."""

from typing import Final

FORMAT: Final = "resonate:format"  # in which format all this is kept, by which release (events/format.py)
SHARDS: Final = "resonate:shards"  # number of shards, recorded once
DESIGNS: Final = "resonate:designs"  # frozen designs, so that they outlive a data directory
OWNER: Final = "resonate:owner"  # the one data directory whose writer may take events out, and until when
SESSIONS: Final = "resonate:sessions"  # of people who are signed in, by the digests of what their browsers hold
LIBRARY: Final = "resonate"  # the function library (functions.lua)


def survey_answers_key(day: str) -> str:
    """Which of the links that end on a day (ISO, UTC) were answered: a hash of the links' ids. It goes with its day."""
    return f"{{resonate:survey_answers}}:{day}"


def events_key(shard: int) -> str:
    """The stream of a shard: one entry per flush, fields `n` (events), `e` (their JSON), `t`, `b`, `p` (sums)."""
    return f"{{{shard}}}:events"


def watermark_key(shard: int) -> str:
    """How far the writer has come: a hash of `stream_id` (number), `time_us`, `written` (events so far)."""
    return f"{{{shard}}}:watermark"


def history_key(person: str) -> str:
    """A person's newest purchases: a hash of order and product → time, quantity, price; `owner`, who took them over.

    The one kind of key that expires, so that a store which is short of memory evicts histories and nothing else.
    """
    return f"{{h:{person}}}"


def log_in_key(bucket: int) -> str:
    """Log-ins that backends told of: a hash of visitor → when and until when (ms) which user (digest) is logged in."""
    return f"{{p:{bucket}}}"


def wanted_key(shard: int) -> str:
    """The stream number that a waiting reader wants in a part: the writer cuts early for it."""
    return f"{{{shard}}}:wanted"


TOMBSTONES: Final = "resonate:tombstones"  # what <data>/tombstones.json holds: digests of erased ids, stream numbers
