"""What is seen to before a store is used: a client of it, that it may be, our functions in it, how many shards."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from msgspec.structs import asdict
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from events.format import UNMARKED, Format, Release, this_release
from events.records import position_number
from events.store.address import StoreAddress
from events.store.availability import StoreRefused, reason_of
from events.store.keys import FORMAT, LIBRARY, SHARDS, events_key, watermark_key
from kit.private import is_trusted

Client: TypeAlias = Redis | RedisCluster

ANSWER_SECONDS: Final = 1.0
FUNCTIONS: Final = Path(__file__).with_name("functions.lua")
MOST_SHARDS: Final = 1024
OLDEST_VERSION: Final = 7


class OwnStore(UnixDomainSocketConnection):
    """A connection to the embedded store, which runs as the same user: another one's server hears nothing."""

    async def _connect(self) -> None:
        await super()._connect()
        if self._writer is not None and not is_trusted(self._writer.get_extra_info("socket").fileno()):
            raise ConnectionLost(f"the server at {self.path} is another user's")


def client_of(address: StoreAddress | None, socket_path: Path | None) -> Client:
    """A client that connects when it is first asked. Raises StoreRefused where TLS cannot use its files."""
    options: dict[str, Any] = {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": None,  # `Connection.answer` keeps the time, once per call and not once per read
        "max_connections": 512,  # per worker and server
        "retry": Retry(NoBackoff(), 0),
    }
    if address is None:
        if socket_path is None:
            raise StoreRefused("no store given: neither RESONATE_REDIS_URL nor the embedded store's socket")
        client = Redis(unix_socket_path=str(socket_path), **options)
        client.connection_pool.connection_class = OwnStore
        return client
    options |= address.options
    if address.scheme == "unix":
        return Redis(unix_socket_path=options.pop("path"), **options)
    if address.is_tls:
        options |= {"ssl": True}
        _check_files(address)
    if address.is_cluster:  # by any of its nodes, one that lives is enough
        return RedisCluster(startup_nodes=[ClusterNode(*place) for place in address.nodes], **options)
    [(host, port)] = address.nodes
    return Redis(host=host, port=port, **options)


def _check_files(address: StoreAddress) -> None:
    """That TLS can use its files is known before anybody waits for the store."""
    for name, path in address.files.items():
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise StoreRefused(
                f"RESONATE_REDIS_URL: {name} names {path}, which cannot be read: {error.strerror}"
            ) from None
    options = {name: value for name, value in address.options.items() if name.startswith("ssl_")}
    try:
        SSLConnection(**options).ssl_context.get()
    except (ssl.SSLError, OSError, ValueError) as error:
        named = " and ".join(f"{name} {path}" for name, path in address.files.items())
        raise StoreRefused(f"RESONATE_REDIS_URL: TLS cannot use {named}: {reason_of(error)}") from None


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the start-up check found; `warnings` are sentences for the operator."""

    shards: int
    version: str
    memory_limit: int  # bytes, of all servers together; 0 is none
    warnings: tuple[str, ...]
    waiting: tuple[str | int, ...] = ()  # the command that waits for replicas, without its milliseconds


@dataclass(frozen=True, slots=True)
class StoreDemands:
    """What the settings ask of a store: how many shards (None: those that are recorded), how many replicas."""

    shards: int | None = None
    replicas: int = 0


async def prepare(client: Client, wanted: StoreDemands) -> Preparation:
    """Makes a store ready for events; raises StoreRefused for one not to be used, a client's error when it is down."""
    if isinstance(client, RedisCluster):
        await client.initialize()
    warnings: list[str] = []
    version, memory_limits, waiting = "", list[int](), ()
    for ask in servers_of(client):
        information: Mapping[str, Any] = await ask("INFO", "server")
        name = "valkey" if "valkey_version" in information else "redis"
        number = str(information[f"{name}_version"])
        version = f"{name} {number}"
        if int(number.split(".")[0]) < OLDEST_VERSION:
            raise StoreRefused(f"the store is {version}; Resonate needs Valkey or Redis {OLDEST_VERSION} or newer")
        warnings.extend(await _weak_settings(ask))
        if wanted.replicas:
            waiting = await _waiting(ask, wanted.replicas)
            warnings.extend(await _short_of_replicas(ask, wanted.replicas))
        memory: Mapping[str, Any] = await ask("INFO", "memory")
        memory_limits.append(int(memory.get("maxmemory", 0)))
    await settle_format(client)
    await load_functions(client)
    shards = await _agreed_shards(client, wanted.shards)
    return Preparation(
        shards, version, sum(memory_limits) if all(memory_limits) else 0, tuple(dict.fromkeys(warnings)), waiting
    )


async def settle_format(client: Client, release: Release | None = None) -> None:
    """Note in which format this release keeps what is in the store, before it keeps anything there.

    The number never falls. Raises StoreRefused for a store whose format this release may not read or write.
    """
    release = release or this_release()
    fields: Any = await client.execute_command("HGETALL", FORMAT)
    try:
        found = Format.of_fields(fields) if fields else None
    except ValueError as error:
        raise StoreRefused(f"the store's {FORMAT} does not say in which format it is: {error}") from None
    if found is None and await client.execute_command("EXISTS", SHARDS):
        found = UNMARKED
    refusal = found and release.refusal("the store", found, writes=True)
    if refusal:
        raise StoreRefused(refusal)
    noted = release.noted(found)
    if noted != found or not fields:
        await client.execute_command("HSET", FORMAT, *chain.from_iterable(asdict(noted).items()))


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


async def _waiting(ask: Callable[..., Awaitable[Any]], replicas: int) -> tuple[str | int, ...]:
    """How a server waits until it and so many replicas have fsynced; where it cannot tell, until they have it."""
    try:
        await ask("WAITAOF", 1, 0, 1)
        return ("WAITAOF", 1, replicas)
    except ResponseError as refusal:
        if "appendonly" in str(refusal):  # it keeps no file itself, which is warned of
            return ("WAITAOF", 0, replicas)
        return ("WAIT", replicas)


async def _short_of_replicas(ask: Callable[..., Awaitable[Any]], replicas: int) -> list[str]:
    told: Mapping[str, Any] = await ask("INFO", "replication")
    found = int(told.get("connected_slaves", 0))
    if found >= replicas:
        return []
    wanted = f"RESONATE_STORE_REPLICAS asks for {replicas}"
    return [f"the store has {found} replicas, and {wanted}: events are refused until there are so many"]


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
