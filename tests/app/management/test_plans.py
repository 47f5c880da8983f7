"""Plans over HTTP and by the command line: one object, one set of words, with and without an experiment."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from servers.patience import VAIN_SECONDS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

from app.management.results import PlanParameters
from experiments.planning.assumptions import PARAMETERS

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"
    "secondary: [revenue_per_visitor]\nplan: {method: planned, days: 14, looks: 2}\n"
}
NEW = {"units_a_day": "1000", "baseline": "0.03", "weights": "90,10", "method": "fixed"}
TOO_HEAVY = {"duckdb", "fastapi", "httpx", "pyarrow", "redis", "sqlglot", "statsmodels", "uvicorn"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("plans"), FILES, RESONATE_WORKERS="1") as service:
        yield service


@pytest.fixture(scope="module")
def analyst(whole: Service) -> Iterator[httpx.Client]:
    with whole.client(SECRET_KEY) as client:
        yield client


def by_command(*words: str, said: dict[str, str], data: str = "") -> subprocess.CompletedProcess[str]:
    options = [part for name, value in said.items() for part in (f"--{name.replace('_', '-')}", value)]
    command = [sys.executable, "-P", "-m", "app.cli.main", "plan", *words, *options]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    return subprocess.run(
        command, env={**kept, "RESONATE_DATA": data}, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False
    )


@pytest.mark.parametrize(
    "more", [{"lift": "5%"}, {"days": "28"}, {}, {"lift": "0.2", "days": "28"}, {"window": "3 days"}]
)
def test_the_command_prints_the_object_that_http_answers(analyst: httpx.Client, more: dict[str, str]) -> None:
    answer = analyst.get("/v1/plan", params={**NEW, **more})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    done = by_command("--json", said={**NEW, **more})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answer.json()


@pytest.mark.parametrize(
    "more",
    [
        {"baseline": "130%"},
        {"lift": "0"},
        {"weights": "90,0"},
        {"method": "bogus"},
        {"looks": "3"},
        {"units_a_day": "x"},
    ],
)
def test_a_refusal_has_the_same_words_for_everybody(
    whole: Service, analyst: httpx.Client, more: dict[str, str]
) -> None:
    answer = analyst.get("/v1/plan", params={**NEW, **more})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_plan")
    done = by_command(said={**NEW, **more})
    assert (done.returncode, done.stderr) == (1, answer.json()["detail"] + "\n")
    assert next(iter(more)) in answer.json()["detail"]
    of_key = by_command("banner", said={**NEW, **more}, data=str(whole.data))
    assert of_key.stderr == analyst.get("/v1/experiments/banner/plan", params={**NEW, **more}).json()["detail"] + "\n"


def test_what_is_told_outranks_the_log_and_the_file(whole: Service, analyst: httpx.Client) -> None:
    silent = analyst.get("/v1/experiments/banner/plan").json()
    assert (silent["source"], silent["metrics"]) == ("none", [])
    told = analyst.get("/v1/experiments/banner/plan", params={**NEW, "lift": "5%"}).json()
    assert (told["source"], told["units_per_day"], told["method"], told["weights"]) == (
        "given",
        1000,
        "fixed",
        [0.9, 0.1],
    )
    [metric] = told["metrics"]
    new = analyst.get("/v1/plan", params={**NEW, "lift": "5%"}).json()
    same = ("units", "units_per_variant", "wait_days", "gate_opens_day", "mde")
    assert {name: metric[name] for name in same} == {name: new[name] for name in same}
    assert metric["days_to_mde"] == new["days"]
    done = by_command("banner", "--json", said={**NEW, "lift": "5%"}, data=str(whole.data))
    assert json.loads(done.stdout) == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"weights": "50,25,25"}, "weights: 3 numbers for 2 variants, write one for control, b"),
        ({"type": "mean"}, "type: mean is not what purchase_rate is, a proportion; leave type out"),
        ({"sd": "42"}, "sd: 42 was given, and purchase_rate has the spread of its rate; leave sd out"),
        ({"looks": "20", "method": "planned"}, "looks: 20 looks need as many days, the plan has 14"),
    ],
)
def test_what_does_not_fit_the_experiment_is_refused(analyst: httpx.Client, more: dict[str, str], told: str) -> None:
    answer = analyst.get("/v1/experiments/banner/plan", params={**NEW, **more})
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (400, "invalid_plan", told)


def test_a_plan_is_for_analysts(whole: Service) -> None:
    with whole.client(PUBLISHABLE_KEY) as client:
        assert client.get("/v1/plan", params=NEW).json()["code"] == "secret_key_required"


def test_http_and_the_domain_know_the_same_names() -> None:
    assert tuple(PlanParameters.model_fields) == PARAMETERS


def test_a_plan_of_any_traffic_needs_no_data_and_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "app.cli.main", "plan", "--units-a-day", "1000"]
    done = subprocess.run(
        [*command, "--baseline", "3%"], capture_output=True, text=True, timeout=VAIN_SECONDS, check=True
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert loaded & TOO_HEAVY == set()


def test_a_plan_for_people_is_a_table_with_its_assumptions() -> None:
    words: dict[str, Any] = {"units_a_day": "2000", "baseline": "3%", "weights": "98,1,1", "lift": "300%"}
    shown = by_command(said=words).stdout
    for text in ("2,000 units a day (98.00% / 1.00% / 1.00%) at 3.00%", "alpha 0.05, 0.025 for each comparison",
                 "+300.00%", "day 17", "7 more days", "no verdict before the gate opens"):  # fmt: skip
        assert text in shown
