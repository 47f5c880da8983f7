"""The seed figures of customer experience: CSAT, NPS, CES and retention of the whole site, per shop day."""

from typing import Any, Final

from events.engines.duckdb import Engine
from events.engines.sql import Expression
from experiments.cube.shop_days import ShopDays, calendar_date
from experiments.cube.statements import SURVEY_NAMES, Properties, statement
from kit.time import DAY_US

PROPERTIES: Final = Properties(("survey",), SURVEY_NAMES)
DAYS: Final = 90
RETENTION_FROM_US: Final = 7 * DAY_US
RETENTION_TO_US: Final = 14 * DAY_US
FIGURES: Final = ("csat", "nps", "ces", "retention_d7")
COUNTS: Final = ("csat_answers", "nps_answers", "ces_answers", "new_visitors")
COLUMNS: Final = ("date", *FIGURES, *COUNTS)


def customer_experience(engine: Engine, days: ShopDays, now_us: int) -> list[dict[str, Any]]:
    """One row per day of the last 90: each figure with the number of answers (or visitors) that it rests on.

    CSAT is the share of 4 and 5 among 1 to 5, NPS the points of promoters (9, 10) less detractors (0 to 6), CES the
    mean effort; retention is the share of the day's new visitors who came back between the 7th and the 14th day, for
    days whose two weeks have passed.
    """
    since = days.day(now_us) - DAYS * DAY_US
    rows: dict[int, dict[str, Any]] = {}
    answers = statement("cx_answers").bind(
        day=days.sql("e.time"), survey=Expression.of(PROPERTIES.text("survey")), since=since, until=now_us
    )
    for day, survey, count, total in engine.rows(answers):
        row = rows.setdefault(int(day), _empty(int(day)))
        row[str(survey)] = float(total) / int(count)
        row[f"{survey}_answers"] = int(count)
    retention = statement("cx_retention").bind(
        **{"day": days.sql("f.first_at"), "from": RETENTION_FROM_US, "to": RETENTION_TO_US, "since": since},
        until=now_us,
    )
    for day, visitors, returned in engine.rows(retention):
        row = rows.setdefault(int(day), _empty(int(day)))
        row["retention_d7"] = int(returned) / int(visitors)
        row["new_visitors"] = int(visitors)
    return [rows[day] for day in sorted(rows)]


def _empty(day: int) -> dict[str, Any]:
    date = calendar_date(day).isoformat()
    return {"date": date, **dict.fromkeys(FIGURES), **dict.fromkeys(COUNTS, 0)}
