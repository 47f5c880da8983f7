"""Every key in the store is documented, and nothing else is ever written there."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oracles import store_keys

from events.ingest.stream import Stream
from events.records import Record
from events.store import keys
from events.store.connection import Connection

pytestmark = pytest.mark.anyio
DOCUMENTED = Path(__file__).parents[3] / "docs" / "store.md"


def documented_keys() -> set[str]:
    table = DOCUMENTED.read_text(encoding="utf-8").partition("## Keys")[2].partition("## Functions")[0]
    return {match.group(1) for match in re.finditer(r"^\| `([^`]+)` \|", table, re.MULTILINE)}


def keys_in_code() -> Iterator[str]:
    yield keys.FORMAT
    yield keys.SHARDS
    yield keys.DESIGNS
    yield keys.OWNER
    yield keys.TOMBSTONES
    yield keys.SESSIONS
    for of_pages in (True, False):
        key = store_keys.bucket_key(0, 1, 2, of_pages=of_pages)
        yield key.replace("{0}", "{s}").replace("1:2", "<generation>:<bucket>")
    yield store_keys.generations_key(0, of_pages=False).replace("{0}", "{s}")
    for name, make in {**vars(keys), **vars(store_keys)}.items():
        if name.startswith("history") and callable(make):
            yield make("<person>")
        elif name == "log_in_key":
            yield make("<bucket>")
        elif name == "survey_answers_key":
            yield make("<day>")
        elif name.endswith("_key") and name != "bucket_key" and callable(make):
            yield make(0).replace("{0}", "{s}")


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    assert set(keys_in_code()) == documented_keys()


async def test_nothing_undocumented_is_written(
    connection: Connection, stream: Stream, record: Callable[..., Record]
) -> None:
    order = {"event": "Order Completed", "order_id": "o-1", "product_ids": ["p-1"]}
    await stream.append([record("m-1", **order), record("m-2", user_id="u-1", type="identify")])
    await connection.call("resonate_mark", "{0}:events", "1-1", "stream_id", "1")
    patterns = [
        re.escape(key)
        .replace(re.escape("{s}"), r"\{\d+\}")
        .replace("<generation>", r"\d+")
        .replace("<bucket>", r"\d+")
        .replace("<person>", ".+")
        for key in documented_keys()
    ]
    for key in await connection.client.keys("*"):
        assert any(re.fullmatch(pattern, key.decode()) for pattern in patterns), key


def test_every_function_is_documented() -> None:
    code = (Path(keys.__file__).parent / "functions.lua").read_text(encoding="utf-8")
    functions = set(re.findall(r'"(resonate_\w+)"', code))
    assert functions == set(re.findall(r"`(resonate_\w+)`", DOCUMENTED.read_text(encoding="utf-8")))


def test_every_cause_is_documented() -> None:
    folder = Path(keys.__file__).parent
    used: set[str] = set()
    for path in folder.glob("*.py"):
        used |= set(re.findall(r'"(store_[a-z]+(?:_[a-z]+)*)"', path.read_text(encoding="utf-8")))
    documented = set(re.findall(r"`(store_\w+)`", DOCUMENTED.read_text(encoding="utf-8")))
    assert used <= documented
