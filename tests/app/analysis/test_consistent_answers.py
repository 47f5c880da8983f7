"""What a service answers of one log at many moments, by every method, never contradicts itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from oracles.public_reader import disagreements, row_disagreements, series_disagreements
from servers.service import running
from worlds.drawn_shops import METHODS, drawn_shop
from worlds.event_log import received, write_log
from worlds.readout_studies import START

from kit.time import iso, moment_of

SEED = 8  # novelty among 150 visitors, with a delay and refunds
MOMENTS = [moment_of(START) + timedelta(days=1.7 * number - 0.6) for number in range(13)]


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a service whose log was written before it started: an experiment for each method reads it."""
    root = tmp_path_factory.mktemp("consistent")
    shop, texts = drawn_shop(SEED, visitors=150)
    exposed = [record for record in shop.records if record.type == "exposure"]
    others = [record for record in shop.records if record.type != "exposure"]
    for method in METHODS:
        name = {record.message_id: f"{record.message_id}-{method}" for record in exposed}
        others += [msgspec.structs.replace(r, experiment=method, message_id=name[r.message_id]) for r in exposed]
    write_log(root / "data", received(others, 1_000))
    dated = {method: text if "start:" in text else f"start: 2026-01-04\n{text}" for method, text in texts.items()}
    files = {f"{method}.yaml": text.replace("key: banner", f"key: {method}") for method, text in dated.items()}
    files["holdouts.yaml"] = "everything: {share: 5%, start: 2026-01-04, metrics: [purchase_rate]}\n"
    with running(root, files, RESONATE_WORKERS="1") as service, service.client() as client:
        yield client


def got(client: httpx.Client, path: str, **query: str) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.drawn(5)
@pytest.mark.parametrize("moment", MOMENTS, ids=iso)
@pytest.mark.parametrize("method", METHODS)
def test_a_readout_and_its_series_follow_from_their_own_numbers(
    analyst: httpx.Client, method: str, moment: datetime
) -> None:
    answer = got(analyst, f"/v1/experiments/{method}/results", at=iso(moment))
    series = got(analyst, f"/v1/experiments/{method}/timeseries", at=iso(moment))
    assert disagreements(answer) == []
    assert series_disagreements(answer, series) == []
    assert answer["watermark"] <= answer["as_of"] == iso(moment)
    assert (series["watermark"], series["as_of"]) == (answer["watermark"], answer["as_of"])


def test_the_list_of_experiments_holds_the_numbers_of_their_readouts(analyst: httpx.Client) -> None:
    rows = got(analyst, "/v1/results")["rows"]
    assert {row["experiment"] for row in rows} == set(METHODS)
    for method in METHODS:
        answer = got(analyst, f"/v1/experiments/{method}/results")
        assert row_disagreements(answer, [row for row in rows if row["experiment"] == method]) == []


def test_no_answer_is_older_than_what_it_holds(analyst: httpx.Client) -> None:
    """Plans, tables of units and the export say neither moment."""
    past, holdout = {"at": iso(MOMENTS[4])}, "/v1/holdouts/everything/results"
    series, readout = "/v1/experiments/fixed/timeseries", "/v1/experiments/fixed/results"
    asked: list[tuple[str, dict[str, str]]] = [(path, at) for path in (readout, series, holdout) for at in ({}, past)]
    for path, query in (("/v1/cx", {}), *asked):
        for _ in ("computed", "remembered"):
            answer = got(analyst, path, **query)
            assert answer["watermark"] <= answer["as_of"]
    for path in ("/v1/experiments/fixed/plan", "/v1/experiments/fixed/units"):
        assert got(analyst, path).keys().isdisjoint({"watermark", "as_of"})


def test_a_table_of_units_holds_nobody_who_came_after_its_moment(analyst: httpx.Client) -> None:
    every = got(analyst, "/v1/experiments/fixed/units")["rows"]
    for moment in MOMENTS[1:6]:
        rows = got(analyst, "/v1/experiments/fixed/units", at=iso(moment))["rows"]
        came = [row["exposed_at"] for row in every if row["exposed_at"] <= iso(moment)]
        assert sorted(row["exposed_at"] for row in rows) == sorted(came)
