"""Half-written and invalid definitions, two hundred times, while visitors are assigned: nobody's variant changes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.patience import until
from servers.service import Service, running

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

FLAG = "/ofrep/v1/evaluate/flags/free-shipping-banner"
NAME = "free-shipping-banner.yaml"
GOOD = SMALLEST_DEFINITIONS[NAME]
INVALID = (
    "",
    "key: [",
    "key: free-shipping-banner\nstatus: runing\nvariants: [control, threshold]\ngoal: purchase_rate\n",
    "key: free-shipping-banner\nstatus: running\nvariants: [control]\ngoal: purchase_rate\n",
    "key: free-shipping-banner\nstatus: running\nvariants: [threshold, control]\ngoal: purchase_rate\n",  # re-buckets
    "key: other\nstatus: running\nvariants: [control, threshold]\ngoal: nothing_such\n",
    "\x00\x01",
    "a: &a [1]\nb: *a\n",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, {**SMALLEST_DEFINITIONS, "z.yaml": GOOD.replace(NAME[:-5], "z")}) as service:
        yield service


class Visitors:
    """Assigns the same hundred visitors again and again, and notes what is not as it was at first."""

    def __init__(self, service: Service) -> None:
        self.changed: list[str] = []
        self.answers = 0
        self._first: dict[str, str] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(service,))

    def __enter__(self) -> "Visitors":
        self._thread.start()
        until(lambda: len(self._first) == 100, "every visitor is assigned")
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def go_on(self) -> None:
        """Until some more were assigned."""
        before = self.answers
        until(lambda: self.answers >= before + 10, "ten more visitors are assigned")

    def _run(self, service: Service) -> None:
        with service.client(timeout=20) as client:
            while not self._end.is_set():
                for number in range(100):
                    self._look(client, f"v-{number}")

    def _look(self, client: httpx.Client, visitor: str) -> None:
        context = {"targetingKey": visitor, "resonate.expose": False}
        answer = client.post(FLAG, json={"context": context})
        variant = f"{answer.status_code} {answer.json().get('variant')}"
        if self._first.setdefault(visitor, variant) != variant:
            self.changed.append(f"{visitor}: {variant}")
        self.answers += 1


@pytest.mark.slow
def test_two_hundred_bad_files_change_nobodys_variant_and_a_good_one_is_live_at_once(shop: Service) -> None:
    file = shop.definitions / NAME
    with Visitors(shop) as visitors, shop.client(timeout=20) as client:
        for bad in INVALID:  # each stays until it was looked at, and refused
            file.write_text(bad)
            until(lambda: complaints(client), f"{bad!r} is complained of")
            visitors.go_on()
            file.write_text(GOOD)
            until(lambda: complaints(client) == [], "the good file is taken again")
        for number in range(200 - len(INVALID)):  # and these are cut off anywhere, again and again
            file.write_text(GOOD[: 5 + number % (len(GOOD) - 40)])
            visitors.go_on()
        file.write_text(GOOD)
        (shop.definitions / "second.yaml").write_text(GOOD.replace(NAME[:-5], "second"))
        until(lambda: is_served(client, "second"), "the second experiment is served")
        until(lambda: complaints(client) == [], "nothing is complained of")
    assert visitors.changed == []
    assert visitors.answers > 2_000


def complaints(client: httpx.Client) -> list[str]:
    return list(client.get("/readyz").json()["degraded"])


def is_served(client: httpx.Client, key: str) -> bool:
    body = {"context": {"targetingKey": "v-1", "resonate.expose": False}}
    return client.post(FLAG.replace(NAME[:-5], key), json=body).status_code == 200
