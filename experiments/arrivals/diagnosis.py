"""What a doctor asks of the log: who sends, what no metric reads, and whether exposures and conversions both come."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from events.consent import USER_ALONE
from events.engines.duckdb import Engine
from events.libraries import library_label
from events.records import REFUSED
from events.tallies.evaluations import Tallies
from events.tallies.refused_events import OUTCOMES, DaySum, RefusedEvents
from events.tallies.remedies import ALONE_REMEDY
from experiments.arrivals.exposing import OFTEN, Counts, day_began
from experiments.arrivals.names import LIBRARY, MOST_NAMES, arrivals_sql, hint_of, names_read
from experiments.catalog.catalog import Catalog
from kit.time import DAY_US, iso, microseconds, moment_of

DAYS: Final = 7
MOST_UNREAD: Final = 20


def diagnosed(engine: Engine, catalog: Catalog, tallies: Tallies, now: datetime) -> dict[str, Any]:
    """Of the last 7 days: libraries, names without a metric, and running experiments."""
    now_us = microseconds(now)
    span: dict[str, Any] = {"since": now_us - DAYS * DAY_US, "refused": REFUSED}
    names = engine.rows(arrivals_sql("event_names").bind(day=now_us - DAY_US, **span))
    read = names_read(catalog.metrics.values())
    looked_at = names[:MOST_NAMES]  # whoever sends events invents names
    hints = [(name, int(n), hint_of(kind, name, read, worthless / n)) for kind, name, n, _, worthless, *_ in looked_at]
    unread = [{"event": name, "count": n, "hint": hint} for name, n, hint in hints if hint is not None]
    counts = Counter[str]()
    for _, name, n, *_ in names:
        counts[str(name)] += int(n)
    return {
        "days": DAYS,
        "libraries": _libraries(engine, tallies.refused(now_us), span, now),
        "alone": {
            "events": sum(each.count for each in _sums(tallies.refused(now_us), now) if each.code == USER_ALONE),
            "remedy": ALONE_REMEDY,
        },
        "unread": unread[:MOST_UNREAD],
        "experiments": _experiments(engine, catalog, tallies, counts, now_us),
    }


def _libraries(engine: Engine, refused: RefusedEvents, span: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Each library that sent something: how much, when last, and what was not taken."""
    events, last = Counter[str](), dict[str, int]()
    for _, _, library, n, seen in engine.rows(arrivals_sql("event_libraries").bind(library=LIBRARY, **span)):
        label = library_label(library)
        events[label] += int(n)
        last[label] = max(last.get(label, 0), int(seen))
    sums = _sums(refused, now)
    untaken = Counter[tuple[str, str]]()
    for each in sums:
        untaken[each.library, each.outcome] += each.count
    return [
        {
            "library": label,
            "events": events[label],
            "last_event": iso(moment_of(last[label])) if label in last else None,
            **{outcome: untaken[label, outcome] for outcome in OUTCOMES},
        }
        for label in sorted({*events, *(each.library for each in sums)})
    ]


def _sums(refused: RefusedEvents, now: datetime) -> list[DaySum]:
    """What was not taken in the last days."""
    since = (now - timedelta(days=DAYS)).date().isoformat()
    return [each for day, found in refused.days.items() if day > since for each in found]


def _experiments(
    engine: Engine, catalog: Catalog, tallies: Tallies, counts: Mapping[str, int], now_us: int
) -> list[dict[str, Any]]:
    lately = tallies.evaluated(now_us)
    bound = arrivals_sql("exposures_lately").bind(since=now_us - DAYS * DAY_US, day=day_began(lately))
    exposed = {(key, phase): Counts(*map(int, rest)) for key, phase, *rest in engine.rows(bound)}
    found: list[dict[str, Any]] = []
    for experiment in (each for each in catalog.experiments.values() if each.status == "running"):
        name = experiment.key, experiment.phase
        goals = sorted(names_read(catalog.metrics[goal] for goal in experiment.goals if goal in catalog.metrics))
        own = exposed.get(name, Counts())
        found.append(
            {
                "experiment": experiment.key,
                "phase": experiment.phase,
                "exposures": own.all,
                "forged": own.forged,
                "exposures_24h": own.day,
                "goal_events": goals,
                "conversions": sum(counts.get(goal, 0) for goal in goals),
                "evaluated": {
                    each.dialect: n for each, n in lately.counts.items() if (each.experiment, each.phase) == name
                },
                "enough": OFTEN,
            }
        )
    return found
