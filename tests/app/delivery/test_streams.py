"""Open pages learn of changes at once: the payload itself, or that they should ask, and a stream ends with its key."""

import json
import signal
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker
from servers.patience import HUNG_SECONDS, until
from servers.service import running
from servers.streams import Listener, ending
from worlds.key_lists import entry, listing

from app.http import streams
from app.limits.connections import Readers
from kit.time import DAY_SECONDS

SUB = f"/sub/{PUBLISHABLE}"
STREAM = f"/ofrep/v1/stream?key={PUBLISHABLE}"
PAUSED = DEFINITIONS["banner.yaml"].replace("status: running", "status: paused")


def publish(worker: OneWorker, name: str, text: str) -> None:
    """As the supervisor does it; the worker looks by itself."""
    (worker.settings.definitions / name).write_text(text)
    worker.keeper.boot()
    assert worker.keeper.errors == ()


def open_streams(worker: OneWorker) -> int:
    return len(worker.app.streams.open)


def test_growthbooks_stream_says_the_payload_at_once_and_at_every_change(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client(None) as client, Listener(worker.url, SUB) as page:
        first = page.event()
        fetched = client.get(f"/api/features/{PUBLISHABLE}")
        assert (first["event"], json.loads(first["data"])) == ("features", fetched.json())
        assert fetched.headers["x-sse-support"] == "enabled"
        assert fetched.headers["etag"].startswith(f'"{first["id"]}')
        publish(worker, "banner.yaml", PAUSED)
        second = page.event()
    assert json.loads(second["data"])["features"]["banner"]["rules"] == []
    assert second["id"] != first["id"]


def test_a_stream_is_for_this_caller_alone_and_for_no_buffer(worker: OneWorker) -> None:
    with Listener(worker.url, SUB, Origin="https://shop.example") as page:
        head = page.head.lower()
        assert page.retry.startswith("retry: ")
        assert 1_000 <= int(page.retry.removeprefix("retry: ")) < 5_000
    for line in ("content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no",
                 "access-control-allow-origin: https://shop.example", "connection: close"):  # fmt: skip
        assert line in head
    assert "content-length" not in head
    assert "content-encoding" not in head


def test_each_connection_is_told_another_time_to_come_back(worker: OneWorker) -> None:
    with ExitStack() as stack:
        pages = [stack.enter_context(Listener(worker.url, SUB)) for _ in range(20)]
        assert len({page.retry for page in pages}) > 10


def test_who_holds_the_version_is_told_the_next_one_alone(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker:
        held: dict[str, str] = {}
        for path in (SUB, STREAM):
            with Listener(worker.url, path) as page:
                held[path] = page.event()["id"]
        with ExitStack() as stack:
            pages = {
                path: stack.enter_context(Listener(worker.url, path, Last_Event_ID=version))
                for path, version in held.items()
            }
            late = stack.enter_context(Listener(worker.url, STREAM, Last_Event_ID="elsewhere"))
            assert late.event()["id"] == held[STREAM]
            publish(worker, "banner.yaml", PAUSED)
            for path, page in pages.items():
                assert page.event()["id"] != held[path]


def test_openfeatures_stream_asks_to_evaluate_again(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, Listener(worker.url, STREAM) as page:
        first = page.event()
        assert json.loads(first["data"]) == {"type": "refetchEvaluation", "etag": first["id"]}
        publish(worker, "banner.yaml", PAUSED)
        second = page.event()
        assert second["id"] != first["id"]
        publish(worker, "banner.yaml", DEFINITIONS["banner.yaml"])
        assert page.event()["id"] == first["id"]


def test_who_was_told_by_another_worker_is_not_answered_from_what_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.resources.POLL_SECONDS", 3_600.0)
    body = {"context": {"targetingKey": "v-1"}}
    with OneWorker(tmp_path) as worker, worker.client() as client, Listener(worker.url, STREAM) as page:
        version = page.event()["id"]
        publish(worker, "banner.yaml", PAUSED)
        reasons: list[str] = []
        for query in ("", f"?flagConfigEtag={version}", "?flagConfigEtag=another", ""):
            flags = client.post(f"/ofrep/v1/evaluate/flags{query}", json=body).json()["flags"]
            reasons.append(next(flag["reason"] for flag in flags if flag["key"] == "banner"))
        assert reasons == ["SPLIT", "SPLIT", "DISABLED", "DISABLED"]
        assert page.event()["id"] != version


def test_a_change_between_evaluation_and_stream_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OneWorker(tmp_path) as worker, Listener(worker.url, STREAM) as waiting:
        waiting.event()
        with Listener(worker.url, STREAM) as young:
            assert json.loads(young.event()["data"])["type"] == "refetchEvaluation"
        for channel in worker.app.streams._channels.values():
            monkeypatch.setattr(channel, "since", channel.since - 61)
        with Listener(worker.url, STREAM) as late:
            publish(worker, "banner.yaml", PAUSED)
            assert late.event() == waiting.event()


def test_what_time_alone_changes_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [time.time()]
    monkeypatch.setattr("app.delivery.streams.now_seconds", lambda: moment[0])
    files = {**DEFINITIONS, "later.yaml": later()}
    with OneWorker(tmp_path, files) as worker, Listener(worker.url, SUB) as page, Listener(worker.url, STREAM) as other:
        before, asks = json.loads(page.event()["data"]), other.event()
        assert "later" not in before["features"]
        moment[0] += 2 * DAY_SECONDS
        assert "later" in json.loads(page.event()["data"])["features"]
        assert other.event()["id"] != asks["id"]


def later() -> str:
    """An experiment that starts tomorrow."""
    start = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"
    return f"key: later\nstatus: running\nstart: {start}\nvariants: [a, b]\ngoal: purchase_rate\n"


def test_drafts_wake_nobody_but_who_has_a_secret_key(tmp_path: Path) -> None:
    with (
        OneWorker(tmp_path) as worker,
        Listener(worker.url, SUB) as page,
        Listener(worker.url, STREAM) as other,
        Listener(worker.url, "/ofrep/v1/stream", Authorization=f"Bearer {SECRET}") as backend,
    ):
        seen = [each.event()["id"] for each in (page, other, backend)]
        publish(worker, "later.yaml", later())
        assert backend.event()["id"] != seen[2]
        publish(worker, "banner.yaml", PAUSED)
        for listener, version, path in ((page, seen[0], SUB), (other, seen[1], STREAM)):
            told = listener.event()
            assert told["id"] != version
            with Listener(worker.url, path) as now:
                assert now.event() == told  # of the pause: nothing was told before
            assert "later" not in str(told)
            assert json.loads(told["data"]).get("features", {"banner": {"rules": []}})["banner"]["rules"] == []


def test_a_stream_ends_with_its_key(tmp_path: Path) -> None:
    one, two = (entry(name, "publishable") for name in ("one", "two"))
    keys = tmp_path / "keys.yaml"
    keys.write_text(listing(one, two))
    with OneWorker(tmp_path, keys=keys) as worker, ExitStack() as stack:
        gone, stays = (
            stack.enter_context(Listener(worker.url, f"/sub/{key}")) for key in ("publishable_one", "publishable_two")
        )
        gone.event()
        stays.event()
        keys.write_text(listing(two))
        assert worker.key_list is not None
        worker.key_list.boot()
        assert gone.ends()
        publish(worker, "banner.yaml", PAUSED)
        assert stays.event()["event"] == "features"
        with Listener(worker.url, "/sub/publishable_one") as again:
            assert again.status == 400


def test_beyond_the_limit_clients_are_told_to_ask_for_the_state(tmp_path: Path) -> None:
    with OneWorker(tmp_path, max_streams=2) as worker, worker.client(None) as client:
        with Listener(worker.url, SUB), Listener(worker.url, STREAM):
            for address in (SUB, STREAM):
                refused = client.get(address)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
            assert worker.connections()
            assert client.get("/healthz").status_code == 200
        until(lambda: open_streams(worker) == 0, "both are closed", HUNG_SECONDS)
        with Listener(worker.url, SUB) as page:
            assert page.event()["event"] == "features"


def test_streams_are_no_connections_of_the_limit_of_those(worker: OneWorker) -> None:
    before = len(worker.connections())
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(Listener(worker.url, SUB)).event()
        assert open_streams(worker) == 5
        assert len(worker.connections()) <= before
    until(lambda: open_streams(worker) == 0, "all are closed", HUNG_SECONDS)


def test_without_streams_nothing_promises_them(tmp_path: Path) -> None:
    with OneWorker(tmp_path, max_streams=0) as worker, worker.client() as client:
        assert "x-sse-support" not in client.get(f"/api/features/{PUBLISHABLE}").headers
        bulk = client.post("/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "v-1"}}).json()
        assert "eventStreams" not in bulk
        assert client.get(SUB).status_code == 503


def test_bulk_answers_say_where_changes_are_told(tmp_path: Path) -> None:
    body = {"context": {"targetingKey": "v-1"}}
    known = {"x-forwarded-host": "shop.example", "x-forwarded-proto": "https", "x-forwarded-prefix": "/r"}

    def told(client: Any, **headers: Any) -> Any:
        return client.post("/ofrep/v1/evaluate/flags", json=body, headers=headers).json().get("eventStreams")

    proxied = OneWorker(tmp_path / "one", trusted_proxies=("127.0.0.0/8",))
    with proxied as worker, worker.client() as client, worker.client(SECRET) as backend:
        assert told(backend) is None
        assert told(client) == [{"type": "sse", "endpoint": {"requestUri": STREAM}, "inactivityDelaySec": 120}]
        assert told(client, **known)[0]["url"] == f"https://shop.example/r{STREAM}"
    with OneWorker(tmp_path / "two", public_url="https://shop.example/r/x7") as worker, worker.client() as client:
        assert told(client)[0]["url"] == f"https://shop.example/r/x7{STREAM}"


def test_the_long_way_is_one_answer_that_ends(worker: OneWorker) -> None:
    with worker.client(None) as client:
        for address in (SUB, STREAM):
            answer = client.get(ending(address))
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.text.startswith("retry: ")
            assert "\nid: " in answer.text
    assert open_streams(worker) == 0


def test_who_says_more_on_a_stream_is_closed(worker: OneWorker) -> None:
    with Listener(worker.url, SUB) as page:
        page.event()
        page.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert page.ends()


LARGE = 40_000  # characters of an experiment, more than the system takes of a stream below


def take(worker: OneWorker, size: int) -> None:
    """From now on the system takes about so many bytes of what is written to open streams."""
    for each in worker.app.streams.open:
        each.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def waiting(worker: OneWorker) -> list[int]:
    """How many bytes wait for the other end, of each stream."""
    return [each.transport.get_write_buffer_size() for each in worker.app.streams.open]


def test_who_takes_nothing_skips_to_the_newest(tmp_path: Path) -> None:
    """Nothing queues up for them: what waits is what was being sent, and then the newest."""
    files = {"e0.yaml": experiment(0, "x")}
    with OneWorker(tmp_path, files) as worker, Listener(worker.url, SUB, takes=8_192) as slow:
        slow.event()
        take(worker, 4_096)
        with Listener(worker.url, SUB) as quick:
            versions = [quick.event()["id"]]
            for count in range(6):
                publish(worker, "e0.yaml", experiment(count + 1, "y" * LARGE))
                versions.append(quick.event()["id"])
            assert sum(waiting(worker)) < 2 * LARGE
            take(worker, 1 << 20)
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            seen = [slow.event()["id"], slow.event()["id"]]
    assert seen == [versions[1], versions[-1]]


def experiment(phase: int, text: str) -> str:
    variants = f"variants: [{{key: a, payload: {text}}}, {{key: b, payload: b}}]"
    return f"key: e0\nstatus: running\nphase: {phase}\n{variants}\ngoal: purchase_rate\n"


def test_silence_is_filled_with_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.serving.protocol.BEAT_SECONDS", 0.2)
    with OneWorker(tmp_path) as worker, Listener(worker.url, SUB) as page:
        blocks = page.blocks()
        assert next(blocks).startswith("id: ")
        assert [next(blocks) for _ in range(3)] == [":"] * 3


def test_all_are_told_in_rounds_that_let_others_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "AT_ONCE", 2)
    with OneWorker(tmp_path) as worker, ExitStack() as stack:
        pages = [stack.enter_context(Listener(worker.url, SUB)) for _ in range(7)]
        first = {page.event()["id"] for page in pages}
        publish(worker, "banner.yaml", PAUSED)
        second = {page.event()["id"] for page in pages}
    assert (len(first), len(second), len(first | second)) == (1, 1, 2)


def test_the_end_of_a_service_ends_its_streams(tmp_path: Path) -> None:
    with running(tmp_path, DEFINITIONS, RESONATE_WORKERS="2") as service, ExitStack() as stack:
        pages = [stack.enter_context(Listener(service.url, SUB)) for _ in range(6)]
        for page in pages:
            page.event()
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert all(page.ends() for page in pages)
        assert service.process.wait(30) == 0


def test_a_stream_that_nobody_reads_is_closed(tmp_path: Path) -> None:
    with OneWorker(tmp_path, {"e0.yaml": experiment(0, "x")}) as worker, Listener(worker.url, SUB, takes=8_192) as page:
        page.event()
        take(worker, 4_096)
        publish(worker, "e0.yaml", experiment(1, "y" * LARGE))
        until(lambda: sum(waiting(worker)), "something waits to be read")
        readers = Readers(worker.app.streams.open)
        for seconds in (0.0, 10.0, 20.0):
            readers.watch(seconds, 0.0)
            assert open_streams(worker) == 1
        worker.loop.call_soon_threadsafe(readers.watch, 31.0, 0.0)
        until(lambda: open_streams(worker) == 0, "it is closed", HUNG_SECONDS)
