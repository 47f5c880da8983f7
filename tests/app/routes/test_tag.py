"""The tag's routes: one script of what pages may see, kept by caches, and files whose names say what is in them."""

import json
import re
from typing import Any

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.patience import until

from app.tag.library import PLAIN, TYPES, BuiltTag

FILES = {
    "banner.yaml": "key: banner\nname: Secret name\nowner: me@shop.example\nstatus: running\n"
    'variants: [{key: first, payload: "</script><script>alert(1)//\\u2028"}, {key: b, payload: b}]\n'
    "preview: {variant: b, visitors: [qa-visitor]}\naudience: {where: {device: mobile}}\n"
    "goal: purchase_rate\n",
    "paused.yaml": "key: paused\nstatus: paused\nvariants: [{key: old, payload: 1}, {key: hidden-b, payload: 2}]\n"
    "goal: purchase_rate\n",
    "draft-of-ours.yaml": "key: draft-of-ours\nstatus: draft\nvariants: [old, b]\ngoal: purchase_rate\n",
    "server-only.yaml": "key: server-only\nstatus: running\ndelivery: server\nvariants: [old, b]\n"
    "goal: purchase_rate\n",
    "later-one.yaml": "key: later-one\nstatus: running\nstart: 2099-01-01\nvariants: [old, b]\ngoal: purchase_rate\n",
    "shipped.yaml": "key: shipped\nstatus: stopped\ndecision: {outcome: shipped, variant: b}\n"
    "variants: [{key: old, payload: 1}, {key: b, payload: 2}]\ngoal: purchase_rate\n",
    "shop.yaml": "cookie_domain: .shop.example\nprivacy: {default_consent: measure, gpc: none}\n"
    "visitors: {cookie: sid, days: 100}\n",
}


@pytest.fixture
def worker(tmp_path) -> Any:
    with OneWorker(tmp_path, FILES) as running:
        yield running


def script(worker: OneWorker, key: str = PUBLISHABLE, **headers: str) -> httpx.Response:
    with worker.client(None) as client:
        return client.get(f"/resonate.js?key={key}", headers=headers)


def told(answer: httpx.Response) -> dict[str, Any]:
    """What stands before the library."""
    tag = BuiltTag.read()
    line, separator, library = answer.text.partition(";\n")
    assert (separator, library.encode()) == (";\n", tag.contents[tag.library])
    return json.loads(line.removeprefix("window.__resonate="))


def test_the_script_holds_the_public_payload_and_what_a_page_must_know_of_its_shop(worker: OneWorker) -> None:
    answer = script(worker)
    with worker.client(None) as client:
        public = client.get(f"/api/features/{PUBLISHABLE}").json()["features"]
    found = told(answer)
    assert found["features"] == public
    assert set(public) == {"banner", "paused", "shipped"}
    assert found["controls"] == {"banner": "first", "paused": "old", "shipped": "old"}
    assert found["shop"] | {"hosts": []} == {
        "cookie": "sid", "days": 100, "domain": "shop.example", "http_only": False, "consent": "measure", "gpc": "none",
        "hosts": [],
    }  # fmt: skip
    assert public["shipped"]["rules"] == [{"id": "b", "force": 2}]
    for hidden in ("Secret name", "me@shop", "qa-visitor", "draft-of-ours", "server-only", "later-one", "hidden-b"):
        assert hidden not in answer.text


def test_a_payload_that_fills_slots_alone_is_followed_by_no_more_than_that_needs(tmp_path) -> None:
    with OneWorker(
        tmp_path, {"plain.yaml": "key: plain\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n"}
    ) as worker:
        assert script(worker).content.endswith(b";\n" + BuiltTag.read().contents[PLAIN])


def test_the_library_that_is_kept_elsewhere_is_told_what_stands_before_it_in_the_script(worker: OneWorker) -> None:
    with worker.client(None) as client:
        answer = client.get(f"/api/features/{PUBLISHABLE}?tag")
        again = client.get(f"/api/features/{PUBLISHABLE}?tag", headers={"if-none-match": answer.headers["etag"]})
        stranger = client.get("/api/features/pk_unknown_key?tag")
    assert answer.json() == told(script(worker))
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/json", "public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000",
    )  # fmt: skip
    assert (again.status_code, stranger.status_code) == (304, 400)


def test_no_payload_ends_the_script_or_the_line(worker: OneWorker) -> None:
    line = script(worker).text.partition(";\n")[0]
    assert "<" not in line
    assert "\u2028" not in line
    assert told(script(worker))["features"]["banner"]["defaultValue"] == "</script><script>alert(1)//\u2028"


def test_caches_keep_the_script_for_everybody_and_are_told_when_it_has_not_changed(worker: OneWorker) -> None:
    first = script(worker)
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["cache-control"] == "public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
    assert first.headers["access-control-allow-origin"] == "*"
    again = script(
        worker, **{"if-none-match": first.headers["etag"], "cookie": "resonate_consent=none", "sec-gpc": "1"}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = script(worker, **{"cookie": "resonate_consent=none"})
    assert (other.content, other.headers["cache-control"]) == (first.content, first.headers["cache-control"])


def test_a_change_of_the_definitions_is_a_new_script(worker: OneWorker) -> None:
    first = script(worker)
    (worker.settings.definitions / "shop.yaml").write_text("privacy: {default_consent: none}\n")
    worker.keeper.boot()
    held = {"if-none-match": first.headers["etag"]}
    second = until(lambda: (found := script(worker, **held)).status_code == 200 and found, "the change is followed")
    assert told(second)["shop"]["consent"] == "none"


def test_a_secret_key_in_the_head_is_given_what_pages_see(worker: OneWorker) -> None:
    with worker.client(SECRET) as backend:
        assert backend.get("/resonate.js").content == script(worker).content


@pytest.mark.parametrize(("key", "status"), [("pk_unknown_key", 401), (SECRET, 401), ("", 401)])
def test_a_key_that_is_no_publishable_one_gets_no_script(worker: OneWorker, key: str, status: int) -> None:
    assert script(worker, key).status_code == status


def test_files_of_the_build_are_kept_for_ever_under_the_name_of_what_is_in_them(worker: OneWorker) -> None:
    tag = BuiltTag.read()
    with worker.client(None) as client:
        for name in (tag.library, tag.parts):
            answer = client.get(f"/{name}")
            assert (answer.content, answer.headers["cache-control"]) == (
                tag.contents[name], "public, max-age=31536000, immutable",
            )  # fmt: skip
            assert client.get(f"/{name}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
            assert client.get("/" + re.sub(r"[0-9a-f]{16}", "0" * 16, name)).status_code == 404
        assert client.get(f"/{TYPES}").content == tag.contents[TYPES]
        assert client.get("/library.js").status_code == 404
