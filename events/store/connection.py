"""The one way to the store: the embedded server's socket, a single server (plain or TLS), or a cluster."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoPermissionError, ResponseError

from events.records import stream_number
from events.store.availability import STORE_ERRORS, StoreRefused, StoreUnavailable, cause_of
from events.store.health import recorded_cause
from events.store.keys import LIBRARY, SHARDS, events_key, watermark_key

logger = logging.getLogger("resonate.store")


class HeldConnection:
    """A connection of a single server, made when first used and again after it broke. One command at a time.

    The pool's book-keeping, retries and hooks took 240 of 300 µs of a flush (benchmarks/ingest.py counts flushes).
    """

    def __init__(self, client: Redis) -> None:
        self._connection = client.connection_pool.make_connection()

    async def execute(self, *words: str | bytes | int) -> Any:
        """The answer to one command; raises redis' errors. After anything but an answer the connection is new."""
        connection = self._connection
        try:
            if not connection.is_connected:
                await connection.connect()
            await connection.send_packed_command(connection.pack_command(*words), check_health=False)
            return await connection.read_response()
        except ResponseError:  # an answer: nothing of it is left unread
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    async def close(self) -> None:
        """Closes the connection; the next command would open it again."""
        await self._connection.disconnect()


Client: TypeAlias = Redis | RedisCluster

FUNCTIONS: Final = Path(__file__).with_name("functions.lua")
SHARDS_OF_ONE_SERVER: Final = 1
SHARDS_OF_A_CLUSTER: Final = 16
MOST_SHARDS: Final = 1024
OLDEST_VERSION: Final = 7


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the start-up check found; `warnings` are sentences for the operator."""

    shards: int
    version: str
    warnings: tuple[str, ...]


async def prepare(client: Client, wanted_shards: int | None) -> Preparation:
    """Makes a store ready for events; raises StoreRefused for one not to be used, a client's error when it is down."""
    if isinstance(client, RedisCluster):
        await client.initialize()
    warnings: list[str] = []
    version = ""
    for server in _servers(client):
        version = _version(await _info(server))
        warnings.extend(await _weak_settings(server))
    await load_functions(client)
    shards = await _agreed_shards(client, wanted_shards)
    return Preparation(shards, version, tuple(dict.fromkeys(warnings)))


async def load_functions(client: Client) -> None:
    """Loads functions.lua where the store does not hold exactly this text already."""
    code = FUNCTIONS.read_text(encoding="utf-8")
    for server in _servers(client):
        listed = await _command(server, "FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if code.encode() not in _flattened(listed):
            await _command(server, "FUNCTION", "LOAD", "REPLACE", code)


@dataclass(frozen=True, slots=True)
class _Server:
    """One server, or one primary of a cluster."""

    client: Client
    node: Any = None


def _servers(client: Client) -> list[_Server]:
    if isinstance(client, RedisCluster):
        return [_Server(client, node) for node in client.get_primaries()]
    return [_Server(client)]


async def _command(server: _Server, *words: str) -> Any:
    if server.node is not None:
        return await cast("RedisCluster", server.client).execute_command(*words, target_nodes=server.node)
    return await server.client.execute_command(*words)


async def _info(server: _Server) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", await _command(server, "INFO", "server"))


def _version(information: Mapping[str, Any]) -> str:
    name = "valkey" if "valkey_version" in information else "redis"
    version = str(information[f"{name}_version"])
    if int(version.split(".")[0]) < OLDEST_VERSION:
        raise StoreRefused(f"the store is {name} {version}; Resonate needs Valkey or Redis {OLDEST_VERSION} or newer")
    return f"{name} {version}"


async def _weak_settings(server: _Server) -> list[str]:
    try:
        settings = await _settings(server)
    except (ResponseError, NoPermissionError):  # managed services forbid CONFIG
        return ["the store does not let its settings be read: see to it that it never evicts and fsyncs every write"]
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        raise StoreRefused(
            f"the store's maxmemory-policy is {policy}, which drops events when memory runs out; set it to noeviction"
        )
    if settings.get("appendonly") != "yes":
        return ["the store keeps no append-only file: acknowledged events are lost with it; set appendonly yes"]
    if settings.get("appendfsync") != "always":
        return [
            f"the store's appendfsync is {settings.get('appendfsync')}: the last second of acknowledged events can be"
            " lost; set it to always"
        ]
    return []


async def _settings(server: _Server) -> dict[str, str]:
    answer = await _command(server, "CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync")
    return {_text(name): _text(value) for name, value in dict(answer).items()}


async def _agreed_shards(client: Client, wanted: int | None) -> int:
    if wanted is not None and not 1 <= wanted <= MOST_SHARDS:
        raise StoreRefused(f"RESONATE_SHARDS is {wanted}; it may be from 1 to {MOST_SHARDS}")
    default = SHARDS_OF_A_CLUSTER if isinstance(client, RedisCluster) else SHARDS_OF_ONE_SERVER
    await client.execute_command("SET", SHARDS, wanted or default, "NX")
    answer: Any = await client.execute_command("GET", SHARDS)
    recorded = int(answer)
    if wanted is None or wanted == recorded:
        return recorded
    for shard in range(recorded):
        await _refuse_undrained(client, shard, recorded, wanted)
    await client.execute_command("SET", SHARDS, wanted)
    return wanted


async def _refuse_undrained(client: Client, shard: int, recorded: int, wanted: int) -> None:
    newest = await client.execute_command("XREVRANGE", events_key(shard), "+", "-", "COUNT", 1)
    if not newest:
        return
    milliseconds, sequence = _text(newest[0][0]).split("-")
    watermark: Any = await client.execute_command("HGET", watermark_key(shard), "stream_id")
    if stream_number(int(milliseconds), int(sequence)) > int(watermark or 0):
        raise StoreRefused(
            f"RESONATE_SHARDS is {wanted}, but the store holds events in {recorded} shards that no part holds yet;"
            f" let it drain with {recorded} shards first"
        )


def _flattened(value: Any) -> set[bytes]:
    if isinstance(value, dict):
        return _flattened(list(cast("dict[Any, Any]", value).values()))
    if isinstance(value, list):
        return {item for part in cast("list[Any]", value) for item in _flattened(part)}
    return {value} if isinstance(value, bytes) else set()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


ANSWER_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 1.0
DEFAULT_PORT: Final = 6379
MAX_CONNECTIONS: Final = 512  # per worker and server
CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}


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
