"""The law at the door: whatever a page sends, everybody else is believed, stored and answered as without it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count, groupby
from typing import Any, Final, NamedTuple

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from servers.one_worker import SECRET, OneWorker, records
from servers.patience import until
from servers.tokens import TOKEN_KEY, user_token
from worlds.adversary import HOUR, START, USERS, Logs, logs
from worlds.shop_worlds import publish_trained, taste_world

from events.authority import Authority
from events.records import Record
from kit.time import now_us

PRODUCTS: Final = {"p0": "wine-7", "p1": "wine-3", "p2": "cheese-4"}
DRAWN: Final = ("recommendation_id", "model_version")
VISITORS: Final = ("v0", "v1", "v2", "v3")
fresh = count()


class Shops(NamedTuple):
    """Two that are the same: one hears the honest alone, one hears the adversary too."""

    alone: OneWorker
    together: OneWorker
    touched: Counter[bool]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shops]:
    touched = Counter[bool]()
    with ExitStack() as running:
        workers: list[OneWorker] = []
        for name in ("alone", "together"):
            root = tmp_path_factory.mktemp(name)
            publish_trained(root / "data" / "models", taste_world())
            workers.append(running.enter_context(OneWorker(root, user_token_keys=(TOKEN_KEY,))))
        yield Shops(*workers, touched)
    assert touched[True] >= touched.total() / 2, touched


def message(record: Record, world: str) -> dict[str, Any]:
    """What a client sends for a record; its ids begin with the name of the world."""
    named = {"anonymousId": record.visitor_id, "userId": record.user_id, "messageId": record.message_id}
    told: dict[str, Any] = {name: f"{world}:{value}" for name, value in named.items() if value}
    told |= {"type": record.type, "timestamp": (record.time - START + BEGAN) // 1_000}
    if record.type == "alias":
        told["previousId"] = told.pop("anonymousId")
    if record.authority is Authority.PROVEN and record.user_id:
        told["context"] = {"user_token": user_token(told["userId"])}
    if record.type == "track":
        lines = [{"product_id": PRODUCTS[each], "price": 5.0} for each in record.product_ids or ()]
        properties = {"order_id": f"{world}:{record.order_id}", "products": lines, "revenue": record.value}
        told |= {"event": record.event, "properties": {**(record.properties or {}), **properties}}
    return told


BEGAN: Final = now_us() - 30 * 24 * HOUR


def send(worker: OneWorker, sent: Sequence[Record], world: str) -> None:
    """In this order, each with the key of who sends it."""
    for secret, group in groupby(sent, key=lambda record: record.authority is Authority.BACKEND):
        batch = [message(record, world) for record in group]
        with worker.client(*[SECRET] * secret) as client:
            client.post("/v1/batch", json={"batch": batch}).raise_for_status()


def stored(worker: OneWorker, world: str, adversary: Authority) -> list[dict[str, Any]]:
    """What is kept of the events that are believed more than the adversary, in the order of the log; each service has
    numbers of its own for networks."""
    kept = [row for row in records(worker) if row["message_id"].startswith(f"{world}:")]
    return [
        {name: row[name] for name in row if name != "network"}
        for row in kept
        if row.get("authority", Authority.PAGE) > adversary
    ]


def asked(worker: OneWorker, world: str, others: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """For every visitor of the honest log to its page, and with each of the others who are users to the backend."""
    items = {"items": ["wine-7"], "strategy": "bought_together"}
    again = {"strategy": "buy_again"}
    questions = [("/v1/recommendations", items), ("/v1/recommendations", again), ("/v1/recommendations", {}),
                 ("/v1/personalize", {"recommendations": [{"slot": "front"}], "expose": False})]  # fmt: skip
    with worker.client() as page, worker.client(SECRET) as backend:
        for visitor in VISITORS:
            for client, users in ((page, (None,)), (backend, others)):
                for user in users:
                    named = {"visitor_id": f"{world}:{visitor}"} | ({"user_id": f"{world}:{user}"} if user else {})
                    for path, body in questions:
                        yield visitor, user, path, told(client, path, named | body)


def told(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """An answer that rests on the history, however busy the machine is, without what is drawn anew."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items() if name not in DRAWN}
        return [plain(each) for each in value] if isinstance(value, list) else value

    def whole() -> bool:
        answers.append(client.post(path, json=body).raise_for_status())
        return "unavailable" not in answers[-1].text

    answers: list[httpx.Response] = []
    until(whole, "the history was read")
    return plain(answers[-1].json())


def interleaved(draw: Any, log: Logs) -> list[Record]:
    """The rows of both, each in its order."""
    ours, theirs = [row.record for row in log.honest], [row.record for row in log.added]
    places = sorted(draw(st.lists(st.integers(0, len(ours)), min_size=len(theirs), max_size=len(theirs))))
    for moved, (place, record) in enumerate(zip(places, theirs, strict=True)):
        ours.insert(place + moved, record)
    return ours


@settings(max_examples=examples(8))
@pytest.mark.parametrize("adversary", [Authority.PAGE, Authority.PROVEN], ids=lambda adversary: adversary.word)
@given(data=st.data())
def test_what_is_believed_more_is_stored_and_answered_as_without_the_adversary(
    shops: Shops, data: st.DataObject, adversary: Authority
) -> None:
    log, world = data.draw(logs(adversary)), f"w{next(fresh)}"
    shops.touched[log.touching > 0] += 1
    send(shops.alone, [row.record for row in log.honest if row.record.type != "exposure"], world)
    send(shops.together, [each for each in interleaved(data.draw, log) if each.type != "exposure"], world)
    assert stored(shops.together, world, adversary) == stored(shops.alone, world, adversary)
    proven = {
        row.record.user_id for row in log.added if row.record.authority is Authority.PROVEN
    }  # the adversary's own
    others = [user for user in USERS if user not in proven]
    assert list(asked(shops.together, world, others)) == list(asked(shops.alone, world, others))
