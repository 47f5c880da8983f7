"""When recommendations are trained next: some hours after a model was published, sooner while there is none."""

import json
import time
from pathlib import Path
from typing import Final

FIRST_WAIT_SECONDS: Final = 20.0  # after the start, so that a start is quick
RETRY_SECONDS: Final = 60.0  # while no training has published a model: data may have come since


class TrainingSchedule:
    """Says when a training is due; `hours` 0 is never. `last-training.json` tells how the last one ended."""

    def __init__(self, data: Path, hours: float) -> None:
        self.models = data / "models"
        self.seconds = hours * 3600
        self._look_at = time.monotonic() + FIRST_WAIT_SECONDS

    def due(self) -> bool:
        """Asked often, it looks at the disk once a minute."""
        if not self.seconds or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + RETRY_SECONDS
        published = self._published_at()
        return published is None or time.time() - published >= self.seconds

    def _published_at(self) -> float | None:
        """Epoch seconds of the last training, None while no model is live or the last one was not published."""
        try:
            report = self.models / "last-training.json"
            published = json.loads(report.read_text())["outcome"] == "published" and (self.models / "current").exists()
            return report.stat().st_mtime if published else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
