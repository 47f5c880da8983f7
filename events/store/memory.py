"""How much memory the store has, and how much of it nothing gives back until a part holds what is in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from events.store.connection import Connection
from events.store.keys import events_key


@dataclass(frozen=True, slots=True)
class StoreMemory:
    """Bytes of all servers together: what they may take (0: no limit), what they hold and cannot evict, and how long
    the files are that they append to (0 where they write none).
    """

    limit: int
    held: int
    appended: int = 0

    @property
    def share(self) -> float:
        """Of the limit that is held; 0 without a limit."""
        return self.held / self.limit if self.limit else 0.0


async def read_memory(connection: Connection) -> StoreMemory:
    """Asks each server and each shard. Raises StoreUnavailable.

    Histories fill whatever is free, so what is used says little: what is held is made up of the streams, the ids, the
    connections, and what the server needs itself. Where no key expires that is all that is used.
    """
    limit = used = own = evictable = appended = 0
    servers: Sequence[Mapping[str, Any]] = await connection.ask_each("INFO", "memory", "keyspace", "persistence")
    for told in servers:
        limit += int(told["maxmemory"])
        used += int(told["used_memory"])
        appended += int(told.get("aof_current_size", 0))
        own += int(told["used_memory_startup"]) + int(told.get("mem_clients_normal", 0))
        own += int(told.get("used_memory_vm_total", 0)) + int(told.get("used_memory_functions", 0))
        evictable += sum(int(each["expires"]) for name, each in told.items() if name.startswith("db"))
    if not evictable:
        return StoreMemory(limit, used, appended)
    shards = await connection.call_many(
        [("resonate_memory", events_key(each), ()) for each in range(connection.shards)]
    )
    return StoreMemory(limit, min(used, own + sum(map(sum, shards))), appended)
