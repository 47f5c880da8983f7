"""Each page of the runbook is followed while its fault is there: its commands run, and print what it says."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from prometheus_client.parser import text_string_to_metric_families
from servers.faults import degraded, frozen, kill_writer, track
from servers.patience import until
from servers.prometheus import needed, scraping
from servers.service import Service, running, write_definitions
from servers.small_disk import fill, small_disk
from servers.stores import StoreServer
from worlds.alerts import ALERTS, alerts, queries
from worlds.key_lists import entry, listing
from worlds.runbook import followed, steps_of

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

NEEDS_NO_FAULT = [  # what they look at is told while all is well, too
    "ResonateServerErrors", "ResonateStoreFull", "ResonateStoreFilling", "ResonateDiskFilling", "ResonateDescriptors",
    "ResonateCompactionLate", "ResonateTrainingLate", "ResonateModelRefused", "ResonateBackupLate",
]  # fmt: skip


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


def is_named(service: Service, cause: str) -> None:
    until(lambda: any(each.startswith(cause) for each in degraded(service)), f"{cause} is named", tell=service.told)


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service at which nothing is wrong, and which has written a part and done its jobs."""
    with running(tmp_path_factory.mktemp("well"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="1") as service:
        with service.client() as client:
            assert track(client, "m-1").status_code == 200
        until(lambda: number(service, "resonate_log_parts") > 0, "the first part is counted", tell=service.told)
        until(lambda: number(service, "resonate_last_run_ok", job="retention") == 1, "jobs ran", tell=service.told)
        yield service


@pytest.mark.parametrize("alert", NEEDS_NO_FAULT)
def test_a_page_is_followed_where_all_is_well(alert: str, well: Service) -> None:
    assert list(steps_of(alert))
    assert followed(alert, well) == []


@needed
def test_prometheus_reads_all_that_alerts_and_dashboard_ask_for(well: Service, tmp_path: Path) -> None:
    """A real one, which gives our label `job` another name, and finds nothing to say against any rule."""
    with scraping(tmp_path / "prometheus", f"127.0.0.1:{well.port}", ALERTS) as prometheus:
        rules = {rule["name"]: rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]}
        assert set(rules) == set(alerts())
        assert {rule["health"] for rule in rules.values()} <= {"ok", "unknown"}
        firing = {name for name, rule in rules.items() if rule["state"] == "firing"}
        assert firing == set()
        for query in queries().values():
            prometheus.found(query)
        jobs = {each["metric"]["exported_job"] for each in prometheus.found("resonate_last_run_timestamp_seconds")}
        assert jobs == {"compaction", "retention", "training", "backup"}


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
    service = Service(folder / "data", write_definitions(folder / "definitions", SMALLEST_DEFINITIONS), {})
    service.variables |= {"RESONATE_WORKERS": "1", "RESONATE_DISK_FLOOR_MB": "0"}
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


FAULTS: dict[str, Fault] = {
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
}


def test_every_page_is_followed() -> None:
    assert {*FAULTS, *NEEDS_NO_FAULT} == set(alerts())


@pytest.mark.parametrize("alert", FAULTS)
def test_a_page_is_followed_while_its_fault_is_there(alert: str, start_service: StartService, tmp_path: Path) -> None:
    assert list(steps_of(alert))
    with FAULTS[alert](start_service, tmp_path) as service:
        assert followed(alert, service) == []
