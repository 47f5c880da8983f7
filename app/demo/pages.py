"""Serves the example shop's pages from a port of their own: they call the service across origins, as a shop does."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any, Final

ENGAGEMENT: Final = Path(__file__).parents[1] / "snippet" / "engagement.js"


class _Page(SimpleHTTPRequestHandler):
    """A static page, or one of the scripts that are not files of the shop's."""

    scripts: Mapping[str, bytes] = MappingProxyType({})

    def do_GET(self) -> None:
        script = self.scripts.get(self.path.partition("?")[0])
        if script is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(script)))
        self.end_headers()
        self.wfile.write(script)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
        """Nothing: the demo's screen belongs to the readout."""


@contextmanager
def serving(folder: Path, config: Mapping[str, Any], port: int = 0) -> Generator[str]:
    """The address of the shop's pages while the block runs; `config` becomes `window.shop` of each page."""
    scripts = {
        "/config.js": f"window.shop = {json.dumps(config)};\n".encode(),
        "/engagement.js": ENGAGEMENT.read_bytes(),
    }
    handler = type("_ShopPage", (_Page,), {"scripts": scripts})
    with ThreadingHTTPServer(("127.0.0.1", port), partial(handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
