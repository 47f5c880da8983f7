"""The whole service against a dictionary: whatever is sent, killed, restarted, erased or redefined, the export agrees.

The same for the log alone, with compaction and retention, is tests/events/writer/test_log_model.py.
"""

from collections.abc import Iterator
from itertools import count

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from oracles.promise import Journal, exported
from oracles.proving import examples
from servers.faults import KILLS, seconds_until_ready
from servers.patience import until
from servers.service import Service, running

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy

NAME = "free-shipping-banner.yaml"
EXAMPLES = examples(3)
STEPS = 11
visitors = st.integers(0, 3)
worlds = count()


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("model"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="2") as service:
        yield service


class ServiceAgainstModel(RuleBasedStateMachine):
    """Each example has visitors and messages of its own, so that one service serves them all."""

    service: Service

    def __init__(self) -> None:
        super().__init__()
        self.world = f"w{next(worlds)}"
        self.held: dict[str, str] = {}  # message → visitor, of what the export must hold
        self.forgotten: set[str] = set()  # messages of erased visitors
        self.variants: dict[str, str] = {}
        self.messages = count()

    def visitor(self, number: int) -> str:
        return f"{self.world}-v{number}"

    @rule(visitor=visitors, events=st.integers(1, 5))
    def track(self, visitor: int, events: int) -> None:
        ids = [f"{self.world}-m{next(self.messages)}" for _ in range(events)]
        self._send(self.visitor(visitor), ids)
        self.held.update(dict.fromkeys(ids, self.visitor(visitor)))

    @precondition(lambda self: self.held)
    @rule(choice=st.integers(0, 1_000))
    def repeat(self, choice: int) -> None:
        message = sorted(self.held)[choice % len(self.held)]
        self._send(self.held[message], [message])

    @rule(visitor=visitors)
    def assign(self, visitor: int) -> None:
        """The variant never changes, and a logged exposure is an event like any other."""
        body = {"visitor_id": self.visitor(visitor), "experiments": ["free-shipping-banner"]}
        told = self._post("/v1/personalize", body).json()["experiments"]["free-shipping-banner"]
        assert self.variants.setdefault(self.visitor(visitor), told["variant"]) == told["variant"]
        assert told["exposure"] == "logged"
        self.held[told["exposure_id"]] = self.visitor(visitor)

    @rule(kind=st.sampled_from(["worker", "writer", "store"]))
    def kill(self, kind: str) -> None:
        KILLS[kind](self.service)
        self._ready()

    @rule(powerless=st.booleans())
    def restart(self, powerless: bool) -> None:
        if powerless:
            KILLS["all"](self.service)
        else:
            assert self.service.stop() == 0
            self.service.launch()
        self.service.wait_ready()
        self._ready()

    @rule(visitor=visitors)
    def erase(self, visitor: int) -> None:
        address = f"/v1/visitors/{self.visitor(visitor)}"
        with self.service.client() as client:  # a writer that was killed often is started again after a while
            until(lambda: client.request("DELETE", address).status_code == 202, "the visitor is erased")
        gone = {message for message, owner in self.held.items() if owner == self.visitor(visitor)}
        self.forgotten |= gone
        self.held = {message: owner for message, owner in self.held.items() if message not in gone}

    @rule(valid=st.booleans())
    def redefine(self, valid: bool) -> None:
        """A broken file changes nothing; a good one, with another experiment, changes nobody's variant in this one."""
        file = self.service.definitions / "other.yaml"
        text = SMALLEST_DEFINITIONS[NAME].replace(NAME[:-5], "other")
        file.write_text(text if valid else text[:25])

    def teardown(self) -> None:
        """What is exported of this example's visitors is what the model holds."""
        rows = [row for row in exported(self.service) if row["visitor_id"].startswith(f"{self.world}-")]
        assert sorted(row["message_id"] for row in rows) == sorted(self.held)
        assert {row["message_id"]: row["visitor_id"] for row in rows} == self.held

    def _send(self, visitor: str, ids: list[str]) -> None:
        batch = [{"type": "track", "event": "E", "anonymousId": visitor, "messageId": each} for each in ids]
        told = self._post("/v1/batch", {"batch": batch}).json()
        told.pop("hints", None)  # that no metric reads a name
        assert told == {"success": True}

    def _post(self, path: str, body: dict[str, object]) -> httpx.Response:
        with self.service.client(timeout=20) as client:

            def taken() -> list[httpx.Response]:
                answer = client.post(path, json=body)
                return [] if answer.status_code == 503 else [answer]

            [answer] = until(taken, f"{path} is taken", tell=self.service.told)
        assert answer.status_code == 200, answer.text
        return answer

    def _ready(self) -> None:
        """Until every worker answers and the store takes events: an ambiguous request would leave the model behind."""
        for _ in range(4):
            seconds_until_ready(self.service, Journal())


@pytest.mark.slow
def test_the_export_is_what_a_dictionary_would_hold(shop: Service) -> None:
    ServiceAgainstModel.service = shop
    run_state_machine_as_test(
        ServiceAgainstModel,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=[
                Phase.generate
            ],  # a smaller failing example costs a minute of restarts; the log of this one is enough
            suppress_health_check=list(HealthCheck),
        ),
    )
