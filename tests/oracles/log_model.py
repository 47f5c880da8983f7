"""The log beside a dictionary: a state machine that does to both whatever may be done, and compares."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from events.deletes.erased_rows import tombstone
from events.deletes.tombstones import Tombstone, add_tombstones
from events.log.export import Exporter
from events.log.reader import LogReader
from events.log.verify import verify_log
from events.parts.manifest import PartName
from events.parts.part import Part, live_parts
from events.parts.sealing import Place, write_part
from events.records import stream_number
from events.writer.compaction import Compaction
from events.writer.decoding import Entry, rows
from events.writer.resumption import newest_on_disk
from events.writer.writer import retain

START = datetime(2026, 9, 21, tzinfo=UTC)
SHARDS = 2
messages = st.integers(0, 12)
visitors = st.integers(0, 3)


class Row:
    """What the model knows of one row of the log."""

    def __init__(self, message: str, visitor: str, number: int, shard: int, day: date) -> None:
        self.message, self.visitor, self.shard, self.day = message, visitor, shard, day
        self.order = (number, shard)

    def stands_in(self, part: Part) -> bool:
        """Rows of a part follow each other in the stream."""
        return self.shard == part.shard and part.first_stream_number <= self.order[0] <= part.last_stream_number


def told(exporter: Exporter) -> list[tuple[str, str]]:
    """What an export gives: message and visitor, in order of the messages."""
    got: list[tuple[str, str]] = []
    cursor = None
    while (page := exporter.page(cursor, 3)).rows:
        got += [(row["message_id"], row["visitor_id"]) for row in page.rows]
        cursor = page.cursor
    return sorted(got)


class LogAgainstModel(RuleBasedStateMachine):
    """Appends, repeats, cuts, merges, erases and drops days, and compares after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.data = Path(self.folder.name)
        self.hours = 0
        self.ticks = count()
        self.waiting: dict[int, list[Entry]] = {shard: [] for shard in range(SHARDS)}
        self.unwritten: list[Row] = []
        self.rows: list[Row] = []
        self.erased: dict[str, tuple[int, int]] = {}
        self.exporter = Exporter(LogReader(self.data))

    def teardown(self) -> None:
        self.folder.cleanup()

    @property
    def now(self) -> datetime:
        return START + timedelta(hours=self.hours)

    def acknowledge(self, shard: int, entry: Entry) -> None:
        """The stream takes an entry."""
        self.waiting[shard].append(entry)

    def let_go(self, shard: int) -> None:
        """The stream forgets what stands in parts."""
        self.waiting[shard] = []

    def hide(self, stones: Sequence[Tombstone]) -> None:
        """Somebody is erased."""
        add_tombstones(self.data, stones)

    @rule(message=messages, visitor=visitors)
    def append(self, message: int, visitor: int) -> None:
        """One flush with one event, which may repeat a message of whoever it was."""
        shard = visitor % SHARDS
        number = stream_number(int(self.now.timestamp() * 1000), next(self.ticks))
        event = f'[{{"message_id":"m-{message}","type":"track","visitor_id":"v-{visitor}","time":1}}]'
        self.acknowledge(shard, Entry(number, 1, event.encode()))
        self.unwritten.append(Row(f"m-{message}", f"v-{visitor}", number, shard, self.now.date()))

    @rule(shard=st.integers(0, SHARDS - 1))
    def cut(self, shard: int) -> None:
        """What waits in a shard becomes parts, one for each day."""
        by_day: dict[date, list[Entry]] = {}
        for item in self.waiting[shard]:
            by_day.setdefault(datetime.fromtimestamp((item.stream_number >> 20) / 1000, UTC).date(), []).append(item)
        for day, entries in by_day.items():
            sequence = newest_on_disk(self.data / "log", shard).sequence + 1
            place = Place(self.data / "log", day, PartName(shard, sequence, sequence, 0), entries[-1].stream_number)
            write_part(place, [rows(shard, entries, 1 << 62)])
        self.let_go(shard)
        self.rows += [row for row in self.unwritten if row.shard == shard]
        self.unwritten = [row for row in self.unwritten if row.shard != shard]

    @rule(hours=st.integers(1, 30))
    def pass_time(self, hours: int) -> None:
        self.hours += hours

    @rule(grace=st.sampled_from([0.0, 1e9]))
    def compact(self, grace: float) -> None:
        at = self.now.timestamp() + grace
        Compaction(self.data, grace, lambda: at).run()

    @rule(visitor=visitors)
    def erase(self, visitor: int) -> None:
        """Erased up to what is acknowledged now, written or not."""
        until = stream_number(int(self.now.timestamp() * 1000), next(self.ticks))
        self.hide([tombstone("visitor", f"v-{visitor}", dict.fromkeys(range(SHARDS), until), 1)])
        self.erased[f"v-{visitor}"] = (until, SHARDS)

    @rule(days=st.integers(0, 4))
    def drop_old_days(self, days: int) -> None:
        """Whole days go, but for the newest part of each shard."""
        newest = [part for part in live_parts(self.data / "log") if part.high == self._newest(part.shard)]
        retain(self.data / "log", days, self.now.timestamp())
        oldest = self.now.date() - timedelta(days=days)
        self.rows = [row for row in self.rows if row.day >= oldest or any(row.stands_in(part) for part in newest)]

    def _newest(self, shard: int) -> int:
        return newest_on_disk(self.data / "log", shard).sequence

    def expected(self, held: Sequence[Row]) -> list[tuple[str, str]]:
        """What a log that holds these rows exports now: message and visitor, in order of the messages."""
        first: dict[str, Row] = {}
        for row in sorted(held, key=lambda row: row.order):
            if row.order > self.erased.get(row.visitor, (-1, -1)):
                first.setdefault(row.message, row)
        return sorted((row.message, row.visitor) for row in first.values())

    @invariant()
    def the_export_is_what_the_model_holds(self) -> None:
        assert told(self.exporter) == self.expected(self.rows)

    @invariant()
    def the_log_is_sound(self) -> None:
        assert verify_log(self.data).is_sound
