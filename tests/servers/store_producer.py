"""A process of its own that appends events without pause and writes down what it sent and what was acknowledged.

    python tests/servers/store_producer.py DATA NAME

Lines `sent ID…` (before) and `ok ID…` (after the acknowledgement) go to `DATA/NAME.journal`; each batch that is refused
(`refused ID`) is sent again under the same ids, and each acknowledged one once more.
"""

import asyncio
import os
import sys
from pathlib import Path

from events.ingest.stream import Stream
from events.records import Record
from events.store.availability import StoreUnavailable
from events.store.connection import connect
from events.store.process import socket_path

CLIENTS = 8
EVENTS = 10
PAUSE_SECONDS = 0.02  # before what was refused is sent again


async def send(stream: Stream, records: list[Record], journal: int) -> None:
    """Sends until it is acknowledged."""
    while True:
        try:
            await stream.append(records)
        except StoreUnavailable:
            os.write(journal, f"refused {records[0].message_id}\n".encode())
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


async def produce(data: Path, name: str) -> None:
    """Runs until the process is killed."""
    connection = await connect(None, socket_path(data), data=data)
    stream = Stream(connection)
    journal = os.open(data / f"{name}.journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def client(number: int) -> None:
        for batch in range(1_000_000):
            ids = [f"{name}.{number}.{batch}.{index}" for index in range(EVENTS)]
            records = [
                Record(message_id=each, type="track", visitor_id=f"v-{number}", time=1, event="x") for each in ids
            ]
            os.write(journal, f"sent {' '.join(ids)}\n".encode())
            await send(stream, records, journal)
            os.write(journal, f"ok {' '.join(ids)}\n".encode())
            await send(stream, records, journal)

    await asyncio.gather(*[client(number) for number in range(CLIENTS)])


if __name__ == "__main__":
    asyncio.run(produce(Path(sys.argv[1]), sys.argv[2]))
