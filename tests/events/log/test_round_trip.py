"""What a worker writes to the stream leaves the log as it was."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.writing import exported
from worlds.drawn import JSON, values

from events.parts.manifest import PartName
from events.parts.sealing import Place, write_part
from events.records import Record, stream_number, stream_text
from events.writer.decoding import Entry, received_date, rows
from kit.time import DAY_US

OBJECTS = st.none() | st.dictionaries(st.text(max_size=6), JSON, max_size=3)
RECORDS = st.builds(
    Record,
    **{field.name: values(field.type) for field in msgspec.structs.fields(Record)}
    | {"properties": OBJECTS, "context": OBJECTS},
)


@settings(max_examples=25)
@given(st.lists(RECORDS, min_size=1, max_size=5, unique_by=lambda record: record.message_id), st.integers(1, 5))
def test_what_a_worker_writes_to_the_stream_leaves_the_export_as_it_was(records: list[Record], limit: int) -> None:
    number = stream_number(20_000 * DAY_US // 1000, 0)
    entry = Entry(number, 0, msgspec.json.encode(records))
    table = rows(0, [entry], 20_001 * DAY_US)
    with TemporaryDirectory() as data:
        write_part(Place(Path(data) / "log", received_date(20_000 * DAY_US), PartName(0, 0, 0, 0), number), [table])
        found = exported(Path(data), limit)
    told = [
        {name: value for name, value in msgspec.structs.asdict(record).items() if value is not None}
        | {"authority": record.authority.word}
        for record in records
    ]
    stored = {"shard": 0, "stream_id": stream_text(number), "received_at": 20_000 * DAY_US}
    assert found == [{**row, **stored, "position": place} for place, row in enumerate(told)]
