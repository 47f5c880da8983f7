"""Pages for the browser's clients: each row of the table on a host of its own, in one Chromium."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium import webdriver
from servers.chromium import open_chromium
from servers.javascript import REPOSITORY, bundled

GROWTHBOOK = REPOSITORY / "node_modules/@growthbook/growthbook/dist/bundles/auto.min.js"


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser that believes any certificate; skips where there is none."""
    with open_chromium("normal", "--ignore-certificate-errors") as browser:
        browser.set_script_timeout(30)
        yield browser


@contextmanager
def served(files: dict[str, str]) -> Iterator[int]:
    """The port of a server of these files on every host that ends in `localhost`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = files.get(self.path.partition("?")[0])
            body = (found or "").encode()
            self.send_response(200 if found is not None else 404)
            kind = "text/javascript" if self.path.endswith(".js") else "text/html"
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def page(row: dict[str, Any]) -> str:
    """The page of one row; a client that is a script stands in it as its makers say."""
    script = ""
    if row["client"] == "growthbook-script":
        uuid = row["who"].get("anonymousId")
        named = "" if uuid is None else f'data-uuid="{uuid}" '
        script = (
            f"<script>growthbook_config = {json.dumps({'attributes': {'row': row['name']}})}</script>"
            f'<script src="/growthbook.js" data-api-host="{row["service"]}" data-client-key="{row["key"]}" '
            f'data-event-ingestor-host="{row["service"]}" data-tracking="growthbook" data-no-streaming="1" {named}>'
            "</script>"
        )
    return f"<!doctype html><meta charset=utf-8><title>shop</title>{script}<script src=/clients.js></script>"


def run_in_browser(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What became of each row, one page after the other."""
    code = f'export * from "./{Path(__file__).parent.relative_to(REPOSITORY)}/browser_clients.js"'
    files = {f"/{row['number']}": page(row) for row in told}
    files |= {"/clients.js": bundled(code, "clients"), "/growthbook.js": GROWTHBOOK.read_text()}
    with served(files) as port, chromium() as browser:
        found: list[dict[str, Any]] = []
        for row in told:
            browser.get(f"http://r{row['number']}.localhost:{port}/{row['number']}")
            found.append(browser.execute_async_script("clients.run(arguments[0]).then(arguments[1])", row))
        return found
