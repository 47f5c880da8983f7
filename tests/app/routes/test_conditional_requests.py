"""Who holds an answer is told so, on every route whose answers bear an ETag, however proxies rewrote the tag."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from servers.streams import ending

KNOWN = {
    "GET /api/features/{key}",
    "POST /ofrep/v1/evaluate/flags",
    "GET /v1/recommendations/{product_id}",
    "GET /v1/experiments",
    "GET /v1/experiments/{key}",
    "GET /v1/experiments/{key}/results",
    "GET /v1/results",
    "GET /v1/metrics",
    "GET /v1/cx",
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("conditional"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="1") as service:
        yield service


def asked(client: httpx.Client, method: str, path: str, operation: dict[str, Any], tag: str | None) -> httpx.Response:
    for name, value in {"key": "free-shipping-banner", "identifier": "v-1", "product_id": "sku-17"}.items():
        path = path.replace(f"{{{name}}}", PUBLISHABLE_KEY if path.startswith("/api/features/") else value)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return client.request(method, path, json=body, headers={} if tag is None else {"if-none-match": tag})


def test_every_tag_is_recognised_strong_weak_in_a_list_and_by_a_star(shop: Service) -> None:
    tagged: set[str] = set()
    with shop.client(SECRET_KEY, timeout=30) as client:
        paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
        for path, operations in {ending(path): found for path, found in paths.items()}.items():
            for method in operations.keys() & {"get", "post"}:
                request = (client, method.upper(), path, operations[method])
                tag = asked(*request, None).headers.get("etag")
                if tag is None:
                    assert asked(*request, "*").status_code == asked(*request, None).status_code, path
                    continue
                tagged.add(f"{method.upper()} {path}")
                strong = tag.removeprefix("W/")
                plain = strong.replace('-gzip"', '"')
                for shown in (strong, f"W/{strong}", f'"other", W/{strong}, "third"', plain, "*"):
                    held = asked(*request, shown)
                    assert (held.status_code, held.content) == (304, b""), (path, shown)
                    assert held.headers["etag"] in ((plain, tag) if shown in (plain, "*") else (tag,)), (path, shown)
                assert asked(*request, '"other"').status_code == 200, path
    assert tagged >= KNOWN
