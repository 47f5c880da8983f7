"""A small data directory and store with one of each thing that is kept, made by the product itself."""

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from oracles.writing import exported_ids, record, write_all, writing

from app.people.member import TeamMember
from app.people.sessions import Sessions
from app.processes.design_freeze import DesignMirror
from app.runtime.format import note_format
from app.runtime.settings import Settings
from events.authority import Authority
from events.deletes.tombstones import Tombstone, add_tombstones, exact_digest, mirror_tombstones
from events.ingest.log_ins import LogIns
from events.ingest.stream import Stream
from events.log.verify import set_aside
from events.parts.digests import VISITOR_SEED, digest
from events.parts.part import live_parts
from events.records import Record
from events.store.connection import Connection, connect
from events.store.embedded import EmbeddedStore
from events.store.keys import survey_answers_key
from events.store.shared_reads import SharedReads
from events.writer.compaction import Compaction
from events.writer.lease import Lease, Owner
from experiments.catalog.files import CatalogPaths
from experiments.catalog.freeze import FreezeSources
from experiments.catalog.overrides import Order, order
from experiments.catalog.phases import read_phases
from experiments.catalog.publisher import CatalogKeeper

FORMATS: Final = Path(__file__).with_name("formats")
LATER: Final = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
DAY: Final = datetime(2026, 11, 1, tzinfo=UTC)
DEFINITIONS: Final = {
    "shop.yaml": "currency: EUR\ntimezone: Europe/Berlin\nprivacy: {default_consent: personal}\n",
    "banner.yaml": (
        "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"
        "secondary: [revenue_per_visitor]\naudience: {where: {country: {$in: [DE, AT]}}}\n"
    ),
    "strip.yaml": "key: strip\nstatus: draft\nvariants: [control, bundle]\ngoal: purchase_rate\n",
}
FULL: Final[dict[str, Any]] = {  # every column of the log has a value
    "authority": Authority.BACKEND,
    "bot": False,
    "context": {"library": {"name": "sample"}},
    "country": "DE",
    "currency": "EUR",
    "device": "desktop",
    "engaged_ms": 1_200,
    "event": "Order Completed",
    "experiment": "banner",
    "exposure_source": "ofrep",
    "network": 7,
    "order_id": "o-1",
    "page_view_id": "view-1",
    "path": "/cart",
    "phase": 0,
    "prices": [4.5],
    "product_ids": ["p-1"],
    "propensity": 0.5,
    "properties": {"coupon": "spring"},
    "quantities": [2.0],
    "site": "de",
    "url": "https://shop.example/cart",
    "user_id": "u-1",
    "value": 9.0,
    "variant": "threshold",
}


async def make_sample(folder: Path, scratch: Path) -> None:
    """Fill an empty folder with `directory/`, `store.json` and `expected.json`; the store runs in `scratch`."""
    data = folder / "directory"
    data.mkdir(parents=True)
    note_format(data)
    _keep_catalogue(data, scratch / "definitions")
    embedded = EmbeddedStore(scratch)
    embedded.start()
    connection = await connect(None, embedded.socket, data=scratch)
    try:
        await _keep_events(connection, data)
        await _keep_the_rest(connection, data, Settings(redis_url=f"unix://{embedded.socket}", data=scratch))
        kept = await store_content(connection)
    finally:
        await connection.close()
        embedded.stop()
    (folder / "store.json").write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    for path in {*data.rglob(".*"), *data.rglob("*.lock"), *data.rglob("ballast-*")}:  # of processes, not of data
        path.unlink()
    (folder / "expected.json").write_text(json.dumps(await read_sample(folder, scratch / "read"), indent=1) + "\n")


async def read_sample(folder: Path, scratch: Path) -> list[str]:
    """Put a sample's data and store in place, let this release go on with them, and export; what it gives, by id."""
    data = scratch / "data"
    data.parent.mkdir(parents=True)
    _copy(folder / "directory", data)
    embedded = EmbeddedStore(scratch)
    embedded.start()
    empty = await connect(None, embedded.socket, data=scratch)
    await empty.client.flushall()
    await restore_store(empty, json.loads((folder / "store.json").read_text()))
    await empty.close()
    connection = await connect(None, embedded.socket, data=scratch)
    try:
        async with writing(connection, data):
            stream = Stream(connection)
            await stream.append([record("m-1"), record("m-new")])  # the first is known: it comes again
            await stream.close()
        return exported_ids(data)
    finally:
        await connection.close()
        embedded.stop()


async def store_content(connection: Connection) -> dict[str, Any]:
    """What a store holds, by key; texts that are not UTF-8 in base64."""
    client: Any = connection.client
    found: dict[str, Any] = {}
    for key in await client.keys("*"):
        kind = (await client.type(key)).decode()
        read = {"hash": client.hgetall, "string": client.get, "stream": client.xrange}[kind]
        found[key.decode()] = {kind: _told(await read(key))}
    return found


async def restore_store(connection: Connection, kept: dict[str, Any]) -> None:
    """Fill an empty store with what `store_content` told."""
    client: Any = connection.client
    for key, value in kept.items():
        if "hash" in value:
            await client.hset(key, mapping=_pairs(value["hash"]))
        elif "string" in value:
            await client.set(key, _bytes(value["string"]))
        else:
            for stream_id, fields in value["stream"]:
                await client.xadd(key, _pairs(fields), id=_bytes(stream_id))


def _keep_catalogue(data: Path, definitions: Path) -> None:
    definitions.mkdir(parents=True)
    for name, text in DEFINITIONS.items():
        (definitions / name).write_text(text)
    keeper = CatalogKeeper(definitions, data, lambda: DAY, FreezeSources(), lambda: 0.0)
    catalog = keeper.boot()
    order(data, catalog, Order("banner", "pause"), DAY)
    assert keeper.poll()


async def _keep_events(connection: Connection, data: Path) -> None:
    """Parts as they are cut, merged, set aside and behind a tombstone, and events that no part holds."""
    stream = Stream(connection)

    async def keep(*events: Record) -> None:
        await stream.append(events)
        await write_all(connection, data)

    await keep(record("m-lost"))
    [lost] = live_parts(data / "log")
    lost.path.write_bytes(lost.path.read_bytes()[:-1])
    set_aside(data, lost.path.name, DAY)
    await keep(record("m-1"), record("m-full", **FULL))
    await keep(record("m-2", "v-2"), record("m-erased", "v-erased"))
    assert Compaction(data, 0, lambda: LATER).run()
    Compaction(data, 0, lambda: LATER).run()  # what was merged goes
    await keep(record("m-3", "v-3", type="exposure", experiment="banner", variant="control", phase=0))
    newest = live_parts(data / "log")[-1]
    stone = Tombstone(
        kind="visitor",
        digest=exact_digest("v-erased"),
        candidate=digest("v-erased", VISITOR_SEED),
        positions={0: newest.last_stream_number},
        erased_at=1_790_000_000_000_000,
    )
    add_tombstones(data, [stone])
    await mirror_tombstones(connection, data)
    await stream.append([record("m-waits"), record("m-waits-too", "v-4", authority=Authority.BACKEND)])
    await stream.close()


async def _keep_the_rest(connection: Connection, data: Path, settings: Settings) -> None:
    """One of each other key of the store."""
    await Lease(connection, Owner.of(data, 7)).claim()
    reads = SharedReads(connection)
    await LogIns(connection, reads, data / "log-ins", lambda *_: None).begin("v-1", "u-1", 3_600)
    await reads.close()
    member = TeamMember(id="1", email="ada@shop.example", role="admin", generation="1", added="2026-11-01")
    await Sessions(connection).begin(member, "a browser", DAY.timestamp())
    await connection.ask_many([("HSET", survey_answers_key("2026-11-01"), "link-1", "1")])
    for design in read_phases(CatalogPaths(data)).values():
        await asyncio.to_thread(DesignMirror(settings), design)


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def _told(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return sorted([_told(name), _told(each)] for name, each in value.items())
    return [_told(each) for each in value]


def _bytes(told: Any) -> bytes:
    return told.encode() if isinstance(told, str) else base64.b64decode(told["base64"])


def _pairs(told: Sequence[Any]) -> dict[bytes, bytes]:
    return {_bytes(name): _bytes(value) for name, value in told}
