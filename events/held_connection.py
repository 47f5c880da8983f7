"""One connection that a single caller holds: a command costs half of what it costs through the client's pool."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError


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
