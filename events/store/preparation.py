"""What is seen to before a store is used: that it may be, our functions in it, the number of shards."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ResponseError

from events.records import position_number
from events.store.availability import StoreRefused
from events.store.keys import LIBRARY, SHARDS, events_key, watermark_key

Client: TypeAlias = Redis | RedisCluster

FUNCTIONS: Final = Path(__file__).with_name("functions.lua")
MOST_SHARDS: Final = 1024
OLDEST_VERSION: Final = 7


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the start-up check found; `warnings` are sentences for the operator."""

    shards: int
    version: str
    memory_limit: int  # bytes, of all servers together; 0 is none
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask of a store: how many shards (None: those that are recorded), how many replicas."""

    shards: int | None = None
    replicas: int = 0


async def prepare(client: Client, wanted: Wanted) -> Preparation:
    """Makes a store ready for events; raises StoreRefused for one not to be used, a client's error when it is down."""
    if isinstance(client, RedisCluster):
        await client.initialize()
    warnings: list[str] = []
    version, memory_limits = "", list[int]()
    for ask in servers_of(client):
        information: Mapping[str, Any] = await ask("INFO", "server")
        name = "valkey" if "valkey_version" in information else "redis"
        number = str(information[f"{name}_version"])
        version = f"{name} {number}"
        if int(number.split(".")[0]) < OLDEST_VERSION:
            raise StoreRefused(f"the store is {version}; Resonate needs Valkey or Redis {OLDEST_VERSION} or newer")
        warnings.extend(await _weak_settings(ask))
        memory: Mapping[str, Any] = await ask("INFO", "memory")
        memory_limits.append(int(memory.get("maxmemory", 0)))
    await load_functions(client)
    shards = await _agreed_shards(client, wanted.shards)
    return Preparation(shards, version, sum(memory_limits) if all(memory_limits) else 0, tuple(dict.fromkeys(warnings)))


async def load_functions(client: Client) -> None:
    """Loads functions.lua where the store does not hold exactly this text already."""
    code = FUNCTIONS.read_text(encoding="utf-8")
    for ask in servers_of(client):
        listed = await ask("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
        if repr(code.encode()) not in repr(listed):  # lists or dicts, as the server's protocol has it
            await ask("FUNCTION", "LOAD", "REPLACE", code)


def servers_of(client: Client) -> list[Callable[..., Awaitable[Any]]]:
    """How to ask each server: the only one, or each primary of a cluster."""
    execute: Callable[..., Awaitable[Any]] = client.execute_command
    if isinstance(client, RedisCluster):
        return [partial(execute, target_nodes=node) for node in client.get_primaries()]
    return [execute]


async def _weak_settings(ask: Callable[..., Awaitable[Any]]) -> list[str]:
    try:
        answer = await ask("CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync")
    except ResponseError:  # managed services forbid CONFIG
        return [
            "the store does not let its settings be read: see to it that it evicts by volatile-lru alone and fsyncs"
            " every write"
        ]
    settings = {name.decode(): value.decode() for name, value in dict(answer).items()}
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction" and not policy.startswith("volatile-"):
        raise StoreRefused(
            f"the store's maxmemory-policy is {policy}, which drops events when memory runs out; set it to volatile-lru"
        )
    weak: list[str] = []
    if policy == "noeviction":
        weak.append(
            "the store's maxmemory-policy is noeviction: purchase histories can take the memory that events need; set"
            " it to volatile-lru, which drops histories alone"
        )
    if settings.get("appendonly") != "yes":
        weak.append("the store keeps no append-only file: acknowledged events are lost with it; set appendonly yes")
    elif settings.get("appendfsync") != "always":
        risk = "the last second of acknowledged events can be lost; set it to always"
        weak.append(f"the store's appendfsync is {settings.get('appendfsync')}: {risk}")
    return weak


async def _agreed_shards(client: Client, wanted: int | None) -> int:
    if wanted is not None and not 1 <= wanted <= MOST_SHARDS:
        raise StoreRefused(f"RESONATE_SHARDS is {wanted}; it may be from 1 to {MOST_SHARDS}")
    default = 16 if isinstance(client, RedisCluster) else 1
    await client.execute_command("SET", SHARDS, wanted or default, "NX")
    answer: Any = await client.execute_command("GET", SHARDS)
    recorded = int(answer)
    if wanted is None or wanted == recorded:
        return recorded
    for shard in range(recorded):
        newest = await client.execute_command("XREVRANGE", events_key(shard), "+", "-", "COUNT", 1)
        written: Any = await client.execute_command("HGET", watermark_key(shard), "stream_id")
        if newest and position_number(newest[0][0]) > int(written or 0):
            still = f"the store holds events in {recorded} shards that no part holds yet"
            raise StoreRefused(f"RESONATE_SHARDS is {wanted}, but {still}; let it drain with {recorded} shards first")
    await client.execute_command("SET", SHARDS, wanted)
    return wanted
