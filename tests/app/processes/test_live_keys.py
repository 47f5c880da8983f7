"""A file of keys and the audit in the whole tree of processes: live in every worker, over a restart, for every door."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.patience import HUNG_SECONDS, until
from servers.service import Service, running
from worlds.key_lists import entry, listing

from app.keys.audit import Audit, AuditLine, Wanted
from events.deletes.tombstones import exact_digest

HERO = "key: hero\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"
LOCAL = "key: local\nstatus: running\naudience: {where: {site: sk}}\nvariants: [control, b]\ngoal: purchase_rate\n"
METRICS = "orders_sk: {type: count, event: Order Completed, where: {site: sk}}\n"
SITES = "key: sites\nstatus: running\nvariants: [control, b]\ngoal: orders_sk\nplan: {dimensions: [site], days: 7}\n"


WEB, CZ = entry("web", "publishable", ", site: sk"), entry("cz", "publishable", ", site: cz")
OPS = entry("ops")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("keys")
    (root / "keys.yaml").write_text(listing(WEB, CZ, OPS))
    files = {"hero.yaml": HERO, "local.yaml": LOCAL, "metrics.yaml": METRICS, "sites.yaml": SITES}
    keys = {"RESONATE_KEYS": str(root / "keys.yaml"), "RESONATE_PUBLISHABLE_KEYS": "", "RESONATE_SECRET_KEYS": ""}
    with running(root, files, RESONATE_WORKERS="2", **keys) as service:
        yield service


def file_of(shop: Service) -> Path:
    return Path(shop.variables["RESONATE_KEYS"])


def lines(shop: Service) -> list[AuditLine]:
    return Audit(shop.data).page(None, 1_000, Wanted())[0]


def known(shop: Service, key: str) -> list[int]:
    """What workers answer to a key, on a connection each."""

    def status() -> int:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{shop.url}/v1/keys", headers=headers, timeout=HUNG_SECONDS).status_code

    return [status() for _ in range(12)]


def test_no_pair_is_made_where_a_file_lists_keys(shop: Service) -> None:
    assert not (shop.data / "keys.json").exists()
    assert "publishable key" not in shop.log_text()


def test_a_key_comes_and_goes_in_every_worker(shop: Service) -> None:
    assert set(known(shop, "secret_new")) == {401}
    file_of(shop).write_text(listing(WEB, CZ, OPS, entry("new")))
    until(lambda: set(known(shop, "secret_new")) == {200}, "every worker knows the key", tell=shop.told)
    file_of(shop).write_text(listing(WEB, CZ, OPS, "  - {name: new\n"))
    until(lambda: "keys_invalid" in causes(shop), "the mistake is said", tell=shop.told)
    assert set(known(shop, "secret_new")) == {200}
    file_of(shop).write_text(listing(WEB, CZ, OPS))
    until(lambda: set(known(shop, "secret_new")) == {401}, "no worker knows the key", tell=shop.told)
    assert "keys_invalid" not in causes(shop)
    told = [(line.act, line.actor.kind) for line in lines(shop) if line.subject == "new"]
    assert told == [("key.new", "file"), ("key.revoke", "file")]


def causes(shop: Service) -> list[str]:
    return httpx.get(f"{shop.url}/readyz", timeout=HUNG_SECONDS).json()["degraded"]


def test_a_start_with_a_bad_file_has_the_last_good_keys(shop: Service) -> None:
    file_of(shop).write_text("keys: {\n")
    shop.stop()
    shop.start()
    try:
        assert set(known(shop, "secret_ops")) == {200}
        assert "keys_invalid" in causes(shop)
    finally:
        file_of(shop).write_text(listing(WEB, CZ, OPS))
    until(lambda: "keys_invalid" not in causes(shop), "the file is good again", tell=shop.told)


def test_a_change_of_definitions_is_kept_with_both_fingerprints(shop: Service) -> None:
    file = shop.definitions / "hero.yaml"
    [first] = [line for line in lines(shop) if line.subject == "hero"]
    assert (first.act, first.actor.kind, first.actor.name, first.before) == ("definition", "file", "hero.yaml", None)
    assert first.after["fingerprint"]
    file.write_text(f"{HERO}name: Another one\n")
    until(lambda: len(of(shop, "hero")) == 2, "the change is in the audit", tell=shop.told)
    file.write_text(HERO.replace("running", "stopped") + "decision: {outcome: shipped, variant: b}\n")
    until(lambda: len(of(shop, "hero")) == 3, "the decision is in the audit", tell=shop.told)
    renamed, decided = of(shop, "hero")[1:]
    assert renamed.before["definition"] != renamed.after["definition"]
    assert renamed.before["fingerprint"] == renamed.after["fingerprint"]
    assert (decided.act, decided.after["decision"]["variant"]) == ("decision", "b")
    assert (decided.before["status"], decided.after["status"]) == ("running", "stopped")
    assert "metrics.yaml" in {line.subject for line in lines(shop)}


def of(shop: Service, subject: str) -> list[AuditLine]:
    return [line for line in lines(shop) if line.subject == subject]


def test_who_asks_of_people_is_kept_and_they_stand_there_as_digests(shop: Service) -> None:
    with shop.client("secret_ops") as client:
        for visitor in ("jana@x.example", "v-1"):
            client.post("/v1/track", json={"anonymousId": visitor, "event": "E"}).raise_for_status()
        client.get("/v1/visitors/jana@x.example").raise_for_status()
        client.delete("/v1/visitors/jana@x.example", params={"dry_run": "true"}).raise_for_status()
        erasure = {"id": "jana@x.example", "reason": "she asked for it"}
        client.request("DELETE", "/v1/visitors", json=erasure).raise_for_status()
        client.get("/v1/experiments/sites/units").raise_for_status()
        until(lambda: client.get("/v1/export/events").content, "something is exported", tell=shop.told)
    subject = f"visitor:{exact_digest('jana@x.example')}"
    told = [(line.act, line.subject, line.reason) for line in lines(shop) if line.actor.kind == "key"]
    assert told[:4] == [
        ("access", subject, None), ("access", subject, None), ("erase", subject, "she asked for it"),
        ("export", "sites", None),
    ]  # fmt: skip
    assert told[4:] == [("export", "events", None)]
    assert {line.actor.name for line in lines(shop) if line.actor.kind == "key"} == {"ops"}
    assert all(b"jana" not in path.read_bytes() for path in (shop.data / "audit").iterdir())


def test_an_erasure_that_comes_to_nothing_says_why(shop: Service) -> None:
    with shop.client("secret_ops") as client:
        for user in ("a", "b"):
            client.post("/v1/identify", json={"anonymousId": "kiosk", "userId": user}).raise_for_status()
        assert client.delete("/v1/visitors/kiosk").status_code == 409
    begun, failed = [line for line in lines(shop) if line.subject == f"visitor:{exact_digest('kiosk')}"]
    assert (begun.failed, failed.failed, begun.id) == (None, "several_people", failed.id)


def test_the_site_of_a_key_is_a_column_a_dimension_and_an_attribute(shop: Service) -> None:
    with shop.client("publishable_web") as sk, shop.client("publishable_cz") as cz, shop.client("secret_ops") as ops:
        for page, country in ((sk, "sk"), (cz, "cz")):
            for number in range(8):
                visitor = f"{country}-{number}"
                asked = {"context": {"targetingKey": visitor, "site": "made up"}}
                found = page.post("/ofrep/v1/evaluate/flags/local", json=asked).json()
                assert found["metadata"]["in_experiment"] is (country == "sk")
                page.post("/ofrep/v1/evaluate/flags/sites", json=asked).raise_for_status()
                page.post("/v1/track", json=order(visitor)).raise_for_status()
        readout = until(lambda: settled(ops), "the readout has nothing pending", tell=shop.told)
        exported = [json.loads(row) for row in ops.get("/v1/export/events").text.splitlines()]
    [goal] = [row for row in readout["metrics"] if row["metric"] == "orders_sk"]
    levels = {each["level"]: each for each in goal["dimensions"] if each["dimension"] == "site"}
    assert set(levels) == {"sk", "cz"}
    sold = {level: sum(arm["numerator"] or 0 for arm in each["arms"]) for level, each in levels.items()}
    assert sold == {"sk": 8, "cz": 0}
    assert {row.get("site") for row in exported if row["visitor_id"].startswith("sk-")} == {"sk"}
    assert {row.get("site") for row in exported if row["visitor_id"].startswith("cz-")} == {"cz"}


def order(visitor: str) -> dict[str, Any]:
    return {
        "anonymousId": visitor,
        "event": "Order Completed",
        "properties": {"order_id": f"o-{visitor}", "revenue": 5.0, "currency": "EUR"},
    }


def settled(client: httpx.Client) -> dict[str, Any] | None:
    answer = client.get("/v1/experiments/sites/results")
    return answer.json() if answer.status_code == 200 and answer.json()["pending"] == 0 else None
