"""Walks every route of the service with every class of key and asserts every cell."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.streams import ending

from app.http.access import Keys
from app.keys.scopes import PAGES
from app.main import cold_routes
from app.people.links import SIGN_IN
from app.tag.library import BuiltTag

BUILT = {f"/{tag}-{{hash}}.js": f"/{name}" for tag, name in (
    ("resonate", BuiltTag.read().library), ("resonate-parts", BuiltTag.read().parts),
)}  # fmt: skip
OPEN = {
    "/healthz",
    "/readyz",
    "/readyz/events",
    "/metrics",
    "/docs",
    "/docs.css",
    "/openapi.json",
    "/llms.txt",
    "/guides/{name:path}.md",
    "/resonate.d.ts",
    "/dashboard/style.css",
    "/dashboard/script.js",
    "/dashboard/icon.svg",
    *BUILT,
}
IN_PATH = {"/api/features/{key}", "/api/eval/{key}", "/sub/{key}", "/v1/projects/{key}/settings"}
UNKNOWN = {"none": None, "wrong": "pk_wrong_0123456789", "near miss": PUBLISHABLE[:-1] + "8", "longer": SECRET + "x",
           "prefix": SECRET[:-1], "basic": "a:b"}  # fmt: skip


def routes(worker: OneWorker) -> list[tuple[str, str]]:
    """(method, path) of every route but the pages': the path table of the hot tier and FastAPI's router."""
    table = worker.app.table
    hot = [(route.method, route.name) for route in (*table.exact.values(), *table.below.values())]
    return [*hot, *((method, path) for method, path in cold_routes() if not is_page(method, path))]


def is_page(method: str, path: str) -> bool:
    return f"{method} {path}" in PAGES or path == SIGN_IN


def send(client: httpx.Client, method: str, path: str, key: str | None) -> httpx.Response:
    address = ending(BUILT.get(path, path).replace("{identifier:path}", "v-1").replace("{name:path}", "statistics"))
    if path in IN_PATH:
        return client.request(method, address.replace("{key}", key or "none"))
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return client.request(method, address.replace("{key}", "banner"), headers=headers, content=b"{")


def is_secret(path: str) -> bool:
    if path == "/v1/personalize/batch":
        return True
    return path.startswith("/v1/") and path.split("/")[2] in {
        "experiments", "results", "metrics", "cx", "export", "visitors", "users", "products", "recommender", "plan",
        "program", "holdouts", "erasures", "keys", "audit", "doctor", "events", "operations", "shares",
        "surveys",
    }  # fmt: skip


def test_every_route_treats_every_class_of_key_as_it_must(worker: OneWorker) -> None:
    listed = routes(worker)
    assert len(listed) > 35
    with worker.client(None) as client:
        for method, path in listed:
            for name, key in UNKNOWN.items():
                status = send(client, method, path, key).status_code
                assert status == expected_unknown(path), (method, path, name, status)
            publishable = send(client, method, path, PUBLISHABLE).status_code
            assert (publishable == 403) == is_secret(path), (method, path, publishable)
            secret = send(client, method, path, SECRET).status_code
            assert secret in (400, 401) if path in IN_PATH else secret not in (401, 403), (method, path, secret)


def test_no_key_opens_a_page(worker: OneWorker) -> None:
    asked = [(method, path) for method, path in cold_routes() if is_page(method, path) and path != SIGN_IN]
    assert len(asked) == len(PAGES)
    with worker.client(None) as client:
        for method, path in asked:
            for key in (*UNKNOWN.values(), PUBLISHABLE, SECRET):
                answer = send(client, method, path, key)
                assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN), (method, path, key)


def expected_unknown(path: str) -> int:
    if path in ("/share/{token}", "/survey/{token}"):  # a token is its key
        return 404
    if path in OPEN:
        return 200
    return 400 if path in IN_PATH and not path.startswith("/v1/") else 401


def test_a_route_that_is_not_listed_does_not_exist_for_anyone(worker: OneWorker) -> None:
    with worker.client(SECRET) as client:
        for path in (
            "/admin",
            "/v1",
            "/v1/",
            "/v1/experiment",
            "/.env",
            "/openapi.yaml",
            "/redoc",
            "/ofrep/v1",
            "/static/x",
        ):
            assert client.get(path).status_code == 404, path


def test_a_digest_is_as_good_as_the_value(tmp_path: Path) -> None:
    digest = "sha256:" + hashlib.sha256(SECRET.encode()).hexdigest()
    keys = Keys.open((), (digest,), tmp_path / "keys.json")
    found = keys.grant(SECRET.encode())
    assert found is not None
    assert found.secret
    assert keys.grant(digest.encode()) is None
    assert not (tmp_path / "keys.json").exists()


def test_with_no_key_configured_one_of_each_is_made_kept_private_and_shown_once(tmp_path: Path) -> None:
    file = tmp_path / "data" / "keys.json"
    first = Keys.open((), (), file)
    again = Keys.open((), (), file)
    assert first.generated is not None
    assert again.generated is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    for keys in (first, again):
        grants = [keys.grant(key.encode()) for key in (first.generated.publishable, first.generated.secret)]
        assert [grant is not None and grant.secret for grant in grants] == [False, True]
    assert set(json.loads(file.read_text())) == {"publishable", "secret"}


@pytest.mark.parametrize(
    ("entry", "origin", "allowed"),
    [
        ("pk_a_12345678", "https://anyone.example", True),
        ("pk_a_12345678@https://shop.example", "https://shop.example", True),
        ("pk_a_12345678@https://shop.example", "https://shop.example.evil", False),
        ("pk_a_12345678@https://shop.example|https://b.example", "https://b.example", True),
        ("pk_a_12345678@https://shop.example", "null", False),
    ],
)
def test_a_publishable_key_is_for_pages_of_its_origins(tmp_path: Path, entry: str, origin: str, allowed: bool) -> None:
    keys = Keys.open((entry,), (), tmp_path / "keys.json")
    grant = keys.grant(b"pk_a_12345678")
    assert grant is not None
    assert grant.allows(origin) is allowed
    assert keys.allows_origin(origin) is allowed


def test_a_page_of_another_origin_is_refused_and_its_preflight_too(tmp_path: Path) -> None:
    with (
        OneWorker(tmp_path, publishable_keys=(f"{PUBLISHABLE}@https://shop.example",)) as worker,
        worker.client() as client,
    ):
        event = {"anonymousId": "v", "event": "E"}
        good = client.post("/v1/track", json=event, headers={"origin": "https://shop.example"})
        bad = client.post("/v1/track", json=event, headers={"origin": "https://evil.example"})
        preflight: Any = client.options("/v1/track", headers={"origin": "https://evil.example"})
    assert (good.status_code, good.headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert (bad.status_code, bad.json()["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in preflight.headers
