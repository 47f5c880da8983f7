"""Erases a person: at once from every readout, export and recommendation, soon from parts, stream and store files."""

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import PersonKind, Tombstone, add_tombstones, mirror_tombstones
from events.ingest.group_commit import forget_exposures
from events.ingest.history import forget
from events.ingest.log_ins import forget_log_ins
from events.log.reader import LogReader
from events.privacy.journal import ErasureJournal
from events.privacy.person import Identity, Person, exposures_lately, person_of
from events.records import user_person, visitor_person
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.tallies.refused_events import forget_people
from events.writer.watermark import wait_until_written
from kit.time import DAY_US, now_us

_logger = logging.getLogger(__name__)
WAIT_SECONDS: Final = 1.5


class SeveralPeople(Exception):
    """More than one user was seen with an id, as on a shared computer, and nobody said which of them are meant."""


async def erase(
    connection: Connection, reader: LogReader, kind: PersonKind, identifier: str,
    only: Collection[str] | None = None, journal: ErasureJournal | None = None,
) -> Identity:  # fmt: skip
    """Erase a person and return all ids that went with the one given; of several users those in `only`.

    When it returns, tombstones on the disk hide every row up to now, the purchase history is gone, no list of
    refused events names them, and the store has
    begun to rewrite its file; the next compaction drops the rows. Who returns later counts anew. The journal, if there
    is one, has it then. Raises SeveralPeople; JournalUnusable with nothing erased;
    StoreUnavailable, also when the writer is too far behind to say who is joined with whom: then ask again. Raises
    DataDamaged when a part is missing: nobody could say that the person is not in it.
    """
    written = await wait_until_written(connection, WAIT_SECONDS)
    if written.behind:
        raise StoreUnavailable(written.causes[0] if written.causes else "log_behind")
    found = await asyncio.to_thread(person_of, reader, kind, identifier, only)
    if found.is_several:
        raise SeveralPeople
    person = found.person
    stones = tombstones_of(person, _ends(reader) | dict(written.asked), now_us())
    if journal is not None:  # what is not in it would come back with a copy of the data: then nothing is erased
        await asyncio.to_thread(journal.append, stones)
    await forget_log_ins(connection, person.visitors)
    # The histories go first: once the rows are erased they join nobody, and who asks again would leave them.
    await forget(connection, [*map(visitor_person, person.visitors), *map(user_person, person.users)])
    # Of who returns today the same exposure is a new one.
    shown = await asyncio.to_thread(exposures_lately, reader, person, now_us() - DAY_US)
    await forget_exposures(connection, shown)
    await asyncio.to_thread(forget_people, reader.data, person.visitors | person.users)
    await asyncio.to_thread(add_tombstones, reader.data, stones)
    await mirror_tombstones(connection, reader.data)
    try:
        await connection.rewrite_file()
    except StoreUnavailable as error:  # erased it is; the file is written anew some other time
        _logger.info("the store was not asked to rewrite its file", extra={"why": str(error)})
    return found


def _ends(reader: LogReader) -> dict[int, int]:
    """How far the parts of each shard reach, also of one that this store does not have: it had more, or was another."""
    ends: dict[int, int] = {}
    for part in reader.parts():
        ends[part.shard] = max(part.last_stream_number, ends.get(part.shard, 0))
    return ends


def tombstones_of(person: Person, positions: dict[int, int], erased_at: int) -> list[Tombstone]:
    """What erases exactly the rows of a person up to these stream numbers of all shards."""
    stones = [tombstone("user", user, positions, erased_at) for user in person.users]
    stones += [
        tombstone("visitor", visitor, positions, erased_at, unnamed=visitor not in person.whole)
        for visitor in person.visitors
    ]
    return stones
