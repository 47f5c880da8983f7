"""Keys that the store's functions use and the product never names: what the tests look at behind them."""


def counters_key(shard: int) -> str:
    """What the ingest has seen: a hash of `appended`, `duplicates`, `conflicts` (same messageId, other body)."""
    return f"{{{shard}}}:counters"


def generations_key(shard: int) -> str:
    """Which two 12-hour generations of message digests are kept, and in how many small hashes each."""
    return f"{{{shard}}}:ids"


def bucket_key(shard: int, generation: int, bucket: int) -> str:
    """One small hash of a generation: 8-byte digest of a messageId → 13 bits of a digest of its body."""
    return f"{{{shard}}}:ids:{generation}:{bucket}"
