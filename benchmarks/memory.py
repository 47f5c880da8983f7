"""What each process of a service weighs at rest, and what one more worker adds.

`python -m benchmarks.memory`: services of one worker and of two, one after the other, on an empty data directory and
one experiment. Each is asked once of every kind and then left alone; resident MiB count what is shared in every
process, proportional ones (PSS) divide it among those that share it, so that they add up.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psutil
from conftest import SMALLEST_DEFINITIONS
from servers.service import Service, running

MEBIBYTE = 1 << 20
SETTLED_SECONDS = 20.0
EXPERIMENT = "free-shipping-banner"


def weights(service: Service) -> list[tuple[str, float, float]]:
    """Name, resident and proportional MiB of each process of the tree."""
    tree = {"supervisor": [psutil.Process(service.pid)], **service.processes()}
    return [
        (role, told.rss / MEBIBYTE, told.pss / MEBIBYTE)
        for role, processes in tree.items()
        for told in (process.memory_full_info() for process in processes)
    ]


def warm_up(service: Service) -> None:
    """An assignment, an event and a readout, as often as each worker may have one."""
    for _ in range(10 * int(service.variables["RESONATE_WORKERS"])):
        with service.client() as client:  # a new connection each time: any of the workers takes it
            body = {"visitor_id": "v-1", "experiments": [EXPERIMENT]}
            client.post("/v1/personalize", json=body).raise_for_status()
            event = {"event": "Product Viewed", "anonymousId": "v-1", "properties": {"product_id": "p-1"}}
            client.post("/v1/track", json=event).raise_for_status()
    service.results(EXPERIMENT)


def main() -> None:
    """Prints a line for each process, and the sums."""
    sums: list[float] = []
    for workers in (1, 2):
        with (
            tempfile.TemporaryDirectory() as folder,
            running(Path(folder), SMALLEST_DEFINITIONS, RESONATE_WORKERS=str(workers)) as service,
        ):
            warm_up(service)
            time.sleep(SETTLED_SECONDS)
            found = weights(service)
        sums.append(sum(proportional for _, _, proportional in found))
        print(f"\n{workers} workers: {sums[-1]:.1f} MiB in all")
        for role, resident, proportional in found:
            print(f"  {role:12} resident {resident:6.1f}, proportional {proportional:6.1f} MiB")
    print(f"\nthe second worker adds {sums[1] - sums[0]:.1f} MiB")


if __name__ == "__main__":
    main()
