"""What recommendations brought: views, clicks and purchases after a click, by strategy and model, from the log."""

from pathlib import Path
from typing import Any, Final

from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from events.views.orders import LINES, order_views
from kit.time import DAY_US

WINDOW_DAYS: Final = 7
PROPERTIES: Final = ("recommendation_id", "product_id")  # text_0 and text_1 of the statement
NONE: Final = "-"
_SQL: Final = Path(__file__).with_name("attribution.sql")


def attribution(log: EventLog) -> list[dict[str, Any]]:
    """One row for each strategy, fallback and model version that was seen.

    A purchase counts when the visitor clicked on that product in such a list at most a week before. Raises DataDamaged.
    """
    statement = Statement.of_file(_SQL).bind(window_us=WINDOW_DAYS * DAY_US)
    with log.open(log.snapshot(), properties=PROPERTIES) as engine:
        for name, made in order_views([LINES]).items():
            engine.materialise(name, made)
        rows = list(engine.rows(statement))
    found: list[dict[str, Any]] = []
    for strategy, fallback, model, views, clicks, purchases, revenue in rows:
        figures = {
            "strategy": strategy,
            "fallback": None if fallback == NONE else fallback,
            "model_version": None if model == NONE else model,
            "views": int(views),
            "clicks": int(clicks),
            "click_rate": clicks / views if views else None,
            "purchases": int(purchases),
            "attributed_revenue": round(float(revenue), 2),
            "attributed_revenue_per_view": float(revenue) / views if views else None,
        }
        found.append(figures)
    return found
