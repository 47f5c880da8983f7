"""Who goes on asking a service while something breaks, and what must hold of all that was answered."""

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from oracles.promise import Journal, verdict
from servers.faults import ASSIGNED, assign, personalize, recommend, track
from servers.patience import HUNG_SECONDS, until
from servers.service import NO_CERTIFICATES, PUBLISHABLE_KEY, SECRET_KEY, Service

PACE_SECONDS = 0.02
LOOK_SECONDS = 0.1
ANSWERED_SECONDS = 2.0  # as the contract has it; a look that waits longer would miss what is named meanwhile
ANSWER_SECONDS = 10.0  # longer than any answer may take, so that a late one is seen as late
VISITORS = 8
SERVED = ("assign", "recommend", "personalize")
LONGEST_WAIT_SECONDS = 2  # that a refused event may be told to wait
EXPOSES_EVERY = 5
OURS = "w-"  # ids of our events begin so
NO_ANSWER = ["no answer"]


@dataclass
class Seen:
    """One answer: what was asked, its status, how long it took, and the code and `Retry-After` of a refusal."""

    kind: str
    status: int
    seconds: float
    code: str = ""
    retry_after: str | None = None


@dataclass
class Witness:
    """Asks for assignments, products and events from threads of its own, and looks at `/readyz`, all at once.

    `causes` are the moments at which each came up. `lost` are requests that got no answer, by what was asked. `gone` is
    set while the service is known to be away.
    """

    service: Service
    journal: Journal = field(default_factory=Journal)
    seen: list[Seen] = field(default_factory=list)
    variants: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    causes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    named: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    gone: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Three threads ask while the block runs; what they do wrong fails the test."""
        stop, failures = threading.Event(), list[BaseException]()

        def guarded(work: Any) -> None:
            try:
                work(stop)
            except BaseException as error:  # noqa: BLE001 - told to the test
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in (self._serve, self._send, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == [], str(failures)

    def rounds(self, count: int) -> None:
        """Until so many more assignments were answered."""
        before = len(self.seen)
        wanted = before + count
        until(lambda: len(self.seen) >= wanted, f"{count} more answers came", tell=self.service.told)

    def seconds_until_named(self, causes: frozenset[str], since: float) -> float:
        """How long it took until `/readyz` named one of the causes; it is waited for."""

        def named() -> list[float]:
            return [when for cause in causes for when in self.causes.get(cause, ()) if when >= since]

        found = until(named, f"one of {sorted(causes)} is named", HUNG_SECONDS, self._told)
        return min(found) - since

    def seconds_until_gone(self, causes: frozenset[str]) -> float:
        """How long it took until `/readyz` answered and named none of the causes any more; it is waited for."""
        gone = frozenset({*causes, *NO_ANSWER})
        began = time.monotonic()
        until(lambda: not gone & set(self.degraded()), f"none of {sorted(causes)} is named", HUNG_SECONDS, self._told)
        return time.monotonic() - began

    def degraded(self, seconds: float = ANSWER_SECONDS) -> list[str]:
        """The codes that `/readyz` names now; a lack of an answer is a cause too."""
        try:
            with self.service.client(PUBLISHABLE_KEY, timeout=seconds) as client:
                told = client.get("/readyz").json()
        except (httpx.HTTPError, ValueError):
            return NO_ANSWER
        return [str(each).partition(":")[0] for each in told.get("degraded", [told["status"]])]

    def _told(self) -> str:
        return f"; named were {sorted(self.causes)}, now {self.named}{self.service.told()}"

    def hold(self, *, drops: bool, alone: bool = True) -> None:
        """Fail unless every answer was as promised, and every acknowledged event is exported once.

        Not `alone`, others sent too: of what nobody here sent only ids of ours are invented.
        """
        statuses = Counter((each.kind, each.status) for each in self.seen)
        refused = [each for each in self.seen if each.kind in SERVED and each.status != 200]
        assert refused == [], f"{refused[:5]} of {statuses}{self.service.told()}"
        tracked = [each for each in self.seen if each.kind == "track"]
        assert {each.status for each in tracked} <= {200, 503}, f"{statuses}{self.service.told()}"
        refusals = {(each.code, each.retry_after) for each in tracked if each.status == 503}
        assert {each for each in refusals if not _is_soon(each[1])} == set()
        assert {visitor: len(found) for visitor, found in self.variants.items() if len(found) != 1} == {}
        assert drops or self.lost == Counter(), f"{self.lost}{self.service.told()}"
        found = verdict(self.service, self.journal)
        ours = {message_id for message_id in found.invented if alone or message_id.startswith(OURS)}
        replace(found, invented=ours).hold()

    @property
    def slowest(self) -> dict[str, float]:
        """The longest answer of each kind in seconds."""
        return {
            kind: round(max((each.seconds for each in self.seen if each.kind == kind), default=0.0), 2)
            for kind in (*SERVED, "track")
        }

    def told(self) -> dict[str, Any]:
        """What came of it, as a row of a table has it (oracles/cells.py)."""
        return {
            "causes": " ".join(sorted(self.causes)),
            "answers": len(self.seen),
            "refused": sum(each.status == 503 for each in self.seen),
            "lost": sum(self.lost.values()),
            "acknowledged": len(self.journal.acknowledged),
            "slowest": self.slowest,
        }

    def _serve(self, stop: threading.Event) -> None:
        with self._client() as client:
            for number in _turns(stop):
                visitor = f"v-{number % VISITORS}"
                if (answer := self._ask(client, "assign", visitor)) and answer.status_code == 200:
                    self.variants[visitor].add(answer.json().get("variant"))
                self._ask(client, "recommend", visitor)
                if not number % EXPOSES_EVERY:
                    self._expose(client, f"x-{number}")

    def _expose(self, client: httpx.Client, visitor: str) -> None:
        """What was said to be logged must be exported; what got no answer may be."""
        self.journal.tries[visitor] += 1
        answer = self._ask(client, "personalize", visitor)
        if answer is not None and answer.status_code == 200:
            told = answer.json()["experiments"][ASSIGNED]
            if told["exposure"] == "logged":
                self.journal.exposed.add(told["exposure_id"])

    def _send(self, stop: threading.Event) -> None:
        with self._client() as client:
            for number in _turns(stop):
                message_id = f"{OURS}{number}"
                self.journal.sent.add(message_id)
                answer = self._ask(client, "track", message_id)
                if answer is not None and answer.status_code == 200:
                    self.journal.acknowledged.add(message_id)

    def _look(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            found = self.degraded(ANSWERED_SECONDS)  # over a new connection each time, which may be to who just starts
            if found == NO_ANSWER and self.gone.is_set():
                continue  # while one worker is away the other still names what is wrong
            before, self.named = self.named, found
            for cause in set(self.named) - set(before):
                self.causes[cause].append(time.monotonic())

    def _client(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {SECRET_KEY}"}
        return httpx.Client(headers=headers, timeout=ANSWER_SECONDS, verify=NO_CERTIFICATES)

    def _ask(self, client: httpx.Client, kind: str, word: str) -> httpx.Response | None:
        """One request; None where no answer came, which is counted unless the service is known to be away."""
        client.base_url = httpx.URL(self.service.url)
        ask = {"assign": assign, "recommend": recommend, "personalize": personalize, "track": track}[kind]
        began, was_gone = time.monotonic(), self.gone.is_set()
        try:
            answer = ask(client, word)
        except httpx.HTTPError:
            if not was_gone and not self.gone.is_set():
                self.lost[kind] += 1
            return None
        seconds = time.monotonic() - began
        seen = Seen(kind, answer.status_code, seconds, retry_after=answer.headers.get("retry-after"))
        if answer.status_code != 200:
            with contextlib.suppress(ValueError):
                seen.code = str(answer.json().get("code", ""))
        self.seen.append(seen)
        return answer


def _turns(stop: threading.Event) -> Iterator[int]:
    """Counts turns until it is over, with pauses as long as they took: on a slow machine the service has its half."""
    number, pause = 0, PACE_SECONDS
    while not stop.wait(pause):
        number, began = number + 1, time.monotonic()
        yield number
        pause = max(PACE_SECONDS, time.monotonic() - began)


def _is_soon(retry_after: str | None) -> bool:
    """Whether a `Retry-After` is there, and asks for no long wait."""
    return (retry_after or "").isdigit() and int(retry_after or "") <= LONGEST_WAIT_SECONDS
