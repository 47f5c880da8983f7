"""The one way to the store: the embedded server's socket, a single server (plain or TLS), or a cluster."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from events.held_connection import HeldConnection
from events.preparation import Client, Preparation, load_functions, prepare
from events.store_errors import STORE_ERRORS, StoreRefused, StoreUnavailable, cause_of
from events.store_state import recorded_cause

ANSWER_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 1.0
DEFAULT_PORT: Final = 6379
MAX_CONNECTIONS: Final = 512  # per worker and server
CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}

logger = logging.getLogger("resonate.store")

Argument: TypeAlias = str | bytes | int
Call: TypeAlias = tuple[str, str, tuple[Argument, ...]]  # function, key, arguments


async def connect(
    url: str | None, socket_path: Path | None = None, *, shards: int | None = None, data: Path | None = None
) -> "Connection":
    """A connection to the store at `url`, else to the embedded one at `socket_path`.

    A store that is down is no error here: the connection prepares itself as soon as the store answers. `shards` is the
    number wanted (None: the recorded one, else 1, on a cluster 16); `data` is the data directory of the embedded store,
    where the reason of a failure is written. Raises StoreRefused for a store that must not be used as it is set up.
    """
    connection = Connection(_client(url, socket_path), _address(url, socket_path), wanted_shards=shards, data=data)
    try:
        await connection.check()
    except StoreUnavailable:
        return connection
    except StoreRefused:
        await connection.close()
        raise
    return connection


class Connection:
    """A pool of connections to one store, with its shards and its functions; made by `connect`."""

    def __init__(self, client: Client, address: str, *, wanted_shards: int | None, data: Path | None) -> None:
        self.client = client
        self.address = address
        self._wanted_shards = wanted_shards
        self._data = data
        self._prepared: Preparation | None = None
        self._unprepared_cause = "store_down"
        self._held: list[HeldConnection] = []

    @property
    def shards(self) -> int:
        """The number of shards recorded in the store; raises StoreUnavailable until the store has once answered."""
        return self._preparation().shards

    @property
    def version(self) -> str:
        """The store's name and version, for the operator; empty until the store has once answered."""
        return self._prepared.version if self._prepared else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What about the store's settings weakens the promises of the log."""
        return self._prepared.warnings if self._prepared else ()

    async def prepare(self) -> None:
        """Checks the store's settings, loads the functions, agrees on the number of shards; does it once.

        Raises StoreUnavailable, also (`store_refused`, and the log says why) for a store that turns out, after it was
        down, to be one that must not be used.
        """
        if self._prepared is not None:
            return
        try:
            await self.check()
        except StoreRefused as refused:
            logger.error("%s", refused)
            raise StoreUnavailable("store_refused") from refused

    async def check(self) -> None:
        """The start-up check; raises StoreRefused or StoreUnavailable."""
        try:
            self._prepared = await self.answer(prepare(self.client, self._wanted_shards))
        except StoreUnavailable as error:
            self._unprepared_cause = error.cause
            raise

    async def probe(self) -> None:
        """Returns when the store answers and is prepared; raises StoreUnavailable otherwise."""
        await self.prepare()
        await self.answer(self._ping())

    def held(self) -> HeldConnection | None:
        """A connection for a caller that asks again and again, one call at a time; on a cluster none, it has nodes."""
        if isinstance(self.client, RedisCluster):
            return None
        self._held.append(HeldConnection(self.client))
        return self._held[-1]

    async def call(
        self,
        function: str,
        key: str,
        *arguments: Argument,
        timeout_seconds: float = ANSWER_SECONDS,
        held: HeldConnection | None = None,
    ) -> Any:
        """The answer of one of our functions (functions.lua) for one key, over the connection held, else the pool's.

        A connection that turns out to be dead is replaced once, and functions that the store lost are loaded again,
        within the time given. Raises StoreUnavailable; the function may have run nevertheless.
        """
        await self.prepare()
        return await self.answer(self._call(function, key, arguments, held), timeout_seconds)

    async def call_many(self, calls: Sequence[Call], timeout_seconds: float = ANSWER_SECONDS) -> list[Any]:
        """The answers of several functions in order, in one round trip on a single server."""
        await self.prepare()
        return await self.answer(self._call_many(calls), timeout_seconds)

    async def answer(self, asked: Awaitable[Any], timeout_seconds: float = ANSWER_SECONDS) -> Any:
        """What the store answers to commands of this client, in time; raises StoreUnavailable with the cause."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asked
        except STORE_ERRORS as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: BaseException) -> StoreUnavailable:
        """The error for callers; the embedded store's own record of what ails it goes before `store_down`."""
        cause = cause_of(error)
        if cause in {"store_down", "store_loading"} and self._data is not None:
            cause = recorded_cause(self._data) or cause
        return StoreUnavailable(cause)

    async def close(self) -> None:
        """Closes all connections."""
        for held in self._held:
            await held.close()
        await self.client.aclose()

    def _preparation(self) -> Preparation:
        if self._prepared is None:
            raise StoreUnavailable((self._data and recorded_cause(self._data)) or self._unprepared_cause)
        return self._prepared

    async def _ping(self) -> None:
        if isinstance(self.client, RedisCluster):
            await self.client.initialize()
        await cast("Awaitable[Any]", self.client.ping())

    async def _call(
        self, function: str, key: str, arguments: tuple[Argument, ...], held: HeldConnection | None = None
    ) -> Any:
        try:
            return await self._execute(function, key, arguments, held)
        except ConnectionLost:  # most likely a kept connection to a server that has been restarted since
            return await self._execute(function, key, arguments, held)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
            await load_functions(self.client)
            return await self._execute(function, key, arguments, held)

    async def _execute(
        self, function: str, key: str, arguments: tuple[Argument, ...], held: HeldConnection | None
    ) -> Any:
        if held is not None:
            return await held.execute("FCALL", function, 1, key, *arguments)
        if isinstance(self.client, RedisCluster):
            node = self.client.get_node_from_key(key)
            return await self.client.execute_command("FCALL", function, 1, key, *arguments, target_nodes=node)
        return await self.client.execute_command("FCALL", function, 1, key, *arguments)

    async def _call_many(self, calls: Sequence[Call]) -> list[Any]:
        if isinstance(self.client, RedisCluster):
            return await self._call_by_key(calls)
        if len(calls) == 1:
            return [await self._call(*calls[0])]
        pipeline = self.client.pipeline(transaction=False)
        for function, key, arguments in calls:
            pipeline.execute_command("FCALL", function, 1, key, *arguments)
        return await pipeline.execute()

    async def _call_by_key(self, calls: Sequence[Call]) -> list[Any]:
        """Keys at the same time, the calls of one key in their order."""
        answers: list[Any] = [None] * len(calls)

        async def ask(indexes: Sequence[int]) -> None:
            for index in indexes:
                answers[index] = await self._call(*calls[index])

        indexes: dict[str, list[int]] = {}
        for index, (_, key, _) in enumerate(calls):
            indexes.setdefault(key, []).append(index)
        await asyncio.gather(*[ask(of_one_key) for of_one_key in indexes.values()])
        return answers


def _client(url: str | None, socket_path: Path | None) -> Client:
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": None,  # `Connection.answer` keeps the time, once per call and not once per read
        "max_connections": MAX_CONNECTIONS,
    }
    if url is None:
        if socket_path is None:
            raise StoreRefused(
                "no store given: neither an address (RESONATE_REDIS_URL) nor the embedded store's socket"
            )
        return Redis(unix_socket_path=str(socket_path), retry=_no_retry(), **options)
    scheme = urlsplit(url).scheme
    if scheme in CLUSTER_SCHEMES:
        return _cluster(url, options)
    if scheme not in {"redis", "rediss", "unix"}:
        raise StoreRefused(f"RESONATE_REDIS_URL begins with {scheme!r}, it may be redis, rediss or redis+cluster")
    return Redis.from_url(url, retry=_no_retry(), **options)


def _cluster(url: str, options: dict[str, Any]) -> RedisCluster:
    """A cluster by any of its nodes: `redis+cluster://login@host:port,host:port`; one that lives is enough."""
    parts = urlsplit(url)
    login, _, places = parts.netloc.rpartition("@")
    first, *others = places.split(",")
    netloc = f"{login}@{first}" if login else first
    plain = urlunsplit((CLUSTER_SCHEMES[parts.scheme], netloc, parts.path, parts.query, ""))
    nodes = [urlsplit(f"//{place}") for place in others]
    startup = [ClusterNode(node.hostname or "localhost", node.port or DEFAULT_PORT) for node in nodes]
    return RedisCluster.from_url(plain, startup_nodes=startup, retry=_no_retry(), **options)


def _no_retry() -> Retry:
    return Retry(NoBackoff(), 0)


def _address(url: str | None, socket_path: Path | None) -> str:
    if url is None:
        return f"unix:{socket_path}"
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
