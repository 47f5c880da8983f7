"""What recommendations brought: views, clicks and purchases after a click, by strategy and model, from the log."""

from pathlib import Path
from typing import Any, Final

from events.engines.duckdb import EventLog
from events.engines.sql import Statement

WINDOW_DAYS: Final = 7
PROPERTIES: Final = ("recommendation_id", "product_id")  # text_0 and text_1 of the statement
NONE: Final = "-"
_SQL: Final = Path(__file__).with_name("attribution.sql")


def attribution(log: EventLog) -> list[dict[str, Any]]:
    """One row for each strategy, fallback and model version that was seen.

    A purchase counts when the visitor clicked on that product in such a list at most a week before. Raises DataDamaged.
    """
    statement = Statement.of_file(_SQL).bind(window_us=WINDOW_DAYS * 86_400_000_000)
    with log.open(log.snapshot(), properties=PROPERTIES) as engine:
        return [_row(*row) for row in engine.rows(statement)]


def _row(strategy: str, fallback: str, model: str, *counts: Any) -> dict[str, Any]:
    views, clicks, purchases = (int(count) for count in counts[:3])
    return {
        "strategy": strategy,
        "fallback": None if fallback == NONE else fallback,
        "model_version": None if model == NONE else model,
        "views": views,
        "clicks": clicks,
        "click_rate": clicks / views if views else None,
        "purchases": purchases,
        "attributed_revenue": round(float(counts[3]), 2),
        "attributed_revenue_per_view": float(counts[3]) / views if views else None,
    }
