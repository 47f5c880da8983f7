"""One real worker of ours in this process: `create_app` under uvicorn on a free port, with a real embedded store."""

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import redis
import uvicorn
from servers.patience import until

from app.keys.listed import KeysKeeper
from app.main import create_app
from app.runtime.board import Desk
from app.runtime.settings import Settings
from app.serving.server import server_config
from events.store.embedded import EmbeddedStore
from events.store.keys import events_key
from experiments.catalog.publisher import CatalogKeeper

PUBLISHABLE = "pk_test_0123456789"
SECRET = "sk_test_0123456789"
DEFINITIONS: Mapping[str, str] = {
    "banner.yaml": """
key: banner
status: running
variants:
  - {key: control, payload: {banner: null, price: 9.0}}
  - {key: threshold, payload: {banner: Free shipping, price: 10.5}}
goal: purchase_rate
""",
    "mobile-only.yaml": """
key: mobile-only
status: running
audience: {where: {device: mobile}}
preview: {variant: b, visitors: [qa-1]}
variants: [{key: a, payload: one}, {key: b, payload: two}]
goal: purchase_rate
""",
    "members.yaml": "key: members\nstatus: running\nunit: user\nvariants: [a, b]\ngoal: purchase_rate\n",
    "draft.yaml": "key: draft\nvariants: [a, b]\ngoal: purchase_rate\n",
    "paused.yaml": "key: paused\nstatus: paused\nvariants: [a, b]\ngoal: purchase_rate\n",
}

UNLIMITED = (
    *("rate_limit_per_second", "rate_limit_burst", "secret_rate_limit_per_second", "secret_rate_limit_burst"),
    *("budget_cpu_ms", "budget_bytes_kb", "budget_events", "sign_ins_per_minute"),
)


def keys_keeper(settings: Settings) -> KeysKeeper | None:
    """What a supervisor would have; a second passes between two of its looks."""
    if settings.keys is None:
        return None
    return KeysKeeper(settings.keys, settings.data, itertools.count().__next__)


class OneWorker:
    """A worker that runs while the `with` block does; `store` may be stopped and started inside it."""

    def __init__(self, root: Path, files: Mapping[str, str] = DEFINITIONS, **settings: Any) -> None:
        definitions = root / "definitions"
        definitions.mkdir(parents=True)
        for name, text in files.items():
            (definitions / name).write_text(text)
        keys: dict[str, Any] = {"publishable_keys": (PUBLISHABLE,), "secret_keys": (SECRET,)}
        rates = dict.fromkeys(UNLIMITED, 1_000_000) | {"workers": 1}
        self.settings = Settings(data=root / "data", definitions=definitions, **{**keys, **rates, **settings})
        self.store = EmbeddedStore(self.settings.data)
        self.key_list = keys_keeper(self.settings)
        self.keeper = CatalogKeeper(definitions, self.settings.data, lambda: datetime.now(UTC))
        self.url = ""
        self.app: Any = None

    def __enter__(self) -> "OneWorker":
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.store.start()
        self.keeper.boot()
        if self.key_list is not None:
            self.key_list.boot()
        desk = Desk.alone()
        self.board = desk.board
        self.app = create_app(self.settings, desk)
        self.loop: Any = None  # that it runs on, in a thread of its own
        self._server = uvicorn.Server(server_config(self.app, host="127.0.0.1", port=0))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), "the worker has started")
        assert self._server.started, "the worker did not start"
        self.loop = self._server.servers[0].get_loop()
        self.app.deadlines.watchers.clear()  # of this process's time the tests take as much as they like
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self.store.stop()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What this comes to on the worker's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def connections(self) -> list[Any]:
        """The protocol of every open connection."""
        return list(self._server.server_state.connections)

    def protocol(self) -> Any:
        """A new end of a connection; to be asked for on the worker's loop."""
        server = self._server
        return server.config.http_protocol_class(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )

    def client(self, key: str | None = PUBLISHABLE, **options: Any) -> httpx.Client:
        """An httpx client that sends this key, or none."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers={**headers, **options.pop("headers", {})}, **options)


def records(worker: OneWorker, **wanted: Any) -> list[dict[str, Any]]:
    """Every record in the store whose members have these values, in the order of the log."""
    with redis.Redis(unix_socket_path=str(worker.store.socket)) as store:
        entries = store.xrange(events_key(0))
    found = [record for _, fields in entries for record in msgspec.json.decode(fields[b"e"])]
    return [record for record in found if all(record.get(name) == value for name, value in wanted.items())]
