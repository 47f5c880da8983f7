"""A connection to the store that its owner keeps, for one command at a time, with little work for each."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import InvalidResponse, ResponseError, SlotNotCoveredError

from events.store.preparation import Client

Command: TypeAlias = tuple[str | bytes | int, ...]
Then: TypeAlias = Callable[[Any], Command | None]
"""The next command by the answer to the one before it, which is None at first; None: there is no further one."""

READ_SIZE: Final = 65_536  # asked for by the parser whose words for errors are used; it reads nothing here


class HeldConnection:
    """A connection of a single server, made when first used and again after it broke. One command at a time.

    The client opens and closes it, so that logging in, TLS and checks are its business; in between answers are read
    here. The pool's book-keeping, retries and hooks took most of a flush, and of what was left the client's packing and
    streams a large part (benchmarks/ingest.py counts flushes).
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._connection: AbstractConnection | None = None
        self._answers: Answers | None = None

    async def execute(self, *words: str | bytes | int) -> Any:
        """The answer to one command; raises redis' errors. After anything but an answer the connection is new."""
        try:
            if self._answers is None or self._answers.lost:
                self._answers = await self._opened()
            return await self._answers.to(words)
        except ResponseError:  # an answer: nothing of it is left unread
            raise
        except BaseException:
            await self.close(nowait=True)
            raise

    async def execute_then(self, words: Command, then: Then) -> tuple[Any, Any]:
        """The answers to a command and to the last of those after it, which must come over the same connection."""
        answer = await self.execute(*words)
        last: Any = None
        try:
            while (next_words := then(last)) is not None:
                if self._answers is None:
                    raise ConnectionLost("the store has closed the connection")
                last = await self._answers.to(next_words)
            return answer, last
        except ResponseError:
            raise
        except BaseException:
            await self.close(nowait=True)
            raise

    async def close(self, *, nowait: bool = False) -> None:
        """Closes the connection; the next command would open it again."""
        self._answers = None
        if self._connection is not None:
            await self._connection.disconnect(nowait=nowait)

    async def _opened(self) -> "Answers":
        await self.close(nowait=True)
        self._connection = self._connection or self._client.connection_pool.make_connection()
        await self._connection.connect()
        return Answers(self._connection)


async def answers_of(client: Client, key: str, words: Command, then: Then) -> tuple[Any, Any]:
    """What `execute_then` answers, by the server of a key, over one connection of its pool."""
    async with _pooled(client, key) as connection:
        await connection.send_command(*words)
        answer, last = await connection.read_response(), None
        while (next_words := then(last)) is not None:
            await connection.send_command(*next_words)
            last = await connection.read_response()
        return answer, last


def node_of(key: str, cluster: RedisCluster) -> ClusterNode:
    """The one that is known to have a key; raises redis' error where none is."""
    node = cluster.get_node_from_key(key)
    if node is None:
        raise SlotNotCoveredError(f"no node is known to have {key}")
    return node


@asynccontextmanager
async def _pooled(client: Client, key: str) -> AsyncGenerator[AbstractConnection]:
    """A connection to the server of a key, for more than one command."""
    if isinstance(client, RedisCluster):
        await client.initialize()
        node = node_of(key, client)
        connection = node.acquire_connection()
        try:
            yield connection
        finally:
            node.release(connection)
    else:
        pool = client.connection_pool
        pooled = await pool.get_connection()
        try:
            yield pooled
        finally:
            await pool.release(pooled)


class Answers(asyncio.Protocol):
    """Reads what a server answers, in place of the stream that the client has set up."""

    def __init__(self, connection: Any) -> None:
        """`connection` is a connected one of the client's, on which no answer is due."""
        self.lost = False
        self._transport: asyncio.Transport = connection._writer.transport
        self._stream = self._transport.get_protocol()  # to be told of the end, for which the client may wait
        self._due: asyncio.Future[Any] | None = None
        self._new_future = asyncio.get_running_loop().create_future
        errors = DefaultParser(socket_read_size=READ_SIZE).parse_error
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=errors)
        self._transport.set_protocol(self)

    def to(self, words: Command) -> asyncio.Future[Any]:
        """Sends a command; the future gives its answer. Raises redis' errors, and so does the future."""
        if self.lost:
            raise ConnectionLost("the store has closed the connection")
        packed = hiredis.pack_command(words)  # pyright: ignore[reportArgumentType] - its types mean a tuple of one
        self._due = self._new_future()
        self._transport.write(packed)
        return self._due

    def data_received(self, data: bytes) -> None:
        """Gives what is due, once all of it is there. What a server says unasked is not for us."""
        self._reader.feed(data)
        try:
            while (answer := self._reader.gets()) is not False:
                if not isinstance(answer, hiredis.PushNotification):
                    self._give(answer)
        except InvalidResponse as error:
            self._give(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits hears of it."""
        self.lost = True
        self._give(ConnectionLost("the store has closed the connection"))
        self._stream.connection_lost(exc)

    def _give(self, answer: Any) -> None:
        due, self._due = self._due, None
        if due is None or due.done():
            return
        if isinstance(answer, Exception):
            due.set_exception(answer)
        else:
            due.set_result(answer)
