"""Behind nginx and Caddy as the docs have them, over https and with a prefix: every address that is told is right."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from servers.one_worker import DEFINITIONS, PUBLISHABLE, SECRET, OneWorker, records
from servers.patience import HUNG_SECONDS, until
from servers.proxies import program
from servers.published import PREFIX, Published, published
from servers.stores import free_port
from servers.streams import STREAMED, Listener

ADDRESS = re.compile(r"""(?:https?:)?//[A-Za-z0-9.\[\]:-]+(?:/[^\s"'<>\\)]*)?""")
STEERING = ("/start", "/pause", "/resume", "/stop", "/ship")  # they change what is told
LINK = re.compile(r'(?:href|src)="([^"]+)"')
PAUSED = DEFINITIONS["banner.yaml"].replace("status: running", "status: paused")


class Shop(NamedTuple):
    """A worker, and how pages reach it."""

    worker: OneWorker
    proxy: Published

    def client(self, key: str | None = PUBLISHABLE) -> httpx.Client:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.proxy.url, headers=headers, verify=self.proxy.trust)


@pytest.fixture(scope="module", params=["nginx", "caddyfile"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=["configured", "forwarded"])
def shop(request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    program(kind.removesuffix("file"))
    folder, port = tmp_path_factory.mktemp("published"), free_port()
    settings: dict[str, Any] = {"trusted_proxies": ("127.0.0.0/8",)}
    if request.param == "configured":
        settings["public_url"] = f"https://localhost:{port}{PREFIX}"
    with OneWorker(folder / "worker", **settings) as worker:
        service_port = int(worker.url.rpartition(":")[2])
        with published(kind, folder / "proxy", port, service_port) as proxy:
            yield Shop(worker, proxy)


def answers(shop: Shop) -> Iterator[httpx.Response]:
    """Of every route that may be asked without changing anything, by its own example."""
    with shop.client() as page, shop.client(SECRET) as backend:
        document = page.get("/openapi.json").json()
        for client, key in ((page, PUBLISHABLE), (backend, SECRET)):
            for path, operations in document["paths"].items():
                for method in operations.keys() & {"get", "post"}:
                    content = operations[method].get("requestBody", {}).get("content", {}).get("application/json", {})
                    in_path = path.startswith(("/api/", "/v1/projects/"))
                    address = re.sub(r"\{\w+\}", key if in_path else "banner", path)
                    if path not in STREAMED and not path.endswith(STEERING):
                        yield client.request(method, address, json=content.get("example"))
        yield page.get("/docs")


def told(shop: Shop, answer: httpx.Response) -> set[str]:
    """Every address of ours in an answer's body and headers; those of examples are elsewhere."""
    text = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    named = {found.rstrip(".,") for found in ADDRESS.findall(text)}
    own = {each for each in named if re.search(r"//(?:localhost|127\.0\.0\.1)", each)}
    if "/settings" in str(answer.url) and answer.status_code == 200:
        segment = answer.json()["integrations"]["Segment.io"]
        own.add(f"{segment['protocol']}://{segment['apiHost']}/t")
    return own | {str(answer.url.join(link)) for link in LINK.findall(answer.text)}


def test_every_address_that_is_told_is_answered(shop: Shop) -> None:
    found = {address for answer in answers(shop) for address in told(shop, answer)}
    assert {f"{shop.proxy.url}/v1/t", f"{shop.proxy.url}/docs.css", f"{shop.proxy.url}/openapi.json"} <= found
    streams = {each for each in found if "/stream?" in each}
    assert streams == {f"{shop.proxy.url}/ofrep/v1/stream?key={PUBLISHABLE}"}
    with shop.client() as client:
        for address in found:
            assert address.startswith(shop.proxy.url), address
            if address == shop.proxy.url:  # what the paths of OpenAPI follow
                assert client.get(f"{address}/healthz").status_code == 200
            elif address.endswith("/v1/t"):
                event = {"anonymousId": "v-1", "event": "Told"}
                assert client.post(address, json=event).json() == {"success": True}
            elif "/share/" in address:  # a report is read by the analysis, which this worker has none of
                assert "The numbers cannot be computed now" in client.get(address).text
            else:
                with client.stream("GET", address) as answer:
                    assert answer.status_code < 400, address
    assert records(shop.worker, event="Told")


def test_an_address_that_proxies_forward_is_in_no_answer_that_is_kept(shop: Shop) -> None:
    configured = shop.worker.settings.public_url is not None
    with shop.client() as client:
        for path in (f"/v1/projects/{PUBLISHABLE}/settings", "/openapi.json"):
            answer = client.get(path)
            assert str(shop.proxy.port) in answer.text
            assert answer.headers["cache-control"] == ("public, max-age=300" if configured else "no-store")


def test_streams_pass_unbuffered(shop: Shop) -> None:
    raw = socket.create_connection(("localhost", shop.proxy.port))
    with Listener(shop.proxy.origin, f"{PREFIX}/sub/{PUBLISHABLE}", over=shop.proxy.trust.wrap_socket(
        raw, server_hostname="localhost"
    )) as page:  # fmt: skip
        first = page.event()
        assert json.loads(first["data"])["features"]["banner"]["rules"]
        for text in (PAUSED, DEFINITIONS["banner.yaml"]):
            (shop.worker.settings.definitions / "banner.yaml").write_text(text)
            shop.worker.keeper.boot()
            changed = page.event()
            assert bool(json.loads(changed["data"])["features"]["banner"]["rules"]) is ("running" in text)
    until(lambda: not shop.worker.app.streams.open, "the proxy closes what its page has closed", HUNG_SECONDS)


def test_browsers_are_spoken_to_in_http_2_and_large_feeds_pass(shop: Shop, tmp_path: Path) -> None:
    curl = [program("curl"), "-sS", "--cacert", str(shop.proxy.certificate), "-w", "%{http_version} %{http_code}"]
    got = subprocess.run([*curl, f"{shop.proxy.url}/healthz"], capture_output=True, text=True, check=True).stdout
    assert got.endswith("2 200")
    feed = tmp_path / "feed.ndjson"
    line = json.dumps({"product_id": "sku-0", "name": "n" * 900})
    feed.write_text("\n".join(line.replace("sku-0", f"sku-{each}") for each in range(4_000)))
    upload = ["-X", "PUT", "-H", f"Authorization: Bearer {SECRET}", "-H", "Content-Type: application/x-ndjson"]
    command = [*curl, *upload, "--data-binary", f"@{feed}", f"{shop.proxy.url}/v1/products"]
    put = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert put.endswith("2 200"), put


def test_cookies_are_for_the_address_of_the_page(shop: Shop) -> None:
    with shop.client() as client:
        answer = client.post("/v1/visitor", json={}, headers={"origin": shop.proxy.origin})
    assert "; Secure" in answer.headers["set-cookie"]
