"""What a phase is at a moment, and what then follows: the table in docs/statistics.md, cell by cell."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any

import pytest
from servers.patience import VAIN_SECONDS, until
from servers.service import ENTRY, Service, running
from worlds.drawn_readouts import DAY, METRICS, Drawn, answered, moment
from worlds.event_log import received, write_log
from worlds.readout_studies import Shop

from experiments.answers.encoding import readout_json
from experiments.catalog.calendar import calendar_of
from experiments.definitions.model import Plan
from experiments.readout.tables import comparison_rows
from kit.time import iso, microseconds

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


STATUSES = ("draft", "running", "paused", "stopped", "archived")
ORDERS = [("start", "first", *rest) for rest in permutations(("end", "now"))] + [("now", "start", "first", "end")]
SERVED = {
    f"{status}-{apart}-{'-'.join(order)}": (status, order, apart)
    for status, apart, order in product(STATUSES, (2, 5), ORDERS)
}
ALONE = pytest.mark.xdist_group("states")  # one service for all of them


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of experiments in all orders of their dates; whoever was exposed before now stands in its log."""
    root, shop, now = tmp_path_factory.mktemp("states"), Shop(), datetime.now(UTC).replace(microsecond=0)
    head = "variants: [control, b]\ngoal: rate\n"
    files = {"ordered.yaml": f"key: ordered\nstatus: running\n{head}"}
    files["metrics.yaml"] = "rate: {type: proportion, event: Order Completed, window: 3 days}\n"
    for key, (status, order, apart) in SERVED.items():
        at = {name: now + apart * (order.index(name) - order.index("now")) * timedelta(days=1) for name in order}
        dates = f"start: {iso(at['start'])}\nend: {iso(at['end'])}\n"
        files[f"{key}.yaml"] = f"key: {key}\nstatus: {status}\n{head}{dates}"
        if at["first"] < now:
            shop.expose("v", "b", microseconds(at["first"]), experiment=key)
    write_log(root / "data", received(shop.records))
    with running(root, files, RESONATE_WORKERS="1") as service:
        yield service


def told(service: Service, *words: str) -> Any:
    """What the command line says, as JSON."""
    command = [sys.executable, "-P", "-m", ENTRY, *words, "--json"]
    done = subprocess.run(
        command, env=service.environment(), capture_output=True, text=True, timeout=VAIN_SECONDS, check=True
    )
    return json.loads(done.stdout)


@ALONE
def test_a_service_its_readouts_their_rows_and_the_check_of_its_files_say_one_state(served: Service) -> None:
    expected = {key: expected_state(*made) for key, made in SERVED.items()}
    with served.client() as client:
        listed = {each["key"]: each["state"] for each in client.get("/v1/experiments").json()["experiments"]}
        rows = client.get("/v1/results", params={"status": "all"}).json()["rows"]
        read = {key: client.get(f"/v1/experiments/{key}/results").json()["state"] for key in SERVED}
    checked = told(served, "check")["states"]
    assert {key: (listed[key], checked[key], read[key]) for key in SERVED} == {
        key: (state, state, state) for key, state in expected.items()
    }
    begun = {key: state for key, state in expected.items() if state != "draft"}
    assert {row["experiment"]: row["state"] for row in rows if row["experiment"] in SERVED} == begun


@ALONE
@pytest.mark.parametrize("status", STATUSES)
def test_the_command_line_says_the_state_of_a_readout(served: Service, status: str) -> None:
    key = next(key for key in SERVED if key.startswith(f"{status}-"))
    assert told(served, "results", key)["state"] == expected_state(*SERVED[key])


@ALONE
def test_an_order_is_the_same_state_everywhere_as_soon_as_it_is_served(served: Service) -> None:
    with served.client() as client:
        for action, state in (("pause", "paused"), ("resume", "enrolling"), ("stop", "ended")):
            assert client.post(f"/v1/experiments/ordered/{action}").status_code == 202
            until(lambda: client.get("/v1/experiments/ordered").json()["state"] == state, f"it is {state}")  # noqa: B023
            assert client.get("/v1/experiments/ordered/results").json()["state"] == state
            assert told(served, "check")["states"]["ordered"] == state
