"""What the writer tells of itself in numbers, for whoever shows them: the newest part, the log's size, its two jobs."""

from collections.abc import Callable
from typing import Literal, TypeAlias

WriterGauge = Literal[
    "last_part_at", "log_bytes", "log_parts",
    "compaction_at", "compaction_seconds", "compaction_ok",
    "retention_at", "retention_seconds", "retention_ok",
]  # fmt: skip
"""Times (`_at`) are seconds since 1970, 0 for never; `_ok` is 1 where the last run went well, else 0."""
Gauge: TypeAlias = Callable[[WriterGauge, float], None]


def untold(gauge: WriterGauge, value: float) -> None:
    """Where nobody shows them."""
