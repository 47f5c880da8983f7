"""Every route with a key of every single scope: one opens it, all others are told which one and whose key lacks it."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest
from servers.one_worker import OneWorker
from servers.streams import ending

from app.http.access import Grant, Keys
from app.keys.scopes import BY_ROUTE, OPEN, PAGE_SCOPES, PAGES, ROUTES, SCOPES, scope_needed
from app.main import cold_routes, path_table
from events.authority import Authority

IN_PATH = {"/api/features/{key}", "/api/eval/{key}", "/sub/{key}", "/v1/projects/{key}/settings"}
BY_SECRET_ALONE = {
    "/v1/visitors/{identifier:path}/proof",
    "/v1/personalize/batch",
    "/v1/surveys/links",
}  # of page scopes


def listed(name: str, kind: str, scopes: str = "") -> str:
    digest = hashlib.sha256(f"{kind}_{name}".encode()).hexdigest()
    return f'  - {{name: {name}, class: {kind}, digest: "sha256:{digest}"{scopes}}}\n'


KEYS = (
    "keys:\n"
    + "".join(listed(f"may-{scope}", "secret", f", scopes: [{scope}]") for scope in SCOPES)
    + "".join(listed(f"page-{scope}", "publishable", f", scopes: [{scope}]") for scope in PAGE_SCOPES)
    + listed("all", "secret")
    + listed("page", "publishable")
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    root = tmp_path_factory.mktemp("scopes")
    (root / "keys.yaml").write_text(KEYS)
    with OneWorker(root, keys=root / "keys.yaml") as worker:
        yield worker


def every_route() -> list[tuple[str, str]]:
    """All but those of pages, which no key opens."""
    table = path_table()
    hot = [(route.method, route.name) for route in (*table.exact.values(), *table.below.values())]
    return [*hot, *((method, path) for method, path in cold_routes() if not path.startswith("/dashboard"))]


def answer(client: httpx.Client, method: str, path: str, key: str) -> httpx.Response:
    address = ending(path).replace("{identifier:path}", "v-1").replace("{identifier:visitor}", "v-1")
    address = address.replace("{product_id:path}", "sku-1")
    if path in IN_PATH:
        return client.request(method, address.replace("{key}", key))
    headers = {"authorization": f"Bearer {key}"}
    return client.request(method, address.replace("{key}", "no-such"), headers=headers, content=b"{")


def test_the_table_has_every_route_once_and_none_that_is_not() -> None:
    walked = {f"{method} {path}" for method, path in every_route() if path not in OPEN}
    assert walked == set(BY_ROUTE)
    pages = {f"{method} {path}" for method, path in cold_routes() if path.startswith("/dashboard") and path not in OPEN}
    assert pages == set(PAGES)
    assert sum(map(len, ROUTES.values())) == len(BY_ROUTE)
    with pytest.raises(KeyError):
        scope_needed("POST", "/v1/new")


def test_every_route_is_open_to_its_scope_and_to_no_other(shop: OneWorker) -> None:
    refused, taken = 0, 0
    with shop.client(None) as client:
        for method, path in every_route():
            needed = scope_needed(method, path)
            for scope in SCOPES:
                if path in IN_PATH or needed is None:
                    continue
                found = answer(client, method, path, f"secret_may-{scope}")
                if scope == needed:
                    taken += 1
                    assert found.status_code not in (401, 403), (method, path, scope, found.text)
                    continue
                refused += 1
                assert found.status_code == 403, (method, path, scope, found.status_code)
                told = found.json().get("detail") or found.json()["errorDetails"]
                assert f"the key may-{scope} lacks the scope {needed}" in told, (path, told)
                assert found.json().get("code", "scope_missing") == "scope_missing"
    assert taken > 50
    assert refused > 500


def test_a_publishable_key_may_be_narrowed(shop: OneWorker) -> None:
    with shop.client(None) as client:
        for method, path in every_route():
            needed = scope_needed(method, path)
            for scope in (*PAGE_SCOPES, None):
                key = "publishable_page" if scope is None else f"publishable_page-{scope}"
                found = answer(client, method, path, key)
                may = needed is None or (needed in PAGE_SCOPES and scope in (needed, None))
                if path in BY_SECRET_ALONE:
                    may = False
                assert (found.status_code == 403) == (not may), (method, path, scope, found.status_code)
                if needed not in PAGE_SCOPES and not may:
                    assert found.json()["code"] == "secret_key_required"


def test_a_key_without_scopes_has_all_of_its_class(shop: OneWorker) -> None:
    with shop.client(None) as client:
        for method, path in every_route():
            if path not in IN_PATH:
                assert answer(client, method, path, "secret_all").status_code not in (401, 403), path


def test_names_and_texts_of_what_is_not_right_are_for_who_reads_results(shop: OneWorker) -> None:
    (shop.settings.definitions / "broken.yaml").write_text("key: broken\nvariants: [a]\n")
    shop.keeper.boot()
    shop.app.cold.state.resources.catalogs.poll()
    with shop.client(None) as client:
        found = {
            name: client.get("/readyz", headers={"authorization": f"Bearer {name}"}).json()
            for name in ("secret_may-read_results", "secret_may-track", "publishable_page", "none")
        }
        counted = {
            name: client.get("/metrics", headers={"authorization": f"Bearer {name}"}).text
            for name in ("secret_may-read_results", "secret_may-track", "publishable_page")
        }
    (shop.settings.definitions / "broken.yaml").unlink()
    shop.keeper.boot()
    assert "broken" in str(found["secret_may-read_results"]["definitions"])
    for name in ("secret_may-track", "publishable_page", "none"):
        assert found[name]["degraded"] == found["none"]["degraded"]
        assert "definitions" not in found[name]
        assert "broken" not in str(found[name])
    running = [
        next(line for line in text.splitlines() if line.startswith("resonate_experiments_running"))
        for text in counted.values()
    ]
    assert running[1] == running[2]


def test_of_a_thousand_keys_those_are_known_that_are_listed_now() -> None:
    def grant(name: str) -> Grant:
        digest = hashlib.sha256(name.encode()).digest()
        return Grant(True, digest, frozenset(), name, Authority.BACKEND, frozenset(SCOPES))

    keys = Keys([grant(f"key-{number}") for number in range(1_000)])
    keys.follow([grant("key-listed")])
    found = keys.grant(b"key-500")
    assert found is not None
    assert found.name == "key-500"
    assert keys.grant(b"key-1000") is None
    assert keys.grant(b"key-listed") is not None
    keys.follow([])
    assert keys.grant(b"key-listed") is None
