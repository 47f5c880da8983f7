"""When recommendations are trained next: some hours after the last time, whoever trained them."""

import time
from pathlib import Path
from typing import Final

FIRST_WAIT_SECONDS: Final = 60.0  # after the start, so that a start is quick
LOOK_SECONDS: Final = 30.0


class TrainingSchedule:
    """Says when a training is due. `hours` 0 is never; the models' folder tells when the last one ended."""

    def __init__(self, data: Path, hours: float) -> None:
        self.models = data / "models"
        self.seconds = hours * 3600
        self._look_at = time.monotonic() + FIRST_WAIT_SECONDS

    def due(self) -> bool:
        """True once the hours have passed; asked often, it looks at the disk seldom."""
        if not self.seconds or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + max(LOOK_SECONDS, min(self.seconds, 600.0))
        return time.time() - self._last() >= self.seconds

    def _last(self) -> float:
        """Epoch seconds of the last training, 0 when there was none."""
        try:
            return max((entry.stat().st_mtime for entry in self.models.iterdir()), default=0.0)
        except FileNotFoundError:
            return 0.0
