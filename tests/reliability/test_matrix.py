"""Every fault at every moment: the service goes on assigning and obeying, names what is wrong, and loses nothing.

A run draws some of the cells anew; `make prove` runs them all, and writes what each was like into `build/matrix.csv`.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from oracles.cells import reported
from oracles.every_route import route_calls
from oracles.witness import Witness
from servers.ailing import FAULTS
from servers.faults import REPOSITORY, all_accept, beats
from servers.patience import HUNG_SECONDS, until
from servers.service import PUBLISHABLE_KEY, Service, write_definitions
from servers.stage import Fault, Stage

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

SIMPLE = "key: {key}\nstatus: {status}\nvariants: [control, changed]\ngoal: purchase_rate\n"
ORDERED = {way: f"paused-by-{way}" for way in ("api", "cli", "file")}
KEYS = ("free-shipping-banner", "steered", *ORDERED.values())
FILES = {f"{key}.yaml": SIMPLE.format(key=key, status="running") for key in KEYS}
USUAL = {"RESONATE_WORKERS": "2", "RESONATE_HUNG_SECONDS": "8"}
REPORT = REPOSITORY / "build" / "matrix.csv"
ROUNDS = 60
LONGEST = 3  # of the routes, by the time that their answers took, are named in the report
HANGS = "analysis_timeout"  # said after a minute, where what is wrong is known long before

Moment = Callable[[Fault, Stage, Witness], dict[str, float]]


def warm(fault: Fault, stage: Stage, witness: Witness) -> dict[str, float]:
    """Nothing more happens than the fault."""
    del fault, stage
    witness.rounds(ROUNDS)
    return {}


def worker_restarted(fault: Fault, stage: Stage, witness: Witness) -> dict[str, float]:
    """A worker is killed meanwhile, and its successor is sound from its first answer on."""
    del fault
    victim = stage.service.processes()["worker"][0]
    witness.gone.set()  # what the killed worker held gets no answer
    victim.kill()
    began = time.monotonic()
    until(
        lambda: len(_workers(stage.service) - {victim.pid}) >= 2, "there are two workers again", tell=stage.service.told
    )
    seconds = time.monotonic() - began
    until(lambda: "no answer" not in witness.degraded(), "the service answers", tell=stage.service.told)
    witness.gone.clear()
    witness.rounds(ROUNDS)
    return {"worker_back": seconds}


def _workers(service: Service) -> set[int]:
    return {process.pid for process in service.processes().get("worker", [])}


def service_restarted(fault: Fault, stage: Stage, witness: Witness) -> dict[str, float]:
    """The service is stopped and started meanwhile."""
    del fault
    witness.gone.set()
    began = time.monotonic()
    assert stage.service.stop() == 0, stage.service.told()
    stopped = time.monotonic() - began
    stage.service.unpublished = True  # a broken disk may not take it, and whoever listened before is gone
    began = time.monotonic()
    stage.service.start()
    stage.service.unpublished = False
    seconds = time.monotonic() - began
    witness.gone.clear()
    witness.rounds(ROUNDS)
    return {"stopped": stopped, "ready_again": seconds}


def every_route(fault: Fault, stage: Stage, witness: Witness) -> dict[str, float]:
    """Each route is called for the first time during the fault."""
    del fault
    with stage.service.client(timeout=HUNG_SECONDS, event_hooks={}) as client:
        document = client.get("/openapi.json").json()
        calls = [*route_calls(document, {"free-shipping-banner": "steered"})]
        assert calls[75:], "most operations have no example"
        answers: dict[str, tuple[int, str | None, str]] = {}
        seconds: dict[str, float] = {}
        for call in calls:
            began = time.monotonic()
            answer = _sent(client, call)
            seconds[call.name] = time.monotonic() - began
            answers[call.name] = answer.status_code, answer.headers.get("retry-after"), answer.text[:400]
    broken = {name: told for name, told in answers.items() if told[0] >= 500 and not (told[0] == 503 and told[1])}
    assert broken == {}, stage.service.told()
    hung = {name: told for name, told in answers.items() if HANGS in told[2]}
    assert hung == {}, stage.service.told()
    witness.rounds(ROUNDS)
    longest = sorted(seconds, key=seconds.__getitem__)[-LONGEST:]
    return {"routes": float(len(answers)), "all": sum(seconds.values()), **{name: seconds[name] for name in longest}}


def _sent(client: httpx.Client, call: Any) -> httpx.Response:
    """The answer; a connection that the service closed meanwhile, as it may, is made again once."""
    with contextlib.suppress(httpx.HTTPError):
        return call.send(client, PUBLISHABLE_KEY)
    try:
        return call.send(client, PUBLISHABLE_KEY)
    except httpx.HTTPError as error:
        raise AssertionError(f"{call.name} got no answer: {error}") from error


def pauses_ordered(fault: Fault, stage: Stage, witness: Witness) -> dict[str, float]:
    """Three experiments are paused: over the API, by the command line, and by their files where they can be written."""
    ways = [_pause_by_api, _pause_by_cli] + ([_pause_by_file] if fault.files else [])
    took: dict[str, float] = {}
    for way in ways:
        began = time.monotonic()
        key = way(stage, keeps=fault.keeps)
        until(lambda key=key: _obeyed(stage.service, key), f"{key} is paused for every worker", tell=stage.service.told)
        took[key] = time.monotonic() - began
    witness.rounds(ROUNDS)
    return took


def _pause_by_api(stage: Stage, *, keeps: bool) -> str:
    with stage.service.client(timeout=HUNG_SECONDS) as client:
        answer = client.post(f"/v1/experiments/{ORDERED['api']}/pause")
    assert answer.status_code == 202, answer.text
    assert keeps or answer.json()["kept"] is False
    return ORDERED["api"]


def _pause_by_cli(stage: Stage, *, keeps: bool) -> str:
    words = [sys.executable, "-P", "-m", "app.cli.main", "pause", ORDERED["cli"]]
    done = subprocess.run(
        words,
        env=stage.service.environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=HUNG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert keeps or "a restart may forget it" in done.stderr
    return ORDERED["cli"]


def _pause_by_file(stage: Stage, *, keeps: bool) -> str:
    del keeps  # the folder of definitions is another disk's
    key = ORDERED["file"]
    (stage.service.definitions / f"{key}.yaml").write_text(SIMPLE.format(key=key, status="paused"))
    return key


def _obeyed(service: Service, key: str) -> bool:
    """Whether a score of visitors, each asked over a connection of its own, all see control."""
    with service.client(timeout=HUNG_SECONDS, headers={"connection": "close"}) as fresh:
        for number in range(20):
            context = {"targetingKey": f"v-{number}", "resonate.expose": False}
            try:
                answer = fresh.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": context})
            except httpx.HTTPError:
                return False
            if answer.status_code != 200 or answer.json().get("variant") not in (None, "control"):
                return False
    return True


MOMENTS: Mapping[str, Moment] = {
    "a warm worker": warm,
    "a worker restarted": worker_restarted,
    "the service restarted": service_restarted,
    "each route for the first time": every_route,
    "a pause ordered three ways": pauses_ordered,
}


@pytest.mark.drawn(2)
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_at_a_moment(fault: Fault, moment: str, tmp_path: Path) -> None:
    service = Service(tmp_path / "data", write_definitions(tmp_path / "definitions", FILES), USUAL)
    stage, witness = Stage(service, tmp_path), Witness(service)
    with reported(REPORT, fault.name, moment) as row, fault.staged(stage), contextlib.closing(_Ended(service)):
        service.start()
        try:
            with witness.watching():
                witness.rounds(ROUNDS)
                until(lambda: beats(service, "writer"), "the writer works", tell=service.told)
                until(lambda: all_accept(service), "both workers answer", tell=service.told)
                began = time.monotonic()
                with fault.broken(stage):
                    row["took"] = MOMENTS[moment](fault, stage, witness)
                    over = fault.once and MOMENTS[moment] is service_restarted
                    if fault.causes and not over:
                        row["named"] = witness.seconds_until_named(fault.causes, began)
                    witness.gone.set() if not fault.heals else None
                witness.gone.clear()
                row["gone"] = witness.seconds_until_gone(fault.causes)
                witness.rounds(ROUNDS)
        finally:
            row |= witness.told()
        witness.hold(drops=fault.drops, alone=MOMENTS[moment] is not every_route)  # whose examples are events
        _paused_stay_paused(service, moment, fault)
        assert service.stop() == 0


def _paused_stay_paused(service: Service, moment: str, fault: Fault) -> None:
    """What was paused during the fault still is, after it and after a restart."""
    ordered = (
        [key for way, key in ORDERED.items() if (fault.files if way == "file" else fault.keeps)]
        if MOMENTS[moment] is pauses_ordered
        else []
    )
    service.stop()
    service.start()
    assert [key for key in ordered if not _obeyed(service, key)] == []
    with service.client(timeout=HUNG_SECONDS) as client:
        assert client.get("/readyz").status_code == 200


class _Ended:
    """Ends a service, however its test goes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def close(self) -> None:
        self._service.end()
