"""When recommendations are trained next: some hours after the last training, sooner while no model is live."""

import time
from pathlib import Path
from typing import Final

FIRST_WAIT_SECONDS: Final = 20.0  # after the start, so that a start is quick
RETRY_SECONDS: Final = 60.0  # while no model is live: data may have come since


class TrainingSchedule:
    """Says when a training is due; `hours` 0 is never. `last-training.json` is written by each of them."""

    def __init__(self, data: Path, hours: float) -> None:
        self.models = data / "models"
        self.seconds = hours * 3600
        self._look_at = time.monotonic() + FIRST_WAIT_SECONDS

    def due(self) -> bool:
        """Asked often, it looks at the disk once a minute."""
        if not self.seconds or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + RETRY_SECONDS
        trained = self._trained_at()
        return trained is None or time.time() - trained >= self.seconds

    def _trained_at(self) -> float | None:
        """Epoch seconds of the last training, whatever came of it; None while no model is live."""
        try:
            return (self.models / "last-training.json").stat().st_mtime if (self.models / "current").exists() else None
        except OSError:
            return None
