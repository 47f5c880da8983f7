"""What a phase is at a moment, and what then follows: the table in docs/statistics.md, cell by cell."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from worlds.drawn_readouts import DAY, METRICS, Drawn, answered, moment

from experiments.catalog.calendar import calendar_of
from experiments.definitions.model import Plan
from experiments.readout.encoding import readout_json
from experiments.readout.tables import comparison_rows

ANYTIME = Plan(method="anytime", days=10, looks=2, min_days=1)
PLANNED = ANYTIME.model_copy(update={"method": "planned"})
QUIET = Drawn(  # forty units on the first day, none of whom buys within the three days of the window
    seed=1, weights=(1, 1), units=40, copies=1, plan=ANYTIME, goals=("rate",), secondary=(), guardrails=(),
    scarcity=0.0, effect=0.0, later=0.0, turns=99, delay=0, at=4.5, enrols=1, status="running", start=None, stop=None,
    paused=None, empty=None, alike=False, shrink=1.0,
)  # fmt: skip
NOBODY, STOPPED = {"units": 0}, {"stop": 4.0}


@pytest.mark.parametrize(
    ("changes", "state", "closed", "action", "days_left", "planned"),
    [
        ({**NOBODY, "status": "draft"}, "draft", False, "not_started", 10, ("not_started", 13)),
        ({**NOBODY, "start": 8.0}, "not_started", False, "not_started", 10, ("not_started", 13)),
        (NOBODY, "enrolling", False, "keep_running", 10, ("keep_running", 13)),
        ({**NOBODY, "status": "paused"}, "paused", False, "keep_running", 10, ("keep_running", 13)),
        ({**NOBODY, **STOPPED}, "ended", False, "inconclusive", 0, ("inconclusive", 0)),
        ({**NOBODY, **STOPPED, "at": 7.0}, "closed", True, "inconclusive", 0, ("inconclusive", 0)),
        ({}, "enrolling", False, "keep_running", 6, ("keep_running", 9)),
        ({"status": "paused"}, "paused", False, "keep_running", 6, ("keep_running", 9)),
        ({"paused": 4.0}, "paused", False, "keep_running", 6, ("keep_running", 9)),
        ({"stop": 9.0}, "enrolling", False, "keep_running", 6, ("keep_running", 9)),
        ({"at": 10.5}, "enrolling", False, "inconclusive", 0, ("keep_running", 3)),
        ({"at": 13.0}, "enrolling", False, "inconclusive", 0, ("inconclusive", 0)),
        (STOPPED, "ended", False, "keep_running", 3, ("keep_running", 3)),
        ({**STOPPED, "at": 6.9}, "ended", False, "keep_running", 1, ("keep_running", 1)),
        ({**STOPPED, "at": 7.0}, "closed", True, "inconclusive", 0, ("inconclusive", 0)),
        ({"status": "stopped"}, "ended", False, "inconclusive", 0, ("keep_running", 9)),
    ],
)
def test_the_table_of_states(
    changes: dict[str, Any], state: str, closed: bool, action: str, days_left: int, planned: tuple[str, int]
) -> None:
    for plan, expected in ((ANYTIME, (action, days_left)), (PLANNED, planned)):
        found, _ = answered(replace(QUIET, plan=plan, **changes))
        assert (found.state, found.closed) == (state, closed)
        assert (found.decision.action, found.decision.days_left) == expected


def expected_state(status: str, order: tuple[str, ...], apart: int) -> str:
    """The same again, from the order of four moments that are so many days apart."""
    ahead = {name: order.index(name) - order.index("now") for name in order}
    if status == "draft":
        return "draft"
    if ahead["end"] < 0:
        return "closed" if -apart * ahead["end"] >= METRICS["rate"].window_seconds / DAY else "ended"
    if status in ("stopped", "archived"):
        return "ended"
    if ahead["start"] > 0:
        return "not_started"
    return "paused" if status == "paused" else "enrolling"


@pytest.mark.parametrize("apart", [2, 5])
@pytest.mark.parametrize("status", ["draft", "running", "paused", "stopped", "archived"])
@pytest.mark.parametrize("order", [*permutations(("start", "first", "end", "now"))], ids="-".join)
def test_all_orders_of_dates_are_one_state_everywhere(order: tuple[str, ...], status: Any, apart: int) -> None:
    """In the results, in their list, and in the list of experiments, which asks the calendar of the definition."""
    days = {name: float(apart * (order.index(name) - order.index("first"))) for name in order}
    made = replace(QUIET, status=status, start=days["start"], stop=days["end"], at=days["now"] + 0.9)
    found, _ = answered(replace(made, stop=days["end"] + 0.9, start=days["start"] + 0.9))
    defined = made.study.experiment.model_copy(
        update={"start": moment(days["start"] + 0.9), "end": moment(days["end"] + 0.9)}
    )
    listed = calendar_of(defined, None, [METRICS["rate"]]).state_at(moment(made.at))
    rows = comparison_rows(found, defined, made.study.calendar)
    states = {found.state, readout_json(found)["state"], listed, *(row["state"] for row in rows)}
    assert states == {expected_state(status, order, apart)}
    exposed = order.index("first") < min(order.index("now"), order.index("end"))
    begun = exposed or found.state not in ("draft", "not_started")
    assert (found.decision.action == "not_started") is not begun
    assert found.closed is (found.state == "closed")
