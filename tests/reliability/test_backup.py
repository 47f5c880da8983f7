"""A backup has all that was acknowledged before its command began, whatever ails the service; and comes back whole."""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, goes_on, restless
from oracles.writing import exported
from servers.faults import assign, degraded, end_all, frozen, pid_of, track
from servers.patience import until
from servers.service import Service, running
from servers.small_disk import fill, small_disk
from servers.stores import StoreServer, start_cluster

from app.backup import making, stream
from app.backup.last_run import last_run
from app.backup.making import BackupRefused, make_backup
from app.backup.manifest import BackupManifest, check_backup
from app.backup.restoring import Restored, RestoreRefused, restore_backup
from app.runtime.settings import load_settings
from events.log.copying import CopiedLog, copy_log

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    alone = {"RESONATE_WORKERS": "1", "RESONATE_DISK_FLOOR_MB": "0", "RESONATE_HUNG_SECONDS": "0"}
    with running(tmp_path, SMALLEST_DEFINITIONS, **alone) as started:
        yield started


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that does not answer is not waited for as long as a person would."""
    monkeypatch.setattr(stream, "WAIT_SECONDS", 0.5)


def back_up(service: Service, folder: Path) -> BackupManifest:
    return make_backup(load_settings(service.environment()), folder)


def restored(backup: Path, data: Path, *journals: Path) -> Restored:
    return restore_backup(backup, data, journals, lambda done, total: None)


def ids(data: Path) -> Counter[str]:
    return Counter(str(row["message_id"]) for row in exported(data))


def sends(service: Service, *names: str) -> None:
    with service.client() as client:
        for name in names:
            assert track(client, name).status_code == 200


def pending(client: httpx.Client) -> str:
    """As the first answer says it."""

    def told() -> str | None:
        return client.get("/v1/export/events", params={"cursor": "latest"}).headers.get("x-resonate-pending")

    return until(told, "the export answers") or ""


def test_what_was_acknowledged_before_each_of_several_backups_under_load_is_in_it_once(
    service: Service, tmp_path: Path
) -> None:
    with restless(service, "client") as path:
        for number in range(4):
            before = Journal().read(path)
            backup = tmp_path / f"backup-{number}"
            back_up(service, backup)
            goes_on(path, 20)
            report = restored(backup, tmp_path / f"restored-{number}")
            found = ids(tmp_path / f"restored-{number}")
            assert (before.acknowledged | before.exposed) - found.keys() == set()
            assert set(found.values()) == {1}
            assert report.log.is_sound
            assert check_backup(backup, lambda done, total: None).damages == []
    run = last_run(service.data)
    assert run is not None
    assert (run.ok, run.destination) == (True, str(tmp_path / "backup-3"))


@pytest.mark.usefixtures("impatient")
def test_a_backup_beside_a_writer_that_stands_still_has_what_waits_for_it(service: Service, tmp_path: Path) -> None:
    sends(service, "m-1")
    with frozen(service, "writer"):
        sends(service, "m-2", "m-3")
        made = back_up(service, tmp_path / "backup")
    assert made.waiting >= 2
    assert restored(tmp_path / "backup", tmp_path / "restored").events >= 2
    assert ids(tmp_path / "restored") == {"m-1": 1, "m-2": 1, "m-3": 1}


@pytest.mark.usefixtures("impatient")
def test_what_moves_into_a_part_while_parts_are_listed_is_in_the_backup(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with frozen(service, "writer"):
        sends(service, "m-1")

        def listed(data: Path, target: Path) -> CopiedLog:
            copied = copy_log(data, target)
            os.kill(pid_of(service, "writer"), signal.SIGCONT)
            settled(service)
            return copied

        monkeypatch.setattr(making, "copy_log", listed)
        back_up(service, tmp_path / "backup")
    restored(tmp_path / "backup", tmp_path / "restored")
    assert ids(tmp_path / "restored") == {"m-1": 1}


@pytest.mark.usefixtures("impatient")
def test_a_backup_of_a_service_whose_log_has_no_room_has_what_waits_for_it(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "data" / "log"),
        running(tmp_path, SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_DISK_FLOOR_MB="0") as service,
    ):
        fill(service.data / "log")
        sends(service, "m-1", "m-2")
        until(lambda: "log_disk_full" in degraded(service), "the full disk is named")
        back_up(service, tmp_path / "backup")
        restored(tmp_path / "backup", tmp_path / "restored")
        assert ids(tmp_path / "restored") == {"m-1": 1, "m-2": 1}


def test_a_backup_of_a_service_that_lost_its_power_has_what_only_its_store_knew(
    service: Service, tmp_path: Path
) -> None:
    sends(service, "m-1")
    os.kill(pid_of(service, "writer"), signal.SIGSTOP)  # it is killed with the others
    sends(service, "m-2")
    end_all(service)
    before = sorted(path.stat().st_mtime_ns for path in (service.data / "store" / "appendonlydir").iterdir())
    made = back_up(service, tmp_path / "backup")
    assert made.waiting >= 1
    assert sorted(path.stat().st_mtime_ns for path in (service.data / "store" / "appendonlydir").iterdir()) == before
    restored(tmp_path / "backup", tmp_path / "restored")
    assert ids(tmp_path / "restored") == {"m-1": 1, "m-2": 1}
    assert not (tmp_path / "backup" / ".store").exists()


def test_a_backup_from_an_external_store_goes_on_with_an_embedded_one_beside_the_service_it_came_from(
    tmp_path: Path,
) -> None:
    server = StoreServer(tmp_path / "external").start()
    try:
        with running(tmp_path, SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_REDIS_URL=server.url) as service:
            sends(service, "m-1", "m-2")
            back_up(service, tmp_path / "backup")
            sends(service, "m-later")
            restored(tmp_path / "backup", tmp_path / "restored")
            beside = Service(tmp_path / "restored", service.definitions, {"RESONATE_WORKERS": "1"})
            try:
                beside.start()
                with beside.client() as client:
                    assert pending(client) == "0"
                sends(beside, "m-new")
                rows = exported(settled(beside).data)
                assert [row["message_id"] for row in sorted(rows, key=position)] == ["m-1", "m-2", "m-new"]
            finally:
                beside.end()
            sends(service, "m-last")
    finally:
        server.kill()


@pytest.mark.usefixtures("impatient")
def test_a_backup_of_a_cluster_of_three_under_load_has_all_shards_and_comes_back_under_another_store(
    tmp_path: Path,
) -> None:
    """Also while the writer stands still: then what waits is taken from each node."""
    cluster = start_cluster(tmp_path / "cluster")
    variables = {"RESONATE_REDIS_URL": cluster.url, "RESONATE_SHARDS": "6", "RESONATE_WORKERS": "1"}
    try:
        with running(tmp_path, SMALLEST_DEFINITIONS, **variables) as service, restless(service, "client") as path:
            goes_on(path, 40)
            with frozen(service, "writer"):
                goes_on(path, 40)
                before = Journal().read(path)
                made = back_up(service, tmp_path / "backup")
                goes_on(path, 20)
        assert (len(made.shards), made.waiting > 0) == (6, True)
        assert sum(each.events > 0 for each in made.shards.values()) > 1
        restored(tmp_path / "backup", tmp_path / "restored")
        found = ids(tmp_path / "restored")
        assert (before.acknowledged | before.exposed) - found.keys() == set()
        assert set(found.values()) == {1}
        beside = Service(tmp_path / "restored", tmp_path / "definitions", {"RESONATE_WORKERS": "1"})
        try:
            sends(beside.start(), "m-new")
            assert ids(settled(beside).data) == found | Counter({"m-new": 1})
        finally:
            beside.end()
    finally:
        for node in cluster.nodes:
            node.kill()


def settled(service: Service) -> Service:
    with service.client() as client:
        until(lambda: pending(client) == "0", "nothing is pending")
    return service


def position(row: dict[str, object]) -> tuple[int, ...]:
    milliseconds, sequence = str(row["stream_id"]).split("-")
    return int(milliseconds), int(sequence)


def test_who_was_erased_since_stays_erased_where_the_journal_is_named_and_else_it_is_said(tmp_path: Path) -> None:
    journal = tmp_path / "elsewhere" / "erasures.ndjson"
    journal.parent.mkdir()
    with running(
        tmp_path, SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_ERASURE_JOURNAL=str(journal)
    ) as service:
        with service.client() as client:
            for person in ("gone", "later", "here"):
                assert track(client, f"m-{person}", person).status_code == 200
            assert client.delete("/v1/visitors/gone").status_code == 202
            made = back_up(service, tmp_path / "backup")
            assert client.delete("/v1/visitors/later").status_code == 202
        told = restored(tmp_path / "backup", tmp_path / "with", journal)
        assert (ids(tmp_path / "with"), told.erasures_known_until) == ({"m-here": 1}, None)
        told = restored(tmp_path / "backup", tmp_path / "without")
        assert ids(tmp_path / "without") == {"m-later": 1, "m-here": 1}
        assert told.erasures_known_until == made.began_at
        assert made.with_journal
        assert (tmp_path / "backup" / "erasures.ndjson").read_bytes() == journal.read_bytes().splitlines(True)[0]


def test_a_backup_that_is_damaged_is_named_and_nothing_of_it_is_restored(service: Service, tmp_path: Path) -> None:
    sends(service, "m-1")
    back_up(settled(service), tmp_path / "backup")
    shutil.copytree(tmp_path / "backup", tmp_path / "copy")
    part = next((tmp_path / "copy").rglob("*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert [damage.name for damage in check_backup(tmp_path / "copy", lambda done, total: None).damages] == [
        part.relative_to(tmp_path / "copy").as_posix()
    ]
    with pytest.raises(RestoreRefused, match=part.name):
        restored(tmp_path / "copy", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(RestoreRefused, match=part.name):
        restored(tmp_path / "copy", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    (tmp_path / "copy" / "manifest.json").unlink()
    with pytest.raises(RestoreRefused, match="is no backup"):
        restored(tmp_path / "copy", tmp_path / "restored")


def test_a_place_that_is_taken_is_left_as_it_is(service: Service, tmp_path: Path) -> None:
    sends(service, "m-1")
    back_up(service, tmp_path / "backup")
    for taken in (tmp_path / "backup", service.data / "backup", tmp_path / "nowhere" / "backup"):
        with pytest.raises(BackupRefused):
            back_up(service, taken)
    assert check_backup(tmp_path / "backup", lambda done, total: None).sound
    with pytest.raises(RestoreRefused, match="belongs to another running service"):
        restored(tmp_path / "backup", service.data)
    service.stop()
    with pytest.raises(RestoreRefused, match="is not empty; restore into a new directory, then exchange them"):
        restored(tmp_path / "backup", service.data)


def test_keys_are_in_a_backup_only_for_who_asks_and_nobody_else_may_read_it(service: Service, tmp_path: Path) -> None:
    (service.data / "keys.json").write_text("{}")
    back_up(service, tmp_path / "without")
    make_backup(load_settings(service.environment()), tmp_path / "with", with_keys=True)
    secret = {"data/keys.json", "data/secrets/visitor-ids.json"}
    held = {
        name: {path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*")}
        for name in ("with", "without")
    }
    assert (held["with"] & secret, held["without"] & secret) == (secret, set())
    assert (tmp_path / "without").stat().st_mode & 0o777 == 0o700


def test_a_copy_of_two_moments_says_so_and_goes_on_assigning_and_tracking(service: Service, tmp_path: Path) -> None:
    sends(service, "m-1")
    torn = Service(tmp_path / "torn", service.definitions, service.variables)
    shutil.copytree(settled(service).data / "log", torn.data / "log")
    sends(service, "m-2")
    sends(settled(service), "m-3")
    settled(service).stop()
    ignored = shutil.ignore_patterns("log", "run", "resonate.lock")
    shutil.copytree(service.data, torn.data, ignore=ignored, dirs_exist_ok=True)
    try:
        torn.start()
        until(lambda: any(cause.startswith("copy_torn") for cause in degraded(torn)), "the torn copy is named")
        with torn.client() as client:
            refused = client.get("/v1/experiments/free-shipping-banner/results")
            assert (refused.status_code, refused.json()["code"]) == (503, "copy_torn")
            assert "the store names parts up to" in refused.text
            assert "resonate backup" in refused.text
            assert assign(client, "v-1").status_code == 200
            assert track(client, "m-4").status_code == 200
        name = next(cause for cause in degraded(torn) if cause.startswith("copy_torn")).partition("--set-aside ")[2]
        torn.stop()
        from typer.testing import CliRunner

        from app.cli.main import app

        done = CliRunner().invoke(app, ["verify", "--set-aside", name.partition("`")[0]], env=torn.environment())
        assert done.exit_code == 0, done.output
        torn.start()
        assert degraded(settled(torn)) == []
        assert ids(torn.data) == {"m-1": 1, "m-4": 1}
    finally:
        torn.end()


def test_of_a_copy_whose_log_is_the_newer_one_nothing_is_pending(service: Service, tmp_path: Path) -> None:
    with frozen(service, "writer"):
        sends(service, "m-1", "m-2")
        shutil.copytree(service.data / "store", tmp_path / "copy" / "store", ignore=shutil.ignore_patterns("*.sock"))
    settled(service).stop()
    ignored = shutil.ignore_patterns("store", "run", "resonate.lock")
    shutil.copytree(service.data, tmp_path / "copy", ignore=ignored, dirs_exist_ok=True)
    copy = Service(tmp_path / "copy", service.definitions, service.variables)
    try:
        copy.start()
        settled(copy)
        assert ids(copy.data) == {"m-1": 1, "m-2": 1}
        with copy.client() as client:
            assert json.loads(client.get("/v1/operations").text)["log"]["pending"] == 0
    finally:
        copy.end()
