"""Keys that the store's functions use and the product never names: what the tests look at behind them."""


def counters_key(shard: int) -> str:
    """What the ingest has seen: a hash of `appended`, `duplicates`, `conflicts` (same messageId, other body)."""
    return f"{{{shard}}}:counters"


def generations_key(shard: int, *, of_pages: bool = True) -> str:
    """Which two generations of message digests are kept, of pages or of all others, in how many small hashes each."""
    return f"{{{shard}}}:{'page_ids' if of_pages else 'ids'}"


def bucket_key(shard: int, generation: int, bucket: int, *, of_pages: bool = True) -> str:
    """One small hash of a generation: 8-byte digest of a messageId → 13 bits of a digest of its body."""
    return f"{generations_key(shard, of_pages=of_pages)}:{generation}:{bucket}"
