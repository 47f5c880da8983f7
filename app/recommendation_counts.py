"""How often each strategy was asked for and how often another one served: counted in every worker, summed by any."""

import mmap
import os
from pathlib import Path
from typing import Any, Final

STRATEGIES: Final = ("for_you", "buy_again", "bought_together", "popular")
COUNTED: Final = ("requests", "fallbacks", "items")
PATTERN: Final = "*.recommendations"
_WORDS: Final = len(STRATEGIES) * len(COUNTED)
_WORD_BYTES: Final = 8


class RecommendationCounts:
    """This worker's counts, in a mapped file beside the others'; the supervisor clears the folder at a start."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        descriptor = os.open(folder / f"{os.getpid()}.recommendations", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _WORDS * _WORD_BYTES)
            self._map = mmap.mmap(descriptor, _WORDS * _WORD_BYTES)
        finally:
            os.close(descriptor)
        self._values = memoryview(self._map).cast("d")

    def served(self, strategy: str, fell_back: bool, items: int) -> None:
        """One list was given."""
        start = STRATEGIES.index(strategy) * len(COUNTED)
        self._values[start] += 1
        self._values[start + 1] += fell_back
        self._values[start + 2] += items

    def totals(self) -> dict[str, dict[str, Any]]:
        """Over all workers since the start: requests, fallbacks, items and the fallback rate of each strategy."""
        sums = [0.0] * _WORDS
        for path in self._folder.glob(PATTERN):
            data = path.read_bytes()
            if len(data) == _WORDS * _WORD_BYTES:
                sums = [total + value for total, value in zip(sums, memoryview(data).cast("d"), strict=True)]
        return {strategy: _figures(sums[place * 3 : place * 3 + 3]) for place, strategy in enumerate(STRATEGIES)}

    def close(self) -> None:
        """Unmaps the file and leaves it, so that what was counted stays counted."""
        self._values.release()
        self._map.close()


def _figures(counts: list[float]) -> dict[str, Any]:
    requests, fallbacks, items = (int(count) for count in counts)
    rate = fallbacks / requests if requests else None
    return {"requests": requests, "fallbacks": fallbacks, "items": items, "fallback_rate": rate}
