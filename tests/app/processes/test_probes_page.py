"""docs/probes.md: its arithmetic is that of the constants, and the files of ops/ leave the time that it asks for."""

import re
from pathlib import Path
from typing import Any

import yaml

from app.limits.connections import LEAST_FILES, RESERVED
from app.limits.room import IDLE_SECONDS, SPARE
from app.processes.draining import WORKER_GRACE_SECONDS, WRITER_SECONDS, longest_stop_seconds
from app.runtime.settings import load_settings
from app.serving.server import KEEP_ALIVE_SECONDS
from events.store.embedded import STOP_SECONDS

REPOSITORY = Path(__file__).parents[3]
OPS = REPOSITORY / "ops"
PAGE = (REPOSITORY / "docs" / "probes.md").read_text(encoding="utf-8")
PROXIES = (REPOSITORY / "docs" / "proxies.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this heading."""
    lines = PAGE[PAGE.index(f"| {heading} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def pod() -> dict[str, Any]:
    [manifest] = yaml.safe_load_all((OPS / "kubernetes" / "statefulset.yaml").read_text())
    return manifest["spec"]["template"]["spec"]


def lame_ducks() -> list[float]:
    """What each file of ops/ sets."""
    texts = [path.read_text() for path in sorted(OPS.rglob("*")) if path.is_file()]
    return [float(found) for text in texts for found in re.findall(r"LAME_DUCK_SECONDS\W+(?:value: )?\"?(\d+)", text)]


def test_the_parts_of_the_stop_are_what_the_code_waits_for_and_add_up() -> None:
    told = {cells[0]: float(cells[1]) for cells in rows("part of the stop")}
    [duck] = {*lame_ducks()}
    assert len(lame_ducks()) >= 3
    settings = load_settings({}, lame_duck_seconds=duck)
    parts = [duck, settings.drain_seconds, WORKER_GRACE_SECONDS, WRITER_SECONDS, STOP_SECONDS]
    assert list(told.values()) == [*parts, longest_stop_seconds(settings)]
    assert sum(list(told.values())[:-1]) == told["together"]


def test_whoever_stops_the_service_waits_as_long_as_it_takes() -> None:
    longest = longest_stop_seconds(load_settings({}, lame_duck_seconds=lame_ducks()[0]))
    compose = yaml.safe_load((OPS / "compose.yaml").read_text())["services"]["resonate"]["stop_grace_period"]
    unit = re.findall(r"^TimeoutStopSec=(\d+)$", (OPS / "systemd" / "resonate.service").read_text(), re.MULTILINE)
    waits = [pod()["terminationGracePeriodSeconds"], int(unit[0]), int(compose.removesuffix("s"))]
    for (_, asked, told), wait in zip(rows("who")[:3], waits, strict=True):
        assert float(asked.rpartition(" ")[2]) == longest
        assert int(told) == wait >= longest


def test_a_probe_notices_before_the_lame_duck_is_over() -> None:
    [container] = pod()["containers"]
    probe = container["readinessProbe"]
    period, failures, late = probe["periodSeconds"], probe["failureThreshold"], probe["timeoutSeconds"]
    noticed, duck = period * failures + late, lame_ducks()[0]
    assert noticed <= duck
    assert rows("who")[3][2] == f"{period} × {failures} + {late} = {noticed} ≤ {duck:g}"
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_a_proxy_gives_its_connections_up_first() -> None:
    assert load_settings({}).keep_alive_seconds == KEEP_ALIVE_SECONDS
    assert f"`RESONATE_KEEP_ALIVE_SECONDS` ({KEEP_ALIVE_SECONDS})" in PAGE
    kept = [int(found) for found in re.findall(r"(?:keepalive_timeout|keepalive) (\d+)s", PROXIES)]
    assert len(kept) == 2
    assert max(kept) < KEEP_ALIVE_SECONDS


def test_the_figures_of_connections_are_those_of_the_code() -> None:
    assert f"up to {RESERVED} of\nits own" in PAGE
    assert f"A hard limit below {LEAST_FILES} stops the start" in PAGE
    assert f"{SPARE} files are kept in reserve" in PAGE
    assert IDLE_SECONDS == 1.0
    assert "silent for a second" in PAGE
