"""Trains recommendations once and ends: `python -P -m app.trainer_process`, started by the supervisor when due."""

import logging
import sys
from typing import TYPE_CHECKING

from app.processes.supervised import begin

if TYPE_CHECKING:
    from pathlib import Path


logger = logging.getLogger("resonate.trainer")


def main() -> int:
    """Train on the log; the report says what became of it, also when the log could not be read."""
    child = begin()
    settings = child.settings("trainer")
    child.say_ready()
    return train_once(settings.data)


def train_once(data: "Path") -> int:
    """One training of a data directory; 1 when its log is damaged."""
    from events.parts.part import DataDamaged
    from recommender.model.artefact import MODELS
    from recommender.training.publish import Report, keep, run_training

    try:
        report = run_training(data)
    except DataDamaged as damage:
        keep(data / MODELS, Report("failed", None, (str(damage),), {}, 0.0))
        logger.error("training failed, the former model serves: %s", damage)
        return 1
    level = logging.WARNING if report.outcome == "refused" else logging.INFO
    logger.log(level, "training %s", report.outcome, extra={"version": report.version, "reasons": list(report.reasons)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
