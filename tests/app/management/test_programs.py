"""Program and holdout reports over HTTP and by the command line: one object, refusals in words."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow.parquet as parquet
import pytest
from servers.patience import VAIN_SECONDS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\nholdouts: [q1]\n",
    "holdouts.yaml": "q1: {share: 50%}\n",
}
REPORTS = ("/v1/program", "/v1/holdouts/q1/results")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("programs"), FILES, RESONATE_WORKERS="1") as service:
        batch = [{"type": "track", "event": "Seen", "anonymousId": f"v-{n}", "messageId": f"m-{n}"} for n in range(40)]
        with service.client(PUBLISHABLE_KEY) as client:
            assert client.post("/v1/batch", json={"batch": batch}).status_code == 200
        yield service


@pytest.fixture(scope="module")
def analyst(whole: Service) -> Iterator[httpx.Client]:
    with whole.client(SECRET_KEY, timeout=30) as client:
        yield client


def by_command(whole: Service, *words: str) -> Any:
    command = [sys.executable, "-P", "-m", "app.cli.main", *words, "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    done = subprocess.run(
        command,
        env={**kept, "RESONATE_DATA": str(whole.data)},
        capture_output=True,
        text=True,
        timeout=VAIN_SECONDS,
        check=True,
    )
    return json.loads(done.stdout)


def still(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("as_of", "watermark", "pending")}


def test_everybody_who_came_is_in_one_arm_of_the_holdout(analyst: httpx.Client, whole: Service) -> None:
    answer = analyst.get("/v1/holdouts/q1/results")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert sum(arm["units"] for arm in found["metrics"][0]["arms"]) == 40
    assert found["shipped"] == []
    assert still(by_command(whole, "holdout", "q1")) == still(found)


def test_the_program_of_a_shop_that_concluded_nothing_is_empty(analyst: httpx.Client, whole: Service) -> None:
    found = analyst.get("/v1/program").json()
    assert (found["experiments"], found["rows"]) == (0, [])
    assert still(by_command(whole, "program")) == still(found)


def test_the_holdouts_are_listed(analyst: httpx.Client) -> None:
    (listed,) = analyst.get("/v1/holdouts").json()["holdouts"]
    assert (listed["holdout"], listed["share"], listed["metrics"]) == ("q1", 0.5, ["purchase_rate"])


def test_each_report_is_a_flat_table_too(analyst: httpx.Client) -> None:
    lines = analyst.get("/v1/holdouts/q1/results", params={"format": "csv"}).text.splitlines()
    assert lines[0].startswith("holdout,as_of,as_of_day,metric")
    assert len(lines) == 2
    table = parquet.read_table(io.BytesIO(analyst.get("/v1/program", params={"format": "parquet"}).content))
    assert "shrunk_lift" in table.column_names


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/v1/program?metric=purchase_rat", 404, "did you mean purchase_rate"),
        ("/v1/program?from=soon", 400, "from: 'soon' is no date"),
        ("/v1/program?form=csv", 400, "did you mean 'format'"),
        ("/v1/holdouts/q2/results", 404, "there is no holdout 'q2'"),
        ("/v1/holdouts/q1/results?metric=x", 404, "there is no metric 'x'"),
        ("/v1/holdouts/q1/results?till=2026-01-01", 400, "unknown query parameter 'till'"),
        ("/v1/holdouts?format=csv", 400, "unknown query parameter 'format'"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    analyst: httpx.Client, address: str, status: int, said: str
) -> None:
    answer = analyst.get(address)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("address", REPORTS)
def test_a_publishable_key_reads_neither(whole: Service, address: str) -> None:
    with whole.client(PUBLISHABLE_KEY) as client:
        assert client.get(address).status_code == 403
