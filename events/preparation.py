"""The start-up check of a store: its settings, our functions in it, and the number of shards recorded there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from events.columns import stream_number
from events.keys import LIBRARY, SHARDS, events_key, watermark_key
from events.store_errors import StoreRefused

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
