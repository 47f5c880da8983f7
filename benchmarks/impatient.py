"""What others wait who ask with the key of a client that gives up a readout after a second and asks again.

`python -m benchmarks.impatient [SECONDS]`: fifty events a second come meanwhile, so that no readout is the one before.
For each question the longest answer in seconds without that client, and beside it in the first and in the last third.
A line that grows from third to third is a queue of what nobody waits for.
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.service import Service, running

KEY = "free-shipping-banner"
FILES = {f"{KEY}.yaml": f"key: {KEY}\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"}
RESULTS = f"/v1/experiments/{KEY}/results"
ASKED = (RESULTS, "/v1/metrics", "/v1/cx", "/v1/results", "/v1/export/events?limit=10")
PATIENCE_SECONDS = 1.0


@contextlib.contextmanager
def again_and_again(work: Callable[[int], object], pause_seconds: float) -> Generator[None]:
    """Somebody who does this all the while."""
    stop = threading.Event()

    def goes_on() -> None:
        number = 0
        while not stop.wait(pause_seconds):
            number += 1
            work(number)

    thread = threading.Thread(target=goes_on)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def longest(service: Service, seconds: float) -> dict[str, tuple[float, float]]:
    """For each question the longest answer that was asked for in the first third of these seconds, and in the last."""
    took: dict[str, list[tuple[float, float]]] = {each: [] for each in ASKED}
    began = time.monotonic()
    with service.client(timeout=120) as client:
        while time.monotonic() - began < seconds:
            for each in ASKED:
                at = time.monotonic()
                client.get(each).raise_for_status()
                took[each].append(((at - began) / seconds, time.monotonic() - at))
    return {
        each: (
            max((wait for at, wait in waits if at < 1 / 3), default=0.0),
            max((wait for at, wait in waits if at >= 2 / 3), default=waits[-1][1]),
        )
        for each, waits in took.items()
    }


def main() -> None:
    """The whole run."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), FILES, RESONATE_WORKERS="2") as service:

        def gives_up(_: int) -> None:
            with contextlib.suppress(httpx.TimeoutException), service.client(timeout=PATIENCE_SECONDS) as client:
                client.get(RESULTS)

        with service.client(timeout=60) as shop:
            shop.get(RESULTS).raise_for_status()

            def sells(number: int) -> None:
                event = {"anonymousId": f"v-{number}", "event": "Order Completed", "messageId": f"m-{number}"}
                shop.post("/v1/personalize", json={"visitor_id": f"v-{number}"}).raise_for_status()
                shop.post("/v1/track", json=event).raise_for_status()

            with again_and_again(sells, 0.04):
                quiet = longest(service, seconds / 3)
                with again_and_again(gives_up, 0.1):
                    beside = longest(service, seconds)
    print(f"{'longest answer, s':50} {'alone':>7} {'first':>7} {'last':>7}")
    for each in ASKED:
        print(f"{each:50} {max(quiet[each]):7.2f} {beside[each][0]:7.2f} {beside[each][1]:7.2f}")


if __name__ == "__main__":
    main()
