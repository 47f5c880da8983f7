"""What `resonate doctor` asks of a running service, by the same address and doors as everybody else."""

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx
import msgspec

from app.keys.scopes import ROUTES
from events.records import TEST
from kit.time import now_seconds

TIMEOUT_SECONDS: Final = 30.0
LATEST: Final = "latest"
NEXT: Final = "x-resonate-next-cursor"
ARRIVAL_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.5
CLOCK_SECONDS: Final = 5.0
VISITOR: Final = "resonate-doctor"

Line = dict[str, Any]


class NotAsked(Exception):
    """The service cannot be reached, or refuses the key; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One test event in the words of a dialect: what is sent where, and under which name its row must come back."""

    dialect: str
    event: str
    method: str
    path: str
    body: Any = None
    query: dict[str, str] | None = None


class RunningService:
    """A service by an address and a secret key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def lines(self) -> list[Line]:
        """What the service finds wrong with itself, and how far its clock is from this machine's at least, for it was
        read between the question and the answer. Raises NotAsked.
        """
        asked = now_seconds()
        answer = self._asked("GET", "/v1/doctor", params={"url": self.url})
        told, answered = answer.json(), now_seconds()
        away = told["now"] - min(max(told["now"], asked), answered)
        found = f"its clock is {abs(away):.1f} s {'behind' if away < 0 else 'ahead of'} this machine's"
        remedy = "set both clocks by NTP" if abs(away) > CLOCK_SECONDS else None
        return [*told["lines"], line("clock", found, remedy)]

    def send(self, now: Callable[[], float], pause: Callable[[float], None]) -> list[Line]:
        """Sends one event of each dialect and waits until the export has their rows; a line for each.

        Raises NotAsked.
        """
        cursor = self._asked("GET", "/v1/export/events", params={"cursor": LATEST}).headers[NEXT]
        waiting: dict[str, Sent] = {}
        found: list[Line] = []
        for sent in events_to_send(secrets.token_hex(4)):
            answer = self._answer(sent.method, sent.path, json=sent.body, params=sent.query)
            refused = "" if answer.status_code >= 300 else _refusal(answer)
            if answer.status_code >= 300 or refused:
                told = f"{sent.dialect}: {sent.path} answers {answer.status_code} {refused or answer.text[:200]}"
                found.append(line("sent", told, "GET /v1/events/rejected shows why"))
            else:
                waiting[sent.event] = sent
        until = now() + ARRIVAL_SECONDS
        while waiting and now() < until:
            rows, cursor = self._rows(cursor)
            for row in rows:
                sent = waiting.pop(row.get("event", ""), None)
                if sent is not None:
                    found.append(line("sent", f"{sent.dialect}: sent to {sent.path} and read back from the export"))
            if waiting:
                pause(LOOK_SECONDS)
        for sent in waiting.values():
            told = f"{sent.dialect}: {sent.path} answered 200, and the export has no row after {ARRIVAL_SECONDS:g} s"
            found.append(line("sent", told, "look into the log of the writer, and at /readyz with this key"))
        return found

    def arriving(self, pause: Callable[[float], None]) -> Iterator[dict[str, Any]]:
        """Every event as it arrives, for as long as it is asked for. Raises NotAsked."""
        cursor = self._asked("GET", "/v1/export/events", params={"cursor": LATEST}).headers[NEXT]
        while True:
            rows, cursor = self._rows(cursor)
            yield from rows
            pause(LOOK_SECONDS)

    def _rows(self, cursor: str) -> tuple[list[dict[str, Any]], str]:
        page = self._asked("GET", "/v1/export/events", params={"cursor": cursor})
        return [msgspec.json.decode(each) for each in page.content.splitlines() if each], page.headers[NEXT]

    def _asked(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._answer(method, path, **options)
        if answer.status_code == 200:
            return answer
        if answer.status_code in (401, 403):
            right = (
                "give a secret key with the scopes read_results, export and, for --send, track, in RESONATE_DOCTOR_KEY"
            )
            raise NotAsked(f"{self.url}{path} answers {answer.status_code} {_detail(answer)}; {right}")
        raise NotAsked(f"{self.url}{path} answers {answer.status_code} {_detail(answer)}; is this Resonate's address?")

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, self.url + path, **options)
        except httpx.HTTPError as error:
            right = "start it with `resonate serve`, or name its address with --url"
            raise NotAsked(f"{self.url} cannot be reached ({error}); {right}") from None


def line(check: str, found: str, remedy: str | None = None) -> Line:
    """One thing that was looked at, as the service tells its own."""
    return {"check": check, "ok": remedy is None, "found": found, "remedy": remedy}


def events_to_send(token: str) -> list[Sent]:
    """One event of every dialect that this version serves, in no readout; the names have a token of their own."""
    consent = {"resonate": "personal"}
    names = {each: f"Resonate Test {each} {token}" for each in ("segment", "growthbook", "pixel")}
    names["ga4"], marked = f"{TEST}_{token}", {TEST: True}
    context = {**marked, "consent": consent, "library": {"name": "resonate"}}
    track = {"anonymousId": VISITOR, "event": names["segment"], "context": context}
    data = base64.b64encode(msgspec.json.encode({**track, "event": names["pixel"]})).decode()
    attributes = {"id": VISITOR, "resonate.consent": "personal", **marked}
    growthbook = {"event_name": names["growthbook"], "device_id": VISITOR, "properties_json": marked,
                  "context_json": attributes}  # fmt: skip
    ga4 = {"client_id": VISITOR, "consent": "personal", "events": [{"name": names["ga4"], "params": marked}]}
    return [
        sent
        for route, sent in {
            "POST /v1/track": Sent("segment", names["segment"], "POST", "/v1/track", track),
            "POST /track": Sent("growthbook", names["growthbook"], "POST", "/track", [growthbook]),
            "GET /v1/pixel/track": Sent("pixel", names["pixel"], "GET", "/v1/pixel/track", None, {"data": data}),
            "POST /mp/collect": Sent("ga4", names["ga4"], "POST", "/mp/collect", ga4),
        }.items()
        if route in ROUTES["track"]
    ]


def _refusal(answer: httpx.Response) -> str:
    """What a 200 says that it refused."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return ""
    return "; ".join(each["message"] for each in answer.json().get("rejected", ()))


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))[:300]
    except ValueError:
        return ""
