"""Listed keys while the service runs: live when the file changes, the last good ones when it is bad, and their end."""

import hashlib
import itertools
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from servers.one_worker import OneWorker, records
from worlds.key_lists import entry, listing

from app.http.access import Keys, listed_grants
from app.keys.audit import Audit, AuditLine, Wanted
from app.keys.file import KeysInvalid
from app.keys.listed import KeysKeeper
from app.keys.named import FollowedKeys, keys_in_force
from kit.time import DAY_SECONDS, parsed

AT_ONCE = itertools.count().__next__  # a second between two looks
TOKEN_SECRET = b"0123456789abcdef0123456789abcdef"
TOKENS = 'user_tokens: [{kid: k, alg: HS256, secret: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]\n'


def lines(data: Path) -> list[AuditLine]:
    return Audit(data).page(None, 1_000, Wanted())[0]


@pytest.fixture
def keeper(tmp_path: Path) -> KeysKeeper:
    return KeysKeeper(tmp_path / "keys.yaml", tmp_path / "data", AT_ONCE)


def names(data: Path, now: float = 0.0) -> list[str]:
    followed = FollowedKeys(data)
    followed.poll(now)
    return [key.name for key in followed.in_force]


def test_a_bad_file_leaves_the_last_good_keys_in_force_also_after_a_start(tmp_path: Path, keeper: KeysKeeper) -> None:
    data, file = tmp_path / "data", tmp_path / "keys.yaml"
    file.write_text(listing(entry("a")))
    keeper.boot()
    assert names(data) == ["a"]
    file.write_text(listing(entry("a"), "  - {name: b\n"))
    assert keeper.poll()
    assert names(data) == ["a"]
    assert keeper.problems
    KeysKeeper(file, data).boot()
    followed = FollowedKeys(data)
    followed.poll(0.0)
    assert [each.text for each in followed.causes(0.0)] == ["keys_invalid"]
    file.unlink()
    again = KeysKeeper(file, data, AT_ONCE)
    again.boot()
    assert names(data) == ["a"]
    assert "resonate keys new" in again.problems[0]
    file.write_text(listing(entry("b")))
    assert again.poll()
    assert not again.poll()
    assert names(data) == ["b"]


def test_a_file_is_taken_once_it_stays_the_same(tmp_path: Path) -> None:
    now, file = [0.0], tmp_path / "keys.yaml"
    file.write_text(listing(entry("a")))
    keeper = KeysKeeper(file, tmp_path / "data", lambda: now[0])
    keeper.boot()
    file.write_text("keys:\n")  # an editor has begun
    assert not keeper.poll()
    now[0] += 0.1
    file.write_text(listing(entry("a"), entry("b")))
    assert not keeper.poll()
    now[0] += 0.1
    assert not keeper.poll()
    now[0] += 0.1
    assert keeper.poll()
    assert names(tmp_path / "data") == ["a", "b"]
    file.write_text("")
    keeper.poll()
    now[0] += 1
    assert keeper.poll()
    assert "it is empty" in keeper.problems[0]
    assert names(tmp_path / "data") == ["a", "b"]


def test_without_any_good_file_the_service_does_not_start(tmp_path: Path, keeper: KeysKeeper) -> None:
    with pytest.raises(KeysInvalid, match="cannot be read"):
        keeper.boot()
    (tmp_path / "keys.yaml").write_text("keys: [1]")
    with pytest.raises(KeysInvalid, match="must be a mapping"):
        keeper.boot()
    assert keys_in_force(tmp_path / "data") is None


def test_what_another_file_said_is_not_the_last_good_of_this_one(tmp_path: Path, keeper: KeysKeeper) -> None:
    (tmp_path / "keys.yaml").write_text(listing(entry("a")))
    keeper.boot()
    with pytest.raises(KeysInvalid):
        KeysKeeper(tmp_path / "other.yaml", tmp_path / "data").boot()


def test_each_change_of_the_file_is_in_the_audit_with_both_sides(tmp_path: Path, keeper: KeysKeeper) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(listing(entry("a"), entry("b")))
    keeper.boot()
    file.write_text(listing(entry("a", more=", scopes: [track]"), entry("c", "publishable")) + TOKENS)
    keeper.poll()
    KeysKeeper(file, tmp_path / "data").boot()  # knows what is in force, and tells nothing twice
    told = [(line.act, line.subject) for line in lines(tmp_path / "data")]
    assert told == [
        ("key.new", "a"), ("key.new", "b"),
        ("key.change", "a"), ("key.revoke", "b"), ("key.new", "c"), ("user_tokens.change", "user_tokens"),
    ]  # fmt: skip
    changed = lines(tmp_path / "data")[2]
    assert changed.actor.kind == "file"
    assert changed.after == {"class": "secret", "scopes": ["track"]}
    assert "export" in changed.before["scopes"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data" / "audit").iterdir())
    assert hashlib.sha256(b"secret_a").hexdigest().encode() not in kept
    assert b"MDEyMzQ1" not in kept


def test_where_no_line_can_be_written_keys_go_and_none_comes(tmp_path: Path, keeper: KeysKeeper) -> None:
    data, file = tmp_path / "data", tmp_path / "keys.yaml"
    file.write_text(listing(entry("a"), entry("b")))
    keeper.boot()
    audit = next((data / "audit").glob("*.ndjson"))
    kept = audit.read_bytes()
    audit.unlink()
    audit.mkdir()
    file.write_text(listing(entry("a"), entry("c")))
    keeper.poll()
    assert names(data) == ["a"]
    assert "audit" in keeper.problems[0]
    audit.rmdir()
    audit.write_bytes(kept)
    keeper.poll()
    assert names(data) == ["a", "c"]
    assert not keeper.problems


def test_a_key_ends_and_says_so_two_weeks_ahead(tmp_path: Path, keeper: KeysKeeper) -> None:
    (tmp_path / "keys.yaml").write_text(listing(entry("a", more=", expires: 2027-06-01"), entry("b")))
    keeper.boot()
    end, followed = parsed("2027-06-01").timestamp(), FollowedKeys(tmp_path / "data")
    assert followed.poll(end - 15 * DAY_SECONDS)
    assert followed.causes(end - 15 * DAY_SECONDS) == []
    assert [each.text for each in followed.causes(end - 13 * DAY_SECONDS)] == ["key_expires: a"]
    assert not followed.poll(end - 1)
    assert followed.poll(end)
    assert [key.name for key in followed.in_force] == ["b"]
    assert followed.causes(end) == []


def test_a_key_that_has_ended_does_not_come_back_by_the_environment(tmp_path: Path, keeper: KeysKeeper) -> None:
    file, data = tmp_path / "keys.yaml", tmp_path / "data"
    file.write_text(listing(entry("a", more=", scopes: [audit], expires: 2027-01-01"), entry("b")))
    keeper.boot()
    known, followed = Keys.open([], ["secret_a", "secret_c"], tmp_path / "none"), FollowedKeys(data)
    for moment, found in (("2026-12-31T00:00:00Z", {"audit"}), ("2027-01-02T00:00:00Z", None)):
        followed.poll(parsed(moment).timestamp())
        known.follow(listed_grants(followed.in_force, ["*"]), followed.ended)
        grant = known.grant(b"secret_a")
        assert (None if grant is None else set(grant.scopes)) == found
    assert known.grant(b"secret_c") is not None


def test_a_file_that_others_may_read_is_warned_about(
    tmp_path: Path, keeper: KeysKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(listing(entry("a")))
    file.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        keeper.boot()
        assert not caplog.records
        file.write_text(listing(entry("b")))
        file.chmod(0o644)
        keeper.poll()
    assert "mode 0644" in caplog.text


def test_what_is_in_force_is_read_by_the_services_user_alone(tmp_path: Path, keeper: KeysKeeper) -> None:
    file, published = tmp_path / "keys.yaml", tmp_path / "data" / "keys-in-force.json"
    before = os.umask(0o027)
    try:
        for names in ("a", "b"):
            file.write_text(listing(entry(names)) + TOKENS)
            keeper.poll()
            assert published.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[OneWorker]:
    (tmp_path / "keys.yaml").write_text(
        listing(
            entry("web", "publishable", ', origins: ["https://shop.example"], site: sk'), entry("backend"), entry("ops")
        )
    )
    with OneWorker(tmp_path, keys=tmp_path / "keys.yaml") as worker:
        yield worker


def change(worker: OneWorker, text: str) -> None:
    """The file says this, and worker and keeper have looked."""
    assert worker.settings.keys is not None
    assert worker.key_list is not None
    worker.settings.keys.write_text(text)
    worker.key_list.poll()
    worker.app.cold.state.resources.keys.take_up()


def test_a_removed_key_is_unknown_and_a_new_one_known_while_the_service_runs(shop: OneWorker) -> None:
    event = {"anonymousId": "v-1", "event": "E"}
    with shop.client("secret_backend") as old, shop.client("secret_new") as new, shop.client() as configured:
        assert [each.post("/v1/track", json=event).status_code for each in (old, new, configured)] == [200, 401, 200]
        change(shop, listing(entry("new"), entry("ops")))
        assert [each.post("/v1/track", json=event).status_code for each in (old, new, configured)] == [401, 200, 200]


def test_origins_are_those_of_the_key_also_for_a_preflight(shop: OneWorker) -> None:
    event, asked = {"anonymousId": "v-1", "event": "E"}, {"access-control-request-method": "POST"}
    with shop.client("publishable_web") as client:
        good = client.post("/v1/track", json=event, headers={"origin": "https://shop.example"})
        bad = client.post("/v1/track", json=event, headers={"origin": "https://evil.example"})
        preflight = client.options("/v1/track", headers={"origin": "https://shop.example", **asked})
    assert (good.status_code, bad.status_code) == (200, 403)
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"


def test_the_site_of_a_key_is_stamped_on_its_rows(shop: OneWorker) -> None:
    with shop.client("publishable_web") as web, shop.client("secret_ops") as ops:
        web.post("/v1/track", json={"anonymousId": "v-1", "event": "E", "site": "de"}).raise_for_status()
        ops.post("/v1/track", json={"anonymousId": "v-2", "event": "E"}).raise_for_status()
        asked: dict[str, Any] = {"context": {"targetingKey": "v-3"}}
        web.post("/ofrep/v1/evaluate/flags/banner", json=asked).raise_for_status()
        web.post("/v1/personalize", json={"visitor_id": "v-4", "experiments": ["banner"]}).raise_for_status()
        page = {"anonymousId": "v-5", "pageViewId": "p", "seq": 1, "engagedMs": 5}
        web.post("/v1/engagement", json=page).raise_for_status()
    found = {record["visitor_id"]: record.get("site") for record in records(shop)}
    assert found == {"v-1": "sk", "v-2": None, "v-3": "sk", "v-4": "sk", "v-5": "sk"}


def test_keys_are_listed_with_their_last_use_and_never_with_a_digest(shop: OneWorker) -> None:
    resources = shop.app.cold.state.resources
    with shop.client("publishable_web") as web, shop.client("secret_ops") as ops:
        web.post("/v1/track", json={"anonymousId": "v-1", "event": "E"}).raise_for_status()
        shop.run(resources.keys.keep_uses(resources.networks))
        found = ops.get("/v1/keys")
    listed = {key["name"]: key for key in found.json()["keys"]}
    assert len(listed) == 5  # two of them are configured
    assert listed["web"]["scopes"] == ["evaluate", "track", "recommend", "payload"]
    assert (listed["web"]["site"], listed["web"]["class"]) == ("sk", "publishable")
    assert set(listed["web"]["last_used"]) == {"minute", "network"}
    assert listed["web"]["last_used"]["minute"].endswith(":00Z")
    assert len(listed["web"]["last_used"]["network"]) == 8
    assert "last_used" not in listed["backend"]
    assert hashlib.sha256(b"publishable_web").hexdigest() not in found.text


def test_keys_of_user_tokens_come_and_go_with_the_file(shop: OneWorker) -> None:
    now = 2_000_000_000
    token = jwt.encode(
        {"sub": "u-1", "aud": "resonate", "iat": now - 86_000, "exp": now}, TOKEN_SECRET, "HS256", {"kid": "k"}
    )
    resources = shop.app.cold.state.resources

    def doubt() -> str | None:
        return resources.users.standing("v-1", "u-1", token).because

    assert doubt() == "unknown_key"
    change(shop, listing(entry("ops")) + TOKENS)
    assert doubt() == "malformed"  # verified, and not valid yet
    change(shop, listing(entry("ops")))
    assert doubt() == "unknown_key"


def test_what_is_wrong_with_the_file_is_told_in_codes_and_to_readers_in_full(shop: OneWorker) -> None:
    change(shop, listing(entry("ops"), "  - {name: oops, clas: secret}\n"))
    with shop.client(None) as stranger, shop.client("secret_ops") as ops:
        public, full = stranger.get("/readyz").json(), ops.get("/readyz").json()
    assert "keys_invalid" in public["degraded"]
    assert "oops" not in json.dumps(public)
    assert "did you mean class?" in full["keys"]["errors"][0] + full["keys"]["errors"][-1]


def test_the_name_of_a_key_stands_in_log_lines(
    shop: OneWorker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = shop.app.cold.state.resources
    monkeypatch.setattr(resources.recommender, "lists", None)  # what nobody foresaw
    with shop.client("publishable_web") as web:
        assert web.post("/v1/recommendations", json={"visitor_id": "v-1"}).status_code == 503
    [line] = [record for record in caplog.records if record.getMessage() == "unexpected error"]
    assert vars(line)["key"] == "web"
