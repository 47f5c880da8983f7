"""What makes each alert fire: the fault of its runbook page, done to a service of a test's own by real parts."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import httpx
from conftest import REPOSITORY, SMALLEST_DEFINITIONS, StartService
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from servers.ailing import again_and_again, few_descriptors, little_memory, no_memory
from servers.faults import beats, degraded, frozen, kill_writer, track
from servers.patience import VAIN_SECONDS, until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, write_definitions
from servers.small_disk import fill, small_disk
from servers.stage import Block, Stage, nothing
from servers.stores import StoreServer
from worlds.event_log import received, write_log
from worlds.key_lists import entry, listing
from worlds.shop_worlds import DAY, taste_lines
from worlds.swarm import swarm, told

from app.processes.entry import train_once
from experiments.catalog.publisher import CatalogKeeper

TESTS: Final = REPOSITORY / "tests"
FILLING_BYTES: Final = 3 << 20
UNDER_WAY: Final = (
    f"POST /v1/track HTTP/1.1\r\nhost: a\r\nx-api-key: {SECRET_KEY}\r\ncontent-length: 90\r\n\r\n ".encode()
)


def number(service: Service, name: str, **labels: str) -> float:
    """A sample of `/metrics`; −1 where there is none."""
    text = httpx.get(f"{service.url}/metrics", timeout=20).text
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found[0] if found else -1


def unstarted(folder: Path, **variables: str) -> Service:
    """A service that whoever asks for it starts, and ends."""
    definitions = write_definitions(folder / "definitions", SMALLEST_DEFINITIONS)
    return Service(folder / "data", definitions, {"RESONATE_WORKERS": "1", **variables})


def is_named(service: Service, cause: str) -> None:
    until(lambda: any(each.startswith(cause) for each in degraded(service)), f"{cause} is named", tell=service.told)


Fault = Callable[[StartService, Path], contextlib.AbstractContextManager[Service]]


@contextlib.contextmanager
def down(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    service.stop()
    yield service


@contextlib.contextmanager
def store_hung(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_HUNG_SECONDS="0")
    with frozen(service, "store"):
        with service.client(timeout=20) as client:
            assert track(client, "m-1").status_code == 503
        is_named(service, "store_")
        yield service


@contextlib.contextmanager
def shared_ids(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    with service.client() as client:
        for note in ("one", "another"):
            event = {"event": "Note", "anonymousId": "v", "messageId": "m-1", "properties": {"note": note}}
            assert client.post("/v1/track", json=event).status_code == 200
    yield service


@contextlib.contextmanager
def writer_hung(start: StartService, _folder: Path) -> Iterator[Service]:
    """What waits is told by the store: it grows, and grows old, although who takes it says nothing."""
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_HUNG_SECONDS="0")
    until(lambda: number(service, "resonate_log_parts") >= 0, "the writer works", tell=service.told)
    with frozen(service, "writer"):
        with service.client() as client:
            for message in range(3):
                assert track(client, f"m-{message}").status_code == 200
        assert number(service, "resonate_pending_events") == 3
        until(lambda: number(service, "resonate_lag_seconds") > 1, "the oldest is a second old", tell=service.told)
        yield service
    until(lambda: number(service, "resonate_pending_events") == 0, "all is written", tell=service.told)
    assert number(service, "resonate_lag_seconds") == 0


@contextlib.contextmanager
def writer_killed(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    kill_writer(service)
    until(lambda: number(service, "resonate_restarts_total", role="writer") == 1, "it is counted", tell=service.told)
    yield service


@contextlib.contextmanager
def part_damaged(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    with service.client() as client:
        assert track(client, "m-1").status_code == 200
        part = until(lambda: next(service.data.glob("log/date=*/0-*.parquet"), None), "a part stands")
        until(lambda: number(service, "resonate_pending_events") == 0, "it counts")
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
        results = client.get("/v1/experiments/free-shipping-banner/results")
        assert (results.status_code, results.json()["code"]) == (503, "data_damaged")
    is_named(service, "data_damaged")
    yield service


@contextlib.contextmanager
def store_locked(start: StartService, folder: Path) -> Iterator[Service]:
    store = StoreServer(folder / "store").start()
    try:
        yield start(
            SMALLEST_DEFINITIONS,
            RESONATE_WORKERS="1",
            RESONATE_REDIS_URL=f"redis://stranger:wrong@127.0.0.1:{store.port}",
        )
    finally:
        store.kill()


@contextlib.contextmanager
def disk_full(_start: StartService, folder: Path) -> Iterator[Service]:
    service = unstarted(folder, RESONATE_DISK_FLOOR_MB="0")
    with small_disk(service.data / "log", 2):
        try:
            service.start()
            fill(service.data / "log")
            with service.client() as client:
                assert track(client, "m-1").status_code == 200
            is_named(service, "log_disk_full")
            yield service
        finally:
            service.end()


@contextlib.contextmanager
def definition_mistaken(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    (service.definitions / "mistake.yaml").write_text("key: mistake\nvariants: [a\n")
    is_named(service, "definitions_invalid")
    yield service


@contextlib.contextmanager
def audit_gone(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    audit = service.data / "audit"
    if audit.exists():
        audit.rename(service.data / "audit-before")
    audit.write_text("no folder")
    with service.client() as client:
        assert client.put("/v1/products", content=b"").status_code >= 400
    yield service


@contextlib.contextmanager
def keys_mistaken(start: StartService, folder: Path) -> Iterator[Service]:
    file = folder / "keys.yaml"
    file.write_text(listing(entry("ops")))
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_KEYS=str(file))
    file.write_text("keys: [\n")
    is_named(service, "keys_invalid")
    yield service


@contextlib.contextmanager
def nobody_asked(start: StartService, _folder: Path) -> Iterator[Service]:
    yield start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_PUBLIC_URL="https://shop.example")


def on_stage(broken: Block, staged: Block = nothing) -> Fault:
    """A fault of the matrix, on a stage of its own; `staged` readies the service, `broken` breaks something of it."""

    @contextlib.contextmanager
    def fault(_start: StartService, folder: Path) -> Iterator[Service]:
        service = unstarted(folder)
        stage = Stage(service, folder)
        with staged(stage):
            try:
                service.start()
                with broken(stage):
                    yield service
            finally:
                service.end()

    return fault


@contextlib.contextmanager
def unforeseen(start: StartService, _folder: Path) -> Iterator[Service]:
    service = start(SMALLEST_DEFINITIONS, entry="servers.unforeseen", RESONATE_WORKERS="1", PYTHONPATH=str(TESTS))
    with service.client() as client:
        answer = client.get("/v1/metrics")
        assert (answer.status_code, answer.json()["code"]) == (503, "unexpected_error")
    assert "unexpected error" in service.log_text()
    yield service


@contextlib.contextmanager
def memory_taken(stage: Stage) -> Iterator[None]:
    """All that the store may hold is taken, and events of pages are refused for it."""
    with no_memory(stage), stage.service.client(PUBLISHABLE_KEY, timeout=20) as page:
        sent = count()
        until(lambda: track(page, f"m-{next(sent)}").status_code == 503, "pages are refused", tell=stage.service.told)
        is_named(stage.service, "store_")
        until(lambda: number(stage.service, "resonate_store_used_bytes") > 0, "the store was looked at")
        yield


@contextlib.contextmanager
def memory_nearly_taken(start: StartService, folder: Path) -> Iterator[Service]:
    """Events that nobody takes are more than 80 % of what a store of one's own may hold."""
    store = StoreServer(folder / "store").start()
    try:
        service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=store.url)
        until(lambda: beats(service, "writer"), "the writer works", tell=service.told)
        with frozen(service, "writer"):
            send_large(service, FILLING_BYTES)
            until(lambda: number(service, "resonate_store_used_bytes") > FILLING_BYTES, "what they take is told")
            with Redis(port=store.port) as asked:

                def nearly_taken() -> bool:  # it gives back what answers took meanwhile, so it is measured again
                    asked.config_set("maxmemory", int(number(service, "resonate_store_used_bytes") / 0.84))
                    return _used_share(service) > 0.8

                until(nearly_taken, "the limit is told, and so near", tell=service.told)
            is_named(service, "store_memory_high")
            yield service
    finally:
        store.kill()


def _used_share(service: Service) -> float:
    used, limit = (number(service, f"resonate_store_{name}_bytes") for name in ("used", "limit"))
    return used / limit if limit else 0.0


def send_large(service: Service, size: int) -> None:
    """Events of 20 kB each, so many bytes of them."""
    note = {"event": "Note", "anonymousId": "v", "properties": {"note": "x" * 20_000}}
    with service.client() as client:
        for batch in range(size // 400_000 + 1):
            events = [{"type": "track", "messageId": f"n-{batch}-{each}", **note} for each in range(20)]
            assert client.post("/v1/batch", json={"batch": events}).status_code == 200


@contextlib.contextmanager
def disk_nearly_full(_start: StartService, folder: Path) -> Iterator[Service]:
    """A tenth of the disk is free, which is enough for today."""
    service = unstarted(folder, RESONATE_DISK_FLOOR_MB="0")
    with small_disk(service.data, 64):
        try:
            service.start()
            with service.client() as client:
                assert track(client, "m-1").status_code == 200
            until(lambda: number(service, "resonate_log_parts") > 0, "a part stands", tell=service.told)
            fill(service.data, leave_bytes=6_000_000)

            def fills() -> bool:
                size = number(service, "resonate_disk_size_bytes")
                return number(service, "resonate_disk_free_bytes") / size < 0.15

            until(fills, "it is told how full the disk is", tell=service.told)
            with service.client() as client:
                assert track(client, "m-2").status_code == 200
            yield service
        finally:
            service.end()


@contextlib.contextmanager
def connections_taken(stage: Stage) -> Iterator[None]:
    """More senders that are in the midst of an event than may be connected."""
    with contextlib.ExitStack() as opened:

        def come() -> None:
            with contextlib.suppress(OSError):
                sender = opened.enter_context(socket.create_connection(("127.0.0.1", stage.service.port), timeout=1))
                sender.sendall(UNDER_WAY)

        for _ in range(400):
            come()
        with again_and_again(come):
            yield


@contextlib.contextmanager
def merge_refused(_start: StartService, folder: Path) -> Iterator[Service]:
    """Two parts of a closed day wait for their merge, and the disk of the log has no room for it."""
    service = unstarted(folder, RESONATE_DISK_FLOOR_MB="0")
    with small_disk(service.data / "log", 2):
        try:
            order = told(taste_lines(1), 2)[0]
            again = replace(order, message_id="m-again", order_id="o-again")
            write_log(service.data, received([order, again]), cut=1)
            fill(service.data / "log")
            service.start()
            until(
                lambda: number(service, "resonate_last_run_ok", job="compaction") == 0,
                "a merge failed",
                tell=service.told,
            )
            assert "failed, it is tried again" in service.log_text()
            yield service
        finally:
            service.end()


@contextlib.contextmanager
def training_failed(start: StartService, folder: Path) -> Iterator[Service]:
    with part_damaged(start, folder) as service:
        assert train_once(service.data) == 1
        until(lambda: number(service, "resonate_last_run_ok", job="training") == 0, "it is told", tell=service.told)
        yield service


@contextlib.contextmanager
def swarmed(_start: StartService, folder: Path) -> Iterator[Service]:
    """Pages alone put a product of one customer into very many carts, and a training met that."""
    service = unstarted(folder)
    (service.definitions / "recommendations.yaml").write_text("learn_from: any\n")
    CatalogKeeper(service.definitions, service.data, lambda: datetime.now(UTC)).boot()
    write_log(service.data, received(told([*taste_lines(), ("c-1", "dust", "o-dust", DAY - 90)], 2)))
    assert train_once(service.data) == 0
    write_log(service.data, received(told(swarm(), 0)), shard=1)
    assert train_once(service.data) == 0
    try:
        service.start()
        is_named(service, "model_refused")
        yield service
    finally:
        service.end()


@contextlib.contextmanager
def backup_failed(start: StartService, folder: Path) -> Iterator[Service]:
    """There is no room where the nightly backup is to be made."""
    service = start(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1")
    with service.client() as client:
        assert track(client, "m-1").status_code == 200
    with small_disk(folder / "backups", 1):
        fill(folder / "backups")
        command = [sys.executable, "-P", "-m", "app.cli.main", "backup", str(folder / "backups" / "night")]
        made = subprocess.run(
            command, env=service.environment(), cwd=REPOSITORY, capture_output=True, timeout=VAIN_SECONDS, check=False
        )
        assert made.returncode == 1, made.stderr
        yield service


ALARMING: Mapping[str, Fault] = {
    "ResonateDown": down,
    "ResonateEventsRefused": store_hung,
    "ResonateEventsLost": shared_ids,
    "ResonateLag": writer_hung,
    "ResonateRestarts": writer_killed,
    "ResonateDegraded": store_hung,
    "ResonateDataDamaged": part_damaged,
    "ResonateStoreUnusable": store_locked,
    "ResonateDiskFull": disk_full,
    "ResonateDefinitionsRefused": definition_mistaken,
    "ResonateOrdersNotKept": audit_gone,
    "ResonateKeys": keys_mistaken,
    "ResonateSetUp": nobody_asked,
    "ResonateServerErrors": unforeseen,
    "ResonateStoreFull": on_stage(memory_taken, little_memory),
    "ResonateStoreFilling": memory_nearly_taken,
    "ResonateDiskFilling": disk_nearly_full,
    "ResonateDescriptors": on_stage(connections_taken, few_descriptors),
    "ResonateCompactionLate": merge_refused,
    "ResonateTrainingLate": training_failed,
    "ResonateModelRefused": swarmed,
    "ResonateBackupLate": backup_failed,
}
