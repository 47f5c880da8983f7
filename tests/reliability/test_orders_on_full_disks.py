"""On a disk without a free byte decisions hold at once, survive a restart there, and what is not kept is named."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.faults import REPOSITORY, degraded
from servers.patience import HUNG_SECONDS, until
from servers.service import Service, write_definitions
from servers.small_disk import fill, small_disk

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

KEYS = ("by-api", "by-command", "by-file")
TEXT = "key: {}\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Service]:
    """A service with a disk of its own that takes its ballast; two workers, and the disk is full when they start."""
    files = {f"{key}.yaml": TEXT.format(key) for key in KEYS}
    service = Service(tmp_path / "data", write_definitions(tmp_path / "definitions", files), {})
    service.variables["RESONATE_WORKERS"] = "2"
    try:
        with small_disk(service.data, 24):
            service.start()
            until(lambda: (service.data / "ballast-3").exists(), "the ballast is laid", tell=service.told)
            with service.client() as client:
                assert state(client, "by-api") == "enrolling"
            yield service
            service.end()
    finally:
        service.end()


def command(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-P", "-m", service.entry, *arguments]
    return subprocess.run(
        run, env=service.environment(), cwd=REPOSITORY, capture_output=True, text=True, timeout=HUNG_SECONDS
    )


def state(client: Any, key: str) -> str:
    return str(client.get(f"/v1/experiments/{key}/results").json()["state"])


def everywhere(service: Service, key: str, reason: str) -> Callable[[], bool]:
    """Whether twenty connections in a row, which the workers share, are answered so."""

    def holds() -> bool:
        for number in range(20):
            with service.client() as client:
                answer = client.post(
                    f"/ofrep/v1/evaluate/flags/{key}", json={"context": {"targetingKey": f"v-{number}"}}
                )
                if answer.json()["reason"] != reason:
                    return False
        return True

    return holds


def test_pauses_by_every_way_hold_on_a_full_disk_and_after_a_restart_there(cramped: Service) -> None:
    ballast = fill(cramped.data)
    with cramped.client() as client:
        told = client.post("/v1/experiments/by-api/pause")
        assert (told.status_code, told.json()["status"], told.json()["kept"]) == (202, "paused", True)
        until(everywhere(cramped, "by-api", "DISABLED"), "it holds in every worker", tell=cramped.told)
        assert state(client, "by-api") == "paused"
    fill(cramped.data).rename(cramped.data / "more")
    said = command(cramped, "pause", "by-command", "--json")
    assert (said.returncode, json.loads(said.stdout)["status"]) == (0, "paused"), said.stderr
    until(everywhere(cramped, "by-command", "DISABLED"), "it holds in every worker", tell=cramped.told)
    fill(cramped.data).rename(cramped.data / "still-more")
    (cramped.definitions / "by-file.yaml").write_text(TEXT.format("by-file").replace("running", "paused"))
    until(everywhere(cramped, "by-file", "DISABLED"), "it holds in every worker", tell=cramped.told)
    fill(cramped.data).rename(cramped.data / "yet-more")
    assert cramped.stop() == 0
    cramped.start()  # on that same full disk
    for key in KEYS:
        until(everywhere(cramped, key, "DISABLED"), f"{key} stays paused", tell=cramped.told)
    assert "disk_low" in codes(cramped)
    for name in ("more", "still-more", "yet-more", "ballast"):
        (cramped.data / name).unlink(missing_ok=True)
    ballast.unlink(missing_ok=True)
    until(lambda: not {"catalogue_not_kept", "files_not_kept", "audit_not_kept"} & codes(cramped), "all is kept")


def test_without_ballast_an_order_holds_and_says_that_a_restart_may_forget_it_until_there_is_room(
    cramped: Service,
) -> None:
    until(lambda: not list(cramped.data.glob(".tmp-*ballast*")), "none is being made")
    filled = fill(cramped.data)
    for piece in cramped.data.glob("ballast-*"):
        piece.unlink()
    fill(cramped.data).rename(cramped.data / "more")
    with cramped.client() as client:
        told = client.post("/v1/experiments/by-api/stop")
        assert (told.status_code, told.json()["kept"]) == (202, False)
        until(everywhere(cramped, "by-api", "DISABLED"), "it holds in every worker", tell=cramped.told)
        assert state(client, "by-api") != "enrolling"
        assert {"catalogue_not_kept", "disk_low"} <= codes(cramped)
    said = command(cramped, "pause", "by-command")
    assert (said.returncode, said.stdout) == (0, "by-command is paused in the running service\n")
    assert "a restart may forget it" in said.stderr
    assert "Traceback" not in said.stderr
    (cramped.data / "more").unlink()
    filled.unlink(missing_ok=True)
    until(lambda: not {"catalogue_not_kept", "audit_not_kept"} & codes(cramped), "all is kept", tell=cramped.told)
    orders = json.loads((cramped.data / "catalogue" / "overrides.json").read_text())
    assert {key: each["status"] for key, each in orders.items()} == {"by-api": "stopped", "by-command": "paused"}
    until(lambda: (cramped.data / "ballast-3").exists(), "ballast is laid again", tell=cramped.told)


def codes(service: Service) -> set[str]:
    return {cause.partition(":")[0] for cause in degraded(service)}
