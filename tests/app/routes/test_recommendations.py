"""Recommendations over HTTP, with the real store behind a real worker."""

import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from servers.commands import store_commands
from servers.one_worker import DEFINITIONS, SECRET, OneWorker
from servers.patience import until
from servers.tokens import TOKEN_KEY, user_token
from worlds.shop_worlds import products_of_taste, publish_trained, taste_world, write_trained

from recommender.model.artefact import publish_version
from recommender.publishing.publish import REPORT, Report, keep

BOUGHT = ("wine-7", "wine-3", "wine-5", "cheese-4", "cheese-6")
FILES = {
    **DEFINITIONS,
    "recommendations.yaml": """
front: {strategy: for_you, limit: 4, rules: {exclude: [wine-0], category: {$nin: [Honey]}}}
""",
    "front-products.yaml": """
key: front-products
status: running
variants:
  - {key: control, recommend: {slot: front, strategy: popular, limit: 3}}
  - {key: picked, recommend: {slot: front, strategy: bought_together}}
goal: recommendation_click_rate
""",
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    root = tmp_path_factory.mktemp("recommending")
    publish_trained(root / "data" / "models", taste_world())
    with OneWorker(root, FILES, user_token_keys=(TOKEN_KEY,)) as running:
        yield running


@pytest.fixture
def client(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client() as found:
        yield found


@pytest.fixture
def secret(worker: OneWorker) -> Iterator[httpx.Client]:
    with worker.client(SECRET) as found:
        yield found


def asked(client: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def history_reads(worker: OneWorker) -> Generator[list[str]]:
    """Whose histories the store is asked for, in the order of the asking; the list fills when the block ends."""
    reads: list[str] = []
    with store_commands(worker) as commands:
        yield reads
    reads += [command.removeprefix("HGETALL ") for command in commands if command.startswith("HGETALL {h:")]


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product_id"] for item in answer["items"]]


def order(visitor: str, *products: str, number: int = 1) -> dict[str, Any]:
    lines = [{"product_id": product, "price": 5.0, "quantity": 1} for product in products]
    properties = {"order_id": f"{visitor}-{number}", "revenue": 5.0, "currency": "EUR", "products": lines}
    return {"anonymousId": visitor, "event": "Order Completed", "properties": properties}


@pytest.mark.parametrize("consent", ["none", "measure"])
@pytest.mark.parametrize("strategy", ["for_you", "buy_again", "bought_together"])
def test_who_allows_a_count_is_answered_by_nobodys_past(
    worker: OneWorker, client: httpx.Client, consent: str, strategy: str
) -> None:
    client.post("/v1/track", json=order("v-counted", *BOUGHT, number=7)).raise_for_status()
    asking: dict[str, Any] = {"strategy": strategy, "limit": 5, "items": ["wine-1"]}
    known = asked(client, visitor_id="v-counted", **asking)
    with history_reads(worker) as reads:
        for who in ("v-counted", "c-3", "v-new"):
            counted = asked(client, visitor_id=who, user_id="c-4", consent=consent, **asking)
            assert counted["user"] == "absent"
            assert ids(counted) == ids(asked(client, visitor_id="v-nobody", **asking)) != ids(known)
            page = {"visitor_id": who, "consent": consent, "recommendations": [{"slot": "a", "items": ["wine-1"]}]}
            listed = client.post("/v1/personalize", json=page).json()["recommendations"]["a"]
            assert "history" not in listed
    assert reads == ["{h:v:v-nobody}"] * 3  # for comparison
    assert "fallback" not in known
    assert ("fallback" in counted) == (strategy != "bought_together")


def test_a_history_that_was_evicted_is_known_from_the_log_as_far_as_the_model_has_learnt_it(
    secret: httpx.Client, worker: OneWorker
) -> None:
    """The model's customers were never in this store, as after it was lost; what it had held of them adds nothing."""
    lost = [asked(secret, user_id=f"c-{number}", strategy="buy_again") for number in range(5)]
    assert all("fallback" not in answer and len(answer["items"]) > 2 for answer in lost)
    with redis.Redis(unix_socket_path=str(worker.store.socket)) as store:
        for number, answer in enumerate(lost):
            store.hset(f"{{h:u:c-{number}}}", mapping={f"o\x1f{product}": "1000000 1 - 2" for product in ids(answer)})
    held = [asked(secret, user_id=f"c-{number}", strategy="buy_again") for number in range(5)]
    assert [ids(answer) for answer in held] == [ids(answer) for answer in lost]


def test_a_purchase_counts_in_the_next_request(client: httpx.Client) -> None:
    before = asked(client, visitor_id="v-live", strategy="buy_again")
    assert before["fallback"] == "popular"
    assert client.post("/v1/track", json=order("v-live", *BOUGHT)).status_code == 200
    after = asked(client, visitor_id="v-live", strategy="buy_again", limit=5)
    assert set(ids(after)) == set(BOUGHT)
    assert "fallback" not in after
    assert after["items"][0]["reason"]["type"] == "buy_again"
    picked = asked(client, visitor_id="v-live", strategy="for_you", limit=5)
    assert not set(ids(picked)) & set(BOUGHT)
    assert sum(products_of_taste()[name] in ("Wine", "Cheese") for name in ids(picked)) >= 2
    assert {name for item in picked["items"] for name in item["reason"]["because"]} & set(BOUGHT)


def test_the_purchases_of_before_log_in_are_the_users_who_prove_it(client: httpx.Client) -> None:
    token = user_token("u-9")
    client.post("/v1/track", json=order("v-guest", "tea-5"))
    log_in = {"anonymousId": "v-guest", "userId": "u-9", "context": {"user_token": token}}
    client.post("/v1/identify", json=log_in)
    proven = asked(client, user_id="u-9", user_token=token, strategy="buy_again", limit=1)
    claimed = asked(client, user_id="u-9", strategy="buy_again", limit=1)
    assert (ids(proven), proven["user"]) == (["tea-5"], "proven")
    assert (claimed["fallback"], claimed["user"], claimed["user_because"]) == ("popular", "unproven", "no_token")


def test_a_refund_leaves_the_history(client: httpx.Client) -> None:
    client.post("/v1/track", json=order("v-back", "tea-2"))
    refund = {"anonymousId": "v-back", "event": "Order Refunded", "properties": {"order_id": "v-back-1"}}
    assert client.post("/v1/track", json=refund).status_code == 200
    assert asked(client, visitor_id="v-back", strategy="buy_again")["fallback"] == "popular"


def test_an_answer_tells_strategy_model_position_and_reason(client: httpx.Client) -> None:
    answer = asked(client, user_id="c-3", user_token=user_token("c-3"), strategy="for_you", limit=2)
    strategy, fallback, model, _ = answer["recommendation_id"].split(".")
    assert (strategy, fallback, model) == ("for_you", "-", answer["model_version"])
    assert [item["position"] for item in answer["items"]] == [1, 2]
    assert all(item["reason"]["type"] and isinstance(item["reason"]["because"], list) for item in answer["items"])


def test_a_slot_gives_its_strategy_its_limit_and_its_rules(client: httpx.Client) -> None:
    answer = asked(client, visitor_id="c-3", slot="front")
    assert (answer["strategy"], len(answer["items"])) == ("for_you", 4)
    found = ids(asked(client, visitor_id="c-3", slot="front", limit=100))
    assert "wine-0" not in found
    assert not any(name.startswith("honey") for name in found)


def test_a_strategy_under_test_decides_the_slot(client: httpx.Client) -> None:
    seen = set()
    for number in range(30):
        body = {"visitor_id": f"v-{number}", "experiments": ["front-products"], "recommendations": [{"slot": "front"}]}
        answer = client.post("/v1/personalize", json=body).json()
        variant, shown = answer["experiments"]["front-products"]["variant"], answer["recommendations"]["front"]
        assert shown["strategy"] == {"control": "popular", "picked": "bought_together"}[variant]
        assert len(shown["items"]) == {"control": 3, "picked": 4}[variant]
        seen.add(variant)
    assert seen == {"control", "picked"}


def test_a_page_of_twenty_slots_reads_what_the_visitor_bought_once(worker: OneWorker, client: httpx.Client) -> None:
    slots = [{"slot": f"slot-{number}", "limit": 2} for number in range(19)]
    body = {"visitor_id": "c-3", "recommendations": [*slots, {"slot": "front"}]}
    with history_reads(worker) as reads:
        lists = client.post("/v1/personalize", json=body).json()["recommendations"]
    assert reads == ["{h:v:c-3}"]
    assert [len(found["items"]) for found in lists.values()] == [2] * 19 + [4]


def test_one_list_reads_what_the_visitor_bought_once(worker: OneWorker, client: httpx.Client) -> None:
    with history_reads(worker) as reads:
        asked(client, visitor_id="c-3", slot="front")
    assert reads == ["{h:v:c-3}"]


def test_an_answer_to_everybody_knows_its_tag_however_it_is_written(client: httpx.Client) -> None:
    tag = client.get("/v1/recommendations/honey-0").headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/v1/recommendations/honey-0", headers={"if-none-match": given})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/v1/recommendations/honey-0", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"visitor_id": "nobody"},
        {"visitor_id": None, "items": None, "filter": None, "limit": None},
        {"slot": "no-such-slot", "visitor_id": "v"},
        {"items": ["unknown", "☃", "../../etc/passwd", "'; DROP TABLE", "a" * 5000, ""]},
        {"items": ["coffee-0"] * 200},
        {"strategy": "bought_together", "items": ["unknown"]},
        {"strategy": "buy_again", "visitor_id": "nobody", "exclude": ["unknown"] * 1000},
        {"user_id": 1234567890123456789},
        {"visitor_id": "", "items": [7, None, {}]},
        {"filter": {}},
        {"filter": {"price": {"$ne": 3}}},
        {"diversity": 1, "limit": 100},
        {"unknown_field": 1},
    ],
)  # fmt: skip
def test_whatever_is_asked_a_list_comes_back(client: httpx.Client, body: dict[str, Any]) -> None:
    assert asked(client, **body)["items"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"items": ["a"] * 201}, "too_many_items"),
        ({"exclude": ["a"] * 1001}, "too_many_exclude"),
        ({"limit": 0}, "invalid_limit"),
        ({"limit": 101}, "invalid_limit"),
        ({"limit": "ten"}, "unreadable_body"),
        ({"diversity": 1.5}, "invalid_diversity"),
        ({"strategy": "best"}, "unreadable_body"),
        ({"visitor_id": 1.5}, "invalid_id"),
        ({"user_id": 2**63}, "invalid_id"),
        ({"visitor_id": "null"}, "invalid_id"),
        ({"items": "coffee-0"}, "unreadable_body"),
        ({"filter": {"colour": "red"}}, "invalid_filter"),
        ({"filter": {"price": {"$gt": "x"}}}, "invalid_filter"),
        ({"filter": {"category": {"$regex": "(a+)+$"}}}, "invalid_filter"),
        ({"slot": "s" * 101}, "invalid_slot"),
        ([], "unreadable_body"),
    ],
)
def test_what_cannot_be_asked_is_explained(client: httpx.Client, body: Any, code: str) -> None:
    answer = client.post("/v1/recommendations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_product_page_may_be_cached(client: httpx.Client) -> None:
    first = client.get("/v1/recommendations/honey-0", params={"limit": 3})
    assert first.json()["items"][0]["product_id"] == "coffee-0"
    assert "public" in first.headers["cache-control"]
    again = client.get("/v1/recommendations/honey-0?limit=3", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/recommendations/nothing-here").json()["fallback"] == "popular"
    assert client.get("/v1/recommendations/honey-0?limit=0").status_code == 400
    assert client.get("/v1/recommendations/honey-0", headers={"authorization": "Bearer no"}).status_code == 401


def test_the_report_names_the_model_and_counts_what_was_served(client: httpx.Client, secret: httpx.Client) -> None:
    before = secret.get("/v1/recommender").json()["strategies"]["popular"]["requests"]
    asked(client, strategy="popular")
    report = secret.get("/v1/recommender").json()
    assert report["strategies"]["popular"]["requests"] == before + 1
    assert report["model"]["validation"]["novel"]["ndcg_10"] > 0
    assert report["model_version"] == report["model"]["version"]
    assert client.get("/v1/recommender").status_code == 403


def test_a_product_that_was_refused_is_named_to_who_may_know(
    worker: OneWorker, client: httpx.Client, secret: httpx.Client
) -> None:
    growth = 'popular: product "x" would stand in 31 % of lists (0 % before): 4 customers by backend, 210 by page'
    models = worker.settings.data / "models"
    before = (models / REPORT).read_bytes() if (models / REPORT).exists() else None
    keep(models, Report("published", "v", (growth,), {"concentrated": [growth]}, 1.0))
    try:
        assert f"model_refused: {growth}" in secret.get("/readyz").json()["degraded"]
        assert "model_refused" in client.get("/readyz").json()["degraded"]
        assert secret.get("/v1/recommender").json()["last_training"]["concentrated"] == [growth]
    finally:
        (models / REPORT).unlink() if before is None else (models / REPORT).write_bytes(before)


def test_models_swap_without_a_failed_request(worker: OneWorker, client: httpx.Client) -> None:
    folder = worker.settings.data / "models"
    failures: list[str] = []
    versions: set[str] = set()
    ended = threading.Event()

    def ask() -> None:
        with worker.client() as asking:
            while not ended.is_set():
                answer = asking.post("/v1/recommendations", json={"visitor_id": "c-3"})
                if answer.status_code != 200 or not answer.json()["items"]:
                    failures.append(answer.text)
                versions.add(answer.json()["model_version"])

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    published = [publish_trained(folder, taste_world())]
    until(lambda: published[-1] in versions, "the new model serves")
    published.append(publish_trained(folder, taste_world()))
    until(lambda: published[-1] in versions, "the new model serves")
    ended.set()
    for asker in askers:
        asker.join()
    assert failures == []


def test_a_damaged_model_is_refused_by_name_and_the_former_one_serves(
    worker: OneWorker, client: httpx.Client, secret: httpx.Client
) -> None:
    folder = worker.settings.data / "models"
    live = asked(client)["model_version"]
    damaged = write_trained(folder, taste_world())
    path = folder / damaged / "popularity.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    publish_version(folder, damaged)
    until(lambda: f"{damaged}/popularity.npy" in secret.get("/v1/recommender").json()["damaged"], "it is named")
    assert asked(client)["model_version"] == live
    healed = publish_trained(folder, taste_world())
    until(lambda: asked(client)["model_version"] == healed, "the healed model serves")
    assert secret.get("/v1/recommender").json()["damaged"] == {}


def test_while_the_store_is_away_lists_come_without_history(tmp_path: Path) -> None:
    publish_trained(tmp_path / "data" / "models", taste_world())
    with OneWorker(tmp_path) as running, running.client() as client:
        running.store.stop()
        answer = asked(client, visitor_id="v-new", strategy="for_you")
        assert (answer["history"], answer["fallback"]) == ("unavailable", "popular")
        assert asked(client, visitor_id="c-3", strategy="for_you")["items"]
        running.store.start()


def test_the_example_of_the_documentation_is_a_body_that_is_taken(client: httpx.Client) -> None:
    from app.management.openapi import EXAMPLE

    assert client.post("/v1/recommendations", content=json.dumps(EXAMPLE)).status_code == 200
