"""A page is answered for a user whom it proves, by a token or a log-in that the backend told of; for no other."""

import json
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.commands import store_commands
from servers.one_worker import SECRET, OneWorker, records
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, running
from servers.tokens import TOKEN_KEY, TOKEN_SECRET, user_token
from worlds.shop_worlds import publish_trained, taste_world

from events.authority import Authority

SINGLE, BULK = "/ofrep/v1/evaluate/flags/banner", "/ofrep/v1/evaluate/flags"
PAGE, PROVEN, BACKEND = Authority.PAGE, Authority.PROVEN, Authority.BACKEND
STRANGER, KNOWN = ("unproven", "no_token"), ("proven", None)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    root = tmp_path_factory.mktemp("proving")
    publish_trained(root / "data" / "models", taste_world())
    with pytest.MonkeyPatch.context() as patched:
        for pause in ("ROOM_SECONDS", "NETWORKS_SECONDS"):
            patched.setattr(f"app.worker.resources.{pause}", 1e9)  # the store's commands are counted
        with OneWorker(root, user_token_keys=(TOKEN_KEY,)) as worker, patience(worker):
            yield worker


@contextmanager
def patience(worker: OneWorker) -> Generator[None]:
    """A busy machine is no store that is away."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("events.ingest.log_ins.TIMEOUT_SECONDS", 20.0)
        patched.setattr(worker.app.cold.state.resources.users.log_ins._reads, "_wait_seconds", 20.0)
        yield


@pytest.fixture
def page(shop: OneWorker) -> Iterator[httpx.Client]:
    with shop.client() as client:
        yield client


@pytest.fixture
def backend(shop: OneWorker) -> Iterator[httpx.Client]:
    with shop.client(SECRET) as client:
        yield client


def ofrep(visitor: str, user: str | None, token: Any) -> dict[str, Any]:
    told = {"targetingKey": visitor, "user_id": user, "resonate.user_token": token}
    return {"context": {name: value for name, value in told.items() if value is not None}}


def asking(visitor: str, user: str | None, token: Any = None) -> list[tuple[str, dict[str, Any]]]:
    """Every route that answers for a visitor, and a body that names this user with this token."""
    named = {"visitor_id": visitor, "user_id": user, "user_token": token}
    shown = {"experiments": ["banner", "members"], "recommendations": [{"slot": "front"}]}
    return [
        (SINGLE, ofrep(visitor, user, token)),
        (BULK, ofrep(visitor, user, token)),
        ("/v1/personalize", named | shown),
        ("/v1/personalize", named),
        ("/v1/recommendations", named),
        ("/v1/recommendations", named | {"strategy": "buy_again", "exclude_purchased": True}),
    ]


def standing(answer: httpx.Response) -> tuple[str, str | None]:
    """What an answer says of its user."""
    body = answer.raise_for_status().json()
    told = body.get("metadata", body)
    return told["user"], told.get("user_because")


def standings(client: httpx.Client, visitor: str, user: str | None, token: Any = None, **headers: str) -> set[Any]:
    sent = [client.post(path, json=body, headers=headers) for path, body in asking(visitor, user, token)]
    return {standing(answer) for answer in sent}


def told_by_event(client: httpx.Client, worker: OneWorker, visitor: str, **event: Any) -> Any:
    """The authority with which an event is stored."""
    client.post("/v1/track", json={"anonymousId": visitor, "event": "E", **event}).raise_for_status()
    return records(worker, visitor_id=visitor, event="E")[-1].get("authority", PAGE)


def test_every_answer_says_how_far_its_user_is_believed_and_why_not(page: httpx.Client) -> None:
    expired = user_token("u-1", iat=int(time.time()) - 7_200, exp=int(time.time()) - 3_600)
    assert standings(page, "v-1", None) == {("absent", None)}
    assert standings(page, "v-1", None, user_token("u-1")) == {("absent", None)}
    assert standings(page, "v-1", "u-1") == {STRANGER}
    assert standings(page, "v-1", "u-1", user_token("u-1")) == {KNOWN}
    assert standings(page, "v-1", "u-1", user_token("u-1", vid="v-1")) == {KNOWN}
    assert standings(page, "v-1", "u-1", user_token("u-1", vid="v-2")) == {("unproven", "not_this_visitor")}
    assert standings(page, "v-1", "u-2", user_token("u-1")) == {("unproven", "not_this_user")}
    assert standings(page, "v-1", "u-1", expired) == {("unproven", "expired")}
    assert standings(page, "v-1", "u-1", user_token("u-1", kid="k9")) == {("unproven", "unknown_key")}
    assert standings(page, "v-1", "u-1", user_token("u-1", secret=bytes(32))) == {("unproven", "bad_signature")}
    for wrong in ("x", 7, [], {}, True, "ü", "." * 5_000):
        assert standings(page, "v-1", "u-1", wrong) == {("unproven", "malformed")}


def test_a_secret_key_proves_whom_it_names(backend: httpx.Client) -> None:
    assert standings(backend, "v-1", "u-1") == {KNOWN}
    assert standings(backend, "v-1", "u-1", "nonsense") == {KNOWN}


def test_the_header_does_on_every_route_what_the_body_does(page: httpx.Client, shop: OneWorker) -> None:
    headers = {"x-resonate-user": user_token("u-1")}
    assert standings(page, "v-1", "u-1", **headers) == {KNOWN}
    beat = {"anonymousId": "v-h", "userId": "u-1", "pageViewId": "pv-h", "seq": 1, "engagedMs": 5}
    event = {"event_name": "E", "user_id": "u-1", "device_id": "v-h"}
    page.post("/v1/engagement", json=beat, headers=headers).raise_for_status()
    page.post("/track", json=[event], headers=headers).raise_for_status()
    page.post("/v1/batch", json={"batch": [{"type": "page", "anonymousId": "v-h", "userId": "u-1"}]}, headers=headers)
    assert [each["authority"] for each in records(shop, visitor_id="v-h")] == [PROVEN] * 3
    told = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    allowed = page.options("/v1/recommendations", headers=told).headers["access-control-allow-headers"]
    assert "x-resonate-user" in allowed


def test_each_event_of_a_batch_is_proven_by_a_token_that_names_its_very_user(
    page: httpx.Client, shop: OneWorker
) -> None:
    own = user_token("u-2", vid="v-b2")
    events = [
        {"anonymousId": "v-b1", "userId": "u-1"},
        {"anonymousId": "v-b1", "userId": "u-2"},
        {"anonymousId": "v-b1"},
        {"anonymousId": "v-b2", "userId": "u-2", "context": {"user_token": own}},
        {"anonymousId": "v-b3", "userId": "u-2", "context": {"user_token": own}},
        {"anonymousId": "v-b4", "userId": "u-1", "context": {"locale": "sk"}},
    ]
    body = {"batch": [{"type": "track", "event": "B", **each} for each in events]}
    page.post("/v1/batch", json={**body, "context": {"user_token": user_token("u-1")}}).raise_for_status()
    found = [
        (each["visitor_id"], each.get("user_id"), each.get("authority", PAGE)) for each in records(shop, event="B")
    ]
    believed = [PROVEN, PAGE, PAGE, PROVEN, PAGE, PROVEN]
    expected = [(sent["anonymousId"], sent.get("userId"), how) for sent, how in zip(events, believed, strict=True)]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_an_exposure_has_the_authority_of_its_user(page: httpx.Client, shop: OneWorker) -> None:
    for user, token in (("u-1", user_token("u-1")), ("u-2", user_token("u-1"))):
        for path, body in asking(f"v-x-{user}", user, token)[:3]:
            page.post(path, json=body).raise_for_status()
    assert {each["authority"] for each in records(shop, visitor_id="v-x-u-1")} == {PROVEN}
    assert {each.get("authority", PAGE) for each in records(shop, visitor_id="v-x-u-2")} == {PAGE}


def test_a_log_in_that_the_backend_tells_of_proves_the_pair_until_it_says_otherwise(
    page: httpx.Client, backend: httpx.Client, shop: OneWorker
) -> None:
    proof = "/v1/visitors/v-in/proof"
    assert standings(page, "v-in", "u-1") == {STRANGER}
    assert backend.post(proof, json={"user_id": "u-1", "hours": 1}).json() == {"success": True}
    assert standings(page, "v-in", "u-1") == {KNOWN}
    assert standings(page, "v-in", "u-1", "a bad token") == {KNOWN}
    assert standings(page, "v-in", "u-2") | standings(page, "v-out", "u-1") == {STRANGER}
    assert told_by_event(page, shop, "v-in", userId="u-1") == PROVEN
    assert told_by_event(page, shop, "v-in", userId="u-2") == PAGE
    backend.post(proof, json={"user_id": "u-2"}).raise_for_status()  # somebody else at the same computer
    assert standings(page, "v-in", "u-1") == {STRANGER}
    assert standings(page, "v-in", "u-2") == {KNOWN}
    backend.delete(proof).raise_for_status()
    assert standings(page, "v-in", "u-2") == {STRANGER}
    assert standings(page, "v-in", "u-2", user_token("u-2")) == {KNOWN}


def test_a_log_in_ends_with_its_hours(page: httpx.Client, backend: httpx.Client) -> None:
    backend.post("/v1/visitors/v-short/proof", json={"user_id": "u-1", "hours": 0.0005}).raise_for_status()
    until(lambda: standings(page, "v-short", "u-1") == {STRANGER}, "the log-in has ended")


def test_an_identify_of_a_backend_is_a_log_in_and_one_of_a_page_is_none(
    page: httpx.Client, backend: httpx.Client
) -> None:
    hours = 3_600_000
    both = {"anonymousId": "v-id", "userId": "u-1"}
    page.post("/v1/identify", json=both).raise_for_status()
    backend.post("/v1/identify", json={**both, "timestamp": time.time() * 1_000 - 25 * hours}).raise_for_status()
    assert standings(page, "v-id", "u-1") == {STRANGER}
    backend.post("/v1/identify", json={**both, "timestamp": time.time() * 1_000 - hours}).raise_for_status()
    assert standings(page, "v-id", "u-1") == {KNOWN}
    backend.delete("/v1/visitors/v-id/proof").raise_for_status()
    backend.post("/v1/identify", json={**both, "timestamp": time.time() * 1_000 - hours / 2}).raise_for_status()
    assert standings(page, "v-id", "u-1") == {STRANGER}  # it comes late: the log-out was after it


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "unreadable_body"),
        ({"user_id": "u", "hours": 0}, "invalid_hours"),
        ({"user_id": "u", "hours": 721}, "invalid_hours"),
        ({"user_id": ""}, "invalid_id"),
        ({"user_id": 7}, "unreadable_body"),
        ({"user_id": "u", "token": "t"}, "unreadable_body"),
    ],
)
def test_a_log_in_that_cannot_be_is_explained(backend: httpx.Client, body: Any, code: str) -> None:
    answer = backend.post("/v1/visitors/v-1/proof", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_all_workers_know_of_a_log_in_and_nobody_asks_the_store_before_there_is_one(tmp_path: Path) -> None:
    with running(tmp_path, {}, RESONATE_WORKERS="2") as service:
        headers = {"authorization": f"Bearer {PUBLISHABLE_KEY}"}
        secret = {"authorization": f"Bearer {SECRET_KEY}"}
        body = {"visitor_id": "v-1", "user_id": "u-1"}

        def known() -> set[Any]:
            """By many workers' connections."""
            asked = [httpx.post(f"{service.url}/v1/personalize", json=body, headers=headers) for _ in range(12)]
            return {standing(answer) for answer in asked}

        assert known() == {STRANGER}
        assert not (service.data / "log-ins").exists()
        httpx.post(f"{service.url}/v1/visitors/v-1/proof", json={"user_id": "u-1"}, headers=secret).raise_for_status()
        until(lambda: known() == {KNOWN}, "both workers know of it")


def test_without_the_store_a_log_in_proves_nothing_and_nothing_fails(tmp_path: Path) -> None:
    with OneWorker(tmp_path, user_token_keys=(TOKEN_KEY,)) as worker, worker.client() as client:
        with worker.client(SECRET) as backend:
            backend.post("/v1/visitors/v-1/proof", json={"user_id": "u-1"}).raise_for_status()
            assert standings(client, "v-1", "u-1") == {KNOWN}
            worker.store.stop()
            assert standings(client, "v-1", "u-1") == {STRANGER}
            assert standings(client, "v-1", "u-1", user_token("u-1")) == {KNOWN}
            assert backend.post("/v1/visitors/v-1/proof", json={"user_id": "u-1"}).status_code == 503
        worker.store.start()


def test_what_named_users_were_is_counted(page: httpx.Client) -> None:
    def counts() -> dict[str, float]:
        lines = [line.rpartition(" ") for line in page.get("/metrics").text.splitlines()]
        return {name: float(count) for name, _, count in lines if name.startswith("resonate_named_users_total{")}

    before = counts()
    standings(page, "v-1", "u-1", user_token("u-2"))
    event = {"anonymousId": "v-1", "userId": "u-1", "event": "E", "context": {"user_token": user_token("u-1")}}
    page.post("/v1/track", json=event).raise_for_status()
    grown = {name: count - before[name] for name, count in counts().items() if count != before[name]}
    request = 'resonate_named_users_total{by="request",outcome="not_this_user"}'
    assert grown == {request: 6, 'resonate_named_users_total{by="event",outcome="proven"}': 1}


CANARY = "canary-of-tokens"


def tokens_of_every_kind(user: str) -> list[str]:
    """Texts that bear the canary in the clear: as a token that proves, one that does not, and no token at all."""
    return [f"{CANARY}.{CANARY}.{CANARY}", CANARY, user_token(user, kid="k9"), user_token(user)]


def test_no_token_reaches_the_log_an_answer_or_a_line_of_the_service(tmp_path: Path) -> None:
    files = {"banner.yaml": "key: banner\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"}
    sent: list[str] = []
    with running(tmp_path, files, RESONATE_USER_TOKEN_KEYS=TOKEN_KEY) as service:
        for key in (PUBLISHABLE_KEY, SECRET_KEY):
            with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
                for token in tokens_of_every_kind("u-1"):
                    sent += [token, token.rpartition(".")[2]]
                    for path, body in sending("u-1", token):
                        answer = client.post(path, json=body)
                        assert answer.status_code < 500
                        assert not any(each in answer.text for each in sent), path
        with service.client() as exporting:
            written = exporting.get("/v1/export/events")
        assert "u-1" in written.raise_for_status().text
        assert not any(each in written.text for each in sent)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"u-1" in everything
    assert [each for each in sent if each.encode() in everything] == []
    assert TOKEN_KEY.rpartition(":")[2] not in service.log_text()


def sending(user: str, token: Any) -> Iterator[tuple[str, Any]]:
    """Every place that a token may stand in, and some where it does not belong."""
    ids = {"anonymousId": "v-c", "userId": user}
    told = {"context": {"user_token": token}}
    yield from asking("v-c", user, token)
    yield "/v1/personalize", {"visitor_id": "v-c", "user_id": user, "experiments": ["banner"],
                              "attributes": {"resonate.user_token": token}}  # fmt: skip
    yield SINGLE, {"context": {"targetingKey": "v-c", "resonate.user_token": {"deep": token}}}
    yield "/v1/track", {**ids, "event": "E", **told}
    yield "/v1/track", {**ids, "event": "E", "user_token": token}
    yield "/v1/track", {**ids, "event": "E", "context": [token]}
    yield "/v1/identify", {**ids, "traits": {"plan": "gold"}, **told}
    yield "/v1/alias", {"previousId": "v-c", "userId": user, **told}
    yield "/v1/page", {**ids, **told}
    yield "/v1/batch", {"batch": [{"type": "track", "event": "E", **ids}], **told}
    yield "/v1/batch", {"batch": [{"type": "track", "event": "E", **ids, **told}, {"type": "page", **ids}]}
    beat = {**ids, "pageViewId": f"pv-{hash(token)}", "seq": 1, "engagedMs": 5}
    yield "/v1/engagement", {**beat, "user_token": token}
    yield "/v1/engagement", {**beat, "seq": 2, **told}
    viewed = {"event_name": "Experiment Viewed", "device_id": "v-c", "user_id": user,
              "properties_json": {"experimentId": "banner", "variationId": 0, "hashValue": "v-c"},
              "context_json": json.dumps({"id": "v-c", "resonate.user_token": token})}  # fmt: skip
    yield "/track", [viewed]


ASKED = {"HGETALL", "HGET", "HMGET", "GET", "EXISTS", "HKEYS", "HLEN", "FCALL", "HSET", "HSETNX", "XADD"}


def public_answers(worker: OneWorker, visitor: str, user: str, token: Any = None) -> tuple[list[str], list[str]]:
    """The answers of every publishable route that names a user, without what each draws anew, and the store's work."""
    texts: list[str] = []
    with worker.client() as client, store_commands(worker) as commands:
        for path, body in asking(visitor, user, token):
            body = body if path != SINGLE else {"context": body["context"] | {"resonate.expose": False}}
            if path == "/v1/personalize":
                body = body | {"expose": False}
            texts.append(client.post(path, json=body).text)
    unique = [without_ids(json.loads(text)) for text in texts]
    kinds = Counter(command.partition(" ")[0] for command in commands)
    return [json.dumps(each) for each in unique], sorted(
        f"{kind} {number}" for kind, number in kinds.items() if kind in ASKED
    )


def without_ids(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: without_ids(value) for name, value in told.items() if name != "recommendation_id"}
    return [without_ids(each) for each in told] if isinstance(told, list) else told


@pytest.fixture(scope="module")
def histories(shop: OneWorker) -> None:
    """`c-3` is in the model; `u-rich` has bought lately, by the word of the backend; of `u-none` nobody ever heard."""
    lines = [{"product_id": product, "price": 5.0} for product in ("wine-7", "wine-3", "cheese-4")]
    properties = {"order_id": "o-rich", "revenue": 15.0, "currency": "EUR", "products": lines}
    order = {"anonymousId": "v-elsewhere", "userId": "u-rich", "event": "Order Completed", "properties": properties}
    with shop.client(SECRET) as client:
        client.post("/v1/track", json=order).raise_for_status()


@pytest.mark.usefixtures("histories")
@pytest.mark.parametrize("log_ins", [False, True], ids=["no log-ins", "log-ins"])
def test_what_a_named_user_ever_did_changes_no_byte_and_no_work_of_a_pages_answer(
    shop: OneWorker, log_ins: bool
) -> None:
    if log_ins:
        with shop.client(SECRET) as backend:
            backend.post("/v1/visitors/v-other/proof", json={"user_id": "u-rich"}).raise_for_status()
    for token in (None, "nonsense", user_token("somebody-else")):
        for user in ("c-3", "u-rich"):
            stranger = next(each for each in map("u-none-{}".format, range(50)) if same_draw(shop, each, user))
            public_answers(shop, "v-law", stranger, token)  # the first request of a visitor makes the lists
            told, work = public_answers(shop, "v-law", stranger, token)
            assert work
            assert public_answers(shop, "v-law", user, token) == (told, work)


def same_draw(worker: OneWorker, *users: str) -> bool:
    """Whether a test by `unit: user` gives them one variant: that is a function of the request alone."""
    with worker.client() as client:
        bodies = [{"context": {"targetingKey": "v-draw", "user_id": user, "resonate.expose": False}} for user in users]
        answers = [client.post("/ofrep/v1/evaluate/flags/members", json=body).json()["variant"] for body in bodies]
    return len(set(answers)) == 1


@pytest.mark.usefixtures("histories")
@pytest.mark.parametrize("user", ["c-3", "u-rich"])
def test_and_a_proof_changes_it(shop: OneWorker, user: str) -> None:
    stranger, _ = public_answers(shop, "v-law", "u-none", user_token("u-none"))
    assert public_answers(shop, "v-law", user, user_token(user))[0] != stranger


def test_a_token_of_a_secret_that_only_looks_like_ours_is_worth_nothing(page: httpx.Client) -> None:
    assert standings(page, "v-1", "u-1", user_token("u-1", secret=TOKEN_SECRET[:-1] + b"?")) == {
        ("unproven", "bad_signature")
    }
