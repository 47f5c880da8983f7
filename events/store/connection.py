"""The one way to the store: the embedded server's socket, a single server (plain or TLS), or a cluster."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from events.causes import StoreCause
from events.store.availability import UNKNOWN, StoreRefused, StoreUnavailable, cause_of, is_out_of_reach
from events.store.health import recorded_cause
from events.store.held_connection import HeldConnection
from events.store.preparation import Client, Preparation, load_functions, prepare, servers_of, settle_format
from kit.private import is_trusted

logger = logging.getLogger("resonate.store")

Argument: TypeAlias = str | bytes | int
Call: TypeAlias = tuple[str, str, tuple[Argument, ...]]  # function, key, arguments
Command: TypeAlias = tuple[str, ...]  # its name, the key, the rest

ANSWER_SECONDS: Final = 1.0
DEFAULT_PORT: Final = 6379
CLUSTER_SCHEMES: Final = {"redis+cluster": "redis", "rediss+cluster": "rediss"}


async def connect(
    url: str | None,
    socket_path: Path | None = None,
    *,
    shards: int | None = None,
    data: Path | None = None,
    refuses: bool = True,
) -> "Connection":
    """A connection to the store at `url`, else to the embedded one at `socket_path`.

    A store that is down is no error here: the connection prepares itself as soon as the store answers. `shards` is the
    number wanted (None: the recorded one, else 1, on a cluster 16); `data` is the data directory of the embedded store,
    where the reason of a failure is written. Raises StoreRefused for a store that must not be used as it is set up; who
    does not refuse it goes on as if it were away (`store_refused`), until it may be used.
    """
    parts = urlsplit(url or f"unix:{socket_path}")
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))  # without the login
    connection = Connection(_client(url, socket_path), address, wanted_shards=shards, data=data)
    try:
        await (connection.check() if refuses else connection.prepare())
    except StoreUnavailable:
        return connection
    except StoreRefused:
        await connection.close()
        raise
    return connection


class Connection:
    """A pool of connections to one store, with its shards and its functions; made by `connect`.

    Whatever its client raises becomes StoreUnavailable in `call` and `answer`, which all commands pass through.
    """

    def __init__(self, client: Client, address: str, *, wanted_shards: int | None, data: Path | None) -> None:
        self.client = client
        self.address = address
        self._wanted_shards = wanted_shards
        self._data = data
        self._prepared: Preparation | None = None
        self._unprepared_cause: StoreCause = "store_down"
        self._same_store = True  # as was prepared, for all that is known
        self._refused = ""
        self._held: set[HeldConnection] = set()
        self._told: set[type[Exception]] = set()

    @property
    def shards(self) -> int:
        """The number of shards recorded in the store; raises StoreUnavailable until the store has once answered."""
        if self._prepared is None:
            raise StoreUnavailable((self._data and recorded_cause(self._data)) or self._unprepared_cause)
        return self._prepared.shards

    @property
    def version(self) -> str:
        """The store's name and version, for the operator; empty until the store has once answered."""
        return self._prepared.version if self._prepared else ""

    @property
    def memory_limit(self) -> int:
        """How much memory (bytes) a shard may take, as the store says; 0 where it has no limit, or none is known."""
        return self._prepared.memory_limit // self._prepared.shards if self._prepared else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What about the store's settings weakens the promises of the log."""
        return self._prepared.warnings if self._prepared else ()

    async def prepare(self) -> None:
        """Checks the store's settings, loads the functions, agrees on the number of shards; does it once.

        Raises StoreUnavailable, also (`store_refused`, and the log says why) for a store that turns out, after it was
        down, to be one that must not be used.
        """
        if self._prepared is not None and self._same_store:
            return
        try:
            if self._prepared is None:
                await self.check()
            else:  # it was away: another one may answer now
                await self.answer(settle_format(self.client))
            self._same_store, self._refused = True, ""
        except StoreRefused as refused:
            if str(refused) != self._refused:
                logger.error("%s", refused)
            self._refused, self._unprepared_cause = str(refused), "store_refused"
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
        if isinstance(self.client, RedisCluster):
            await self.answer(self.client.initialize())
        await self.answer(cast("Awaitable[Any]", self.client.ping()))

    def held(self) -> HeldConnection | None:
        """A connection for a caller that asks again and again, one call at a time; on a cluster none, it has nodes.

        The caller gives it back by `release`.
        """
        if isinstance(self.client, RedisCluster):
            return None
        held = HeldConnection(self.client)
        self._held.add(held)
        return held

    async def release(self, held: HeldConnection | None) -> None:
        """Closes a held connection."""
        if held is not None:
            self._held.discard(held)
            await held.close()

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
        if self._prepared is None or not self._same_store:
            await self.prepare()
        send = held.execute if held is not None else self._execute
        try:
            async with asyncio.timeout(timeout_seconds):
                try:
                    return await send("FCALL", function, 1, key, *arguments)
                except ConnectionLost:  # most likely a kept connection to a server that has been restarted since
                    self._same_store = False
                    await self.prepare()
                except ResponseError as error:
                    if "Function not found" not in str(error):
                        raise
                    await load_functions(self.client)
                return await send("FCALL", function, 1, key, *arguments)
        except Exception as error:
            raise self.unavailable(error) from error

    async def call_many(self, calls: Sequence[Call], timeout_seconds: float = ANSWER_SECONDS) -> list[Any]:
        """The answers of several functions in order, in one round trip on a single server.

        On a cluster the keys are asked at the same time, the calls of one key in their order.
        """
        if len(calls) == 1:
            function, key, arguments = calls[0]
            return [await self.call(function, key, *arguments, timeout_seconds=timeout_seconds)]
        await self.prepare()
        if not isinstance(self.client, RedisCluster):
            pipeline = self.client.pipeline(transaction=False)
            for function, key, arguments in calls:
                pipeline.execute_command("FCALL", function, 1, key, *arguments)
            return await self.answer(pipeline.execute(), timeout_seconds)
        answers: list[Any] = [None] * len(calls)

        async def ask(wanted: str) -> None:
            for index, (function, key, arguments) in enumerate(calls):
                if key == wanted:
                    answers[index] = await self.call(function, key, *arguments, timeout_seconds=timeout_seconds)

        await self.answer(asyncio.gather(*map(ask, {key for _, key, _ in calls})), timeout_seconds)
        return answers

    async def ask_many(self, commands: Sequence[Command], timeout_seconds: float = ANSWER_SECONDS) -> list[Any]:
        """The answers to several commands, in one round trip on a single server; raises StoreUnavailable."""
        if isinstance(self.client, RedisCluster):
            asked = asyncio.gather(*[cast("Awaitable[Any]", self.client.execute_command(*each)) for each in commands])
            return await self.answer(asked, timeout_seconds)
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await self.answer(pipeline.execute(), timeout_seconds)

    async def rewrite_file(self) -> None:
        """Has each server write its append-only file anew, without what was deleted; raises StoreUnavailable.

        A server that is at it already, or whose owner does not allow it, is left alone, and it is logged.
        """

        async def unless_refused(asked: Awaitable[Any]) -> None:
            try:
                await asked
            except ResponseError as refusal:
                logger.info("a store does not write its file anew: %s", refusal)

        for ask in servers_of(self.client):
            await self.answer(unless_refused(ask("BGREWRITEAOF")))

    async def answer(self, asked: Awaitable[Any], timeout_seconds: float = ANSWER_SECONDS) -> Any:
        """What the store answers to commands of this client, in time; raises StoreUnavailable with the cause."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asked
        except StoreRefused:
            raise
        except Exception as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: Exception) -> StoreUnavailable:
        """The error for callers; the embedded store's own record of what ails it goes before `store_down`.

        What has no word of its own is logged, once for each class.
        """
        cause = cause_of(error)
        self._same_store = self._same_store and not is_out_of_reach(cause)
        if cause in {"store_down", "store_loading"} and self._data is not None:
            cause = recorded_cause(self._data) or cause
        if cause == UNKNOWN and type(error) not in self._told:
            self._told.add(type(error))
            logger.error("the store's client failed with %s: %s", type(error).__name__, error, exc_info=error)
        return StoreUnavailable(cause)

    async def close(self) -> None:
        """Closes all connections."""
        for held in [*self._held]:
            await self.release(held)
        await self.client.aclose()

    async def _execute(self, command: str, function: str, keys: int, key: str, *arguments: Argument) -> Any:
        words = (command, function, keys, key, *arguments)
        if isinstance(self.client, RedisCluster):
            return await self.client.execute_command(*words, target_nodes=self.client.get_node_from_key(key))
        return await self.client.execute_command(*words)


class OwnStore(UnixDomainSocketConnection):
    """A connection to the embedded store, which runs as the same user: another one's server hears nothing."""

    async def _connect(self) -> None:
        await super()._connect()
        if self._writer is not None and not is_trusted(self._writer.get_extra_info("socket").fileno()):
            raise ConnectionLost(f"the server at {self.path} is another user's")


def _client(url: str | None, socket_path: Path | None) -> Client:
    options: dict[str, Any] = {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": None,  # `Connection.answer` keeps the time, once per call and not once per read
        "max_connections": 512,  # per worker and server
        "retry": Retry(NoBackoff(), 0),
    }
    if url is None:
        if socket_path is None:
            raise StoreRefused("no store given: neither RESONATE_REDIS_URL nor the embedded store's socket")
        client = Redis(unix_socket_path=str(socket_path), **options)
        client.connection_pool.connection_class = OwnStore
        return client
    parts = urlsplit(url)
    if parts.scheme in {"redis", "rediss", "unix"}:
        return Redis.from_url(url, **options)
    if parts.scheme not in CLUSTER_SCHEMES:
        raise StoreRefused(f"RESONATE_REDIS_URL begins with {parts.scheme!r}, it may be redis, rediss or redis+cluster")
    # a cluster by any of its nodes, one that lives is enough: redis+cluster://login@host:port,host:port
    login, at, places = parts.netloc.rpartition("@")
    first, *others = places.split(",")
    plain = urlunsplit((CLUSTER_SCHEMES[parts.scheme], f"{login}{at}{first}", parts.path, parts.query, ""))
    nodes = [urlsplit(f"//{place}") for place in others]
    startup = [ClusterNode(node.hostname or "localhost", node.port or DEFAULT_PORT) for node in nodes]
    return RedisCluster.from_url(plain, startup_nodes=startup, **options)
