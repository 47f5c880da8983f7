"""The one way to the store: the embedded server's socket, a single server (plain or TLS), or a cluster."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from redis.asyncio import RedisCluster
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import MovedError, ResponseError

from events.causes import StoreCause
from events.store.address import AddressRefused, store_address
from events.store.availability import (
    LOGIN_REFUSED,
    REPLICAS_SHORT,
    UNKNOWN,
    StoreRefused,
    StoreUnavailable,
    cause_of,
    is_out_of_reach,
    reason_of,
)
from events.store.health import recorded_cause
from events.store.held_connection import Command, HeldConnection, answers_of, node_of
from events.store.preparation import (
    ANSWER_SECONDS,
    Client,
    Preparation,
    StoreDemands,
    client_of,
    load_functions,
    prepare,
    servers_of,
    settle_format,
)
from kit.tasks import is_own_end, together

logger = logging.getLogger("resonate.store")

Argument: TypeAlias = str | bytes | int
Call: TypeAlias = tuple[str, str, tuple[Argument, ...]]  # function, key, arguments

ASKED_AGAIN_SECONDS: Final = 0.02
"""A replica says what it has fsynced when asked, and each second: asked just before it fsyncs, it is silent so long."""
ANSWERED_AFTER_SECONDS: Final = 0.4  # a server whose wait for replicas is over says how many have it
NOT_LOADED: Final = "Function not found"
REPLICATED: Final = "resonate_append"  # what counts only once the wanted replicas have it
SCANNED: Final = 1_000  # keys of a server at a time


async def connect(
    url: str | None,
    socket_path: Path | None = None,
    *,
    shards: int | None = None,
    data: Path | None = None,
    replicas: int = 0,
    refuses: bool = True,
) -> "Connection":
    """A connection to the store at `url`, else to the embedded one at `socket_path`.

    A store that is down is no error here: the connection prepares itself as soon as the store answers. `shards` is the
    number wanted (None: the recorded one, else 1, on a cluster 16); `data` is the data directory of the embedded store,
    where the reason of a failure is written; `replicas` is how many of them must have a flush before it counts. Raises
    StoreRefused for a store that must not be used as it is set up; who does not refuse it goes on as if it were away
    (`store_refused`), until it may be used.
    """
    try:
        address = None if url is None else store_address(url)
    except AddressRefused as refused:
        raise StoreRefused(f"RESONATE_REDIS_URL: {refused}") from None
    connection = Connection(
        client_of(address, socket_path),
        str(address or f"unix:{socket_path}"),
        StoreDemands(shards, replicas),
        data=data,
    )
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

    Nothing outside this folder touches the client; whatever it raises leaves a method as StoreUnavailable, in time.
    """

    def __init__(self, client: Client, address: str, wanted: StoreDemands, *, data: Path | None) -> None:
        self.client = client
        self.address = address
        self._wanted = wanted
        self._data = data
        self._prepared: Preparation | None = None
        self._unprepared_cause: StoreCause = "store_down"
        self._lost = self._known = 0  # how often it was lost, as far as is seen, and when it was last looked at since
        self._has_nodes = isinstance(client, RedisCluster)  # of which one that is away says nothing of the others
        self._refused = ""
        self._held: set[HeldConnection] = set()
        self._told: set[type[BaseException]] = set()
        self._reasons: set[str] = set()

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
        if self._prepared is not None and self._known == self._lost:
            return
        lost = self._lost
        try:
            if self._prepared is None:
                await self.check()
            else:  # it was away: another one may answer now
                await self.answer(settle_format(self.client))
            self._known, self._refused = lost, ""  # what was lost while it was looked at is looked at again
        except StoreRefused as refused:
            if str(refused) != self._refused:
                logger.error("%s", refused)
            self._refused, self._unprepared_cause = str(refused), "store_refused"
            raise StoreUnavailable("store_refused") from refused

    async def check(self) -> None:
        """The start-up check; raises StoreRefused or StoreUnavailable."""
        try:
            self._prepared = await self.answer(prepare(self.client, self._wanted))
        except StoreUnavailable as error:
            self._unprepared_cause = error.cause
            raise

    async def probe(self) -> None:
        """Returns when the store answers and is prepared; raises StoreUnavailable otherwise."""
        await self.prepare()
        if isinstance(self.client, RedisCluster):
            await self.answer(self._look_for_nodes(self.client))
        await self.ask("PING")

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
            await self._closed(held.close)

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
        send = held.execute if held is not None else partial(self._execute, key)
        words: Command = ("FCALL", function, 1, key, *arguments)
        try:
            async with asyncio.timeout(timeout_seconds) as deadline:
                if self._prepared is None or self._known != self._lost:
                    await self.prepare()
                if self._wanted.replicas and function == REPLICATED:
                    send = partial(self._replicated, key, held, until := deadline.when() or 0.0)
                    deadline.reschedule(until + ANSWERED_AFTER_SECONDS)
                try:
                    return await send(*words)
                except (ConnectionLost, MovedError) as error:  # a kept connection to a server that was restarted since
                    self._lost += not (isinstance(error, MovedError) or self._has_nodes)
                    await self._look_for_nodes(self.client)
                    await self.prepare()
                except ResponseError as error:
                    if NOT_LOADED not in str(error):
                        raise
                    await load_functions(self.client)
                return await send(*words)
        except (Exception, asyncio.CancelledError) as error:
            if is_own_end(error):
                raise
            raise self.unavailable(error) from error

    async def call_many(self, calls: Sequence[Call], timeout_seconds: float = ANSWER_SECONDS) -> list[Any]:
        """The answers of several functions in order, in one round trip; on a cluster in one for each key at a time."""
        if len(calls) == 1:
            function, key, arguments = calls[0]
            return [await self.call(function, key, *arguments, timeout_seconds=timeout_seconds)]
        if self._prepared is None:
            await self.prepare()
        if isinstance(self.client, RedisCluster):
            return await self.answer(self._called(calls, timeout_seconds), timeout_seconds)
        return await self.answer(self._called_at_once(calls), timeout_seconds)

    async def ask(self, *words: Argument, timeout_seconds: float = ANSWER_SECONDS) -> Any:
        """The answer to one command; raises StoreUnavailable."""
        return await self.answer(self._asked(words), timeout_seconds)

    async def ask_many(self, commands: Sequence[Command], timeout_seconds: float = ANSWER_SECONDS) -> list[Any]:
        """The answers to several commands, in one round trip on a single server; raises StoreUnavailable."""
        return await self.answer(self._piped(commands, transaction=False), timeout_seconds)

    async def ask_each(self, *words: Argument) -> list[Any]:
        """What each server says to the same command, of a cluster each primary; raises StoreUnavailable."""

        async def all_of_them() -> list[Any]:
            return [await ask(*words) for ask in servers_of(self.client)]

        return await self.answer(all_of_them())

    async def transact(self, commands: Sequence[Command]) -> list[Any]:
        """Commands for keys of one shard, all of them or none; raises StoreUnavailable."""
        return await self.answer(self._piped(commands, transaction=True))

    async def keys(self, pattern: str) -> AsyncIterator[bytes]:
        """All keys like the pattern, a thousand looked at in a round trip; raises StoreUnavailable."""
        # nothing is asked before the first `anext`, so that `answer` hears of whatever the client raises
        found = (key for each in (pattern,) async for key in self.client.scan_iter(match=each, count=SCANNED))
        while (key := await self.answer(anext(found, None))) is not None:
            yield key

    async def rewrite_file(self) -> None:
        """Has each server write its append-only file anew, without what was deleted; raises StoreUnavailable.

        A server that is at it already, or whose owner does not allow it, is left alone, and it is logged.
        """

        async def all_of_them() -> None:
            for ask in servers_of(self.client):
                try:
                    await ask("BGREWRITEAOF")
                except ResponseError as refusal:
                    logger.info("a store does not write its file anew: %s", refusal)

        await self.answer(all_of_them())

    async def answer(self, asked: Awaitable[Any], timeout_seconds: float | None = ANSWER_SECONDS) -> Any:
        """What the store answers to commands of this client, in time; raises StoreUnavailable with the cause."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asked
        except StoreRefused:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_own_end(error):
                raise
            raise self.unavailable(error) from error

    def unavailable(self, error: BaseException) -> StoreUnavailable:
        """The error for callers; the embedded store's own record of what ails it goes before `store_down`.

        What has no word of its own is logged, once for each class; so is why a login was refused.
        """
        if isinstance(error, StoreUnavailable):
            return error
        cause = cause_of(error)
        self._lost += not self._has_nodes and is_out_of_reach(cause)
        if self._data is not None and cause in {"store_down", "store_loading"}:
            cause = recorded_cause(self._data) or cause
        if cause == UNKNOWN and type(error) not in self._told:
            self._told.add(type(error))
            logger.error("the store's client failed with %s: %s", type(error).__name__, error, exc_info=error)
        if cause == LOGIN_REFUSED and (reason := reason_of(error)) not in self._reasons:
            self._reasons.add(reason)
            logger.error("the store at %s refuses this service, or is another one: %s", self.address, reason)
        return StoreUnavailable(cause)

    async def close(self) -> None:
        """Closes all connections; one that cannot be closed in time is left to the end of the process."""
        for held in [*self._held]:
            await self.release(held)
        await self._closed(self.client.aclose)

    async def _closed(self, close: Callable[[], Awaitable[object]]) -> None:
        try:
            await self.answer(close())
        except StoreUnavailable as unavailable:
            logger.info("a connection to the store was not closed: %s", unavailable.cause)

    async def _look_for_nodes(self, client: Client) -> None:
        """Which node has which slots, from any that lives; a single server needs no looking for."""
        if isinstance(client, RedisCluster):
            await client.initialize()
            await client.nodes_manager.initialize()

    async def _execute(self, key: str, *words: Argument) -> Any:
        """On a cluster by the node that is known to have the key, and no other: a slot that moves is not whole."""
        if isinstance(self.client, RedisCluster):
            await self.client.initialize()
            return await node_of(key, self.client).execute_command(*words)
        return await self.client.execute_command(*words)

    async def _replicated(self, key: str, held: HeldConnection | None, until: float, *words: Argument) -> Any:
        """The answer to a command that counts once enough replicas have it, and all that was written before it.

        A server waits for what the same connection wrote: so all goes over one, and a repeat must write as well.
        """
        waiting, clock = self._prepared.waiting if self._prepared else (), asyncio.get_running_loop().time
        wanted = self._wanted.replicas

        def asked_again(kept: Any) -> Command | None:
            left = until - clock()
            if kept is not None and (left <= 0 or _replicas_of(kept) >= wanted):
                return None
            return *waiting, max(1, int(min(left, ASKED_AGAIN_SECONDS) * 1000))

        if held is not None:
            answer, kept = await held.execute_then(words, asked_again)
        else:
            answer, kept = await answers_of(self.client, key, words, asked_again)
        if _replicas_of(kept) < wanted:
            raise StoreUnavailable(REPLICAS_SHORT)
        return answer

    async def _called(self, calls: Sequence[Call], timeout_seconds: float) -> list[Any]:
        answers: list[Any] = [None] * len(calls)

        async def ask(wanted: str) -> None:
            for index, (function, key, arguments) in enumerate(calls):
                if key == wanted:
                    answers[index] = await self.call(function, key, *arguments, timeout_seconds=timeout_seconds)

        await together(*map(ask, {key for _, key, _ in calls}))
        return answers

    async def _called_at_once(self, calls: Sequence[Call]) -> list[Any]:
        try:
            return await self._piped(calls)
        except ResponseError as error:
            if NOT_LOADED not in str(error):
                raise
            await load_functions(self.client)
        return await self._piped(calls)

    async def _asked(self, words: Command) -> Any:
        if self._prepared is None or self._known != self._lost:
            await self.prepare()
        return await cast("Awaitable[Any]", self.client.execute_command(*words))

    async def _piped(self, commands: Sequence[tuple[Any, ...]], *, transaction: bool = False) -> list[Any]:
        if self._prepared is None or self._known != self._lost:
            await self.prepare()
        answers: list[Any] = [None] * len(commands)

        async def ask(index: int, words: Command) -> None:
            answers[index] = await self.answer(self._asked(words), None)

        if isinstance(self.client, RedisCluster) and not transaction:
            await together(*[ask(*each) for each in enumerate(commands)])
            return answers
        pipeline = self.client.pipeline(transaction=transaction)
        for words in commands:
            is_call = isinstance(words[-1], tuple)  # of one of our functions
            pipeline.execute_command(*(("FCALL", words[0], 1, words[1], *words[-1]) if is_call else words))
        return await pipeline.execute()


def _replicas_of(kept: Any) -> int:
    """What WAITAOF, which counts the server itself too, or WAIT says."""
    return kept[-1] if isinstance(kept, list) else kept
