"""How far events are is asked of the store at each look, told as it was known last, and seen by every worker."""

import asyncio
import math
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from prometheus_client.parser import text_string_to_metric_families
from servers.moving_clock import away
from servers.one_worker import SECRET, OneWorker

from app.metrics.pipeline import (
    LEAST_SECONDS,
    MOST_SAMPLES,
    SAMPLE_SECONDS,
    Disk,
    Disks,
    StoreClock,
    StoreGrowth,
    days_to,
    fullest_disk,
    known,
)
from app.metrics.scrape import of_board
from app.runtime.board import Board
from events.store.memory import StoreMemory
from kit.time import DAY_SECONDS

OF_THE_STORE = ("pending_events", "lag_seconds", "store_used_bytes", "store_limit_bytes", "store_aof_bytes")


def told(client: httpx.Client) -> dict[str, float]:
    """The numbers of the pipeline that `/metrics` has, and the causes."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name.removeprefix("resonate_") in OF_THE_STORE:
                found[sample.name.removeprefix("resonate_")] = sample.value
            elif sample.name == "resonate_degraded":
                found[sample.labels["cause"]] = sample.value
    return found


def test_what_waits_is_told_where_no_writer_runs_and_as_it_was_while_the_store_is_away(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client(SECRET) as client:
        assert told(client)["pending_events"] == told(client)["lag_seconds"] == 0
        for number in range(3):
            event = {"event": "E", "anonymousId": "v", "messageId": f"m-{number}"}
            client.post("/v1/track", json=event).raise_for_status()
        before = told(client)
        assert before.keys() >= set(OF_THE_STORE)
        assert before["pending_events"] == 3
        assert 0 < before["lag_seconds"] <= told(client)["lag_seconds"]
        assert 0 < before["store_used_bytes"] < before["store_limit_bytes"]
        last = told(client)
        worker.store.stop()
        away = told(client)
        assert {name: away[name] for name in OF_THE_STORE} == {name: last[name] for name in OF_THE_STORE}
        assert any(name.startswith("store_") and name not in OF_THE_STORE for name in away)
        worker.store.start()


def test_a_store_whose_clock_is_more_than_a_minute_from_ours_is_named_until_it_is_not(tmp_path: Path) -> None:
    far = {600.0: "the store is 10 min behind the service", -600.0: "the store is 10 min ahead of the service"}
    board = Board.make(1)
    with OneWorker(tmp_path) as worker:
        clocks = StoreClock(worker.app.cold.state.resources.connection, board.desk("worker"))
        for seconds, named in [*far.items(), (50.0, None), (-50.0, None)]:
            with away(seconds):
                worker.run(clocks.look())
            assert [each.text for each in board.causes()] == ([f"clock_skew: {named}"] if named else [])
            worker.run(clocks.look())
            assert board.causes() == []
        with away(600.0):
            worker.run(clocks.look())
        worker.store.stop()
        worker.run(clocks.look())  # who is away says nothing new
        assert [each.code for each in board.causes()] == ["clock_skew"]


def test_every_worker_tells_what_the_one_saw_that_looked_last() -> None:
    board = Board.make(2)
    for number, (looked_at, pending) in enumerate([(20.0, 7.0), (10.0, 9.0)]):
        board.desk("worker", number).gauge("looked_at", looked_at)
        board.desk("worker", number).gauge("pending_events", pending)
    assert known(board)["pending_events"] == 7
    assert [sample.value for sample in of_board(board)["pending_events"]] == [7]


def test_how_the_store_grows_is_believed_of_who_has_looked_for_the_longest() -> None:
    board = Board.make(2)
    for number, (seconds, days) in enumerate([(600.0, math.nan), (7_200.0, 5.0)]):
        board.desk("worker", number).gauge("store_growth_seconds", seconds)
        board.desk("worker", number).gauge("store_days_to_full", days)
    board.desk("worker", 0).gauge("looked_at", 1.0)
    assert [sample.value for sample in of_board(board)["store_days_to_full"]] == [5]


@pytest.mark.parametrize(("a_look", "days"), [(1_000, True), (0, False), (-1_000, False)])
def test_days_are_told_after_half_an_hour_and_never_of_what_does_not_grow(a_look: int, days: bool) -> None:
    board, now = Board.make(1), [0.0]
    growth = StoreGrowth(None, board.desk("worker"), lambda: now[0])  # pyright: ignore[reportArgumentType] - never asked
    for look in range(MOST_SAMPLES * 2):
        now[0] = look * SAMPLE_SECONDS
        growth.note(StoreMemory(10_000_000, 1_000_000 + a_look * look))
        samples = list(of_board(board)["store_days_to_full"]) if "store_days_to_full" in of_board(board) else []
        assert bool(samples) == (days and now[0] >= LEAST_SECONDS)
    if days:
        left = 10_000_000 - 1_000_000 - a_look * (MOST_SAMPLES * 2 - 1)
        assert samples[0].value == pytest.approx(left / a_look * SAMPLE_SECONDS / DAY_SECONDS)


NOISE = st.lists(st.floats(-1, 1), min_size=20, max_size=MOST_SAMPLES)


@settings(max_examples=examples(100))
@given(slope=st.floats(1, 1e6), noise=NOISE, left=st.floats(1, 1e12))
def test_what_is_given_back_at_times_does_not_hide_what_grows(slope: float, noise: list[float], left: float) -> None:
    """Waves of a fiftieth of all that came on top change the day by little."""
    height = slope * len(noise) / 50
    samples = [(at * SAMPLE_SECONDS, slope * at + height * each) for at, each in enumerate(noise)]
    exact = left / slope * SAMPLE_SECONDS / DAY_SECONDS
    assert days_to(samples[-1][1] + left, samples) == pytest.approx(exact, rel=0.3)


def test_a_disk_that_hangs_takes_one_thread_and_is_told_as_it_was_last_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, end, looks = [False], threading.Event(), list[Path]()

    def look(data: Path) -> Disk:
        looks.append(data)
        if hangs[0]:
            end.wait()
        return fullest_disk(data)

    async def live() -> None:
        disks = Disks(tmp_path)
        seen = await disks.look()
        assert seen is not None
        assert 0 < seen.free <= seen.size
        hangs[0] = True
        with monkeypatch.context() as impatient:
            impatient.setattr("app.metrics.pipeline.LOOK_SECONDS", 0.01)
            for _ in range(3):
                assert await asyncio.gather(*[disks.look() for _ in range(50)]) == [seen] * 50
        assert len(looks) == 2
        end.set()
        assert await disks.look() is not None

    monkeypatch.setattr("app.metrics.pipeline.fullest_disk", look)
    asyncio.run(live())
