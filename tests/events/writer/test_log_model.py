"""The log against a model: whatever is done to it, it exports what a dictionary would hold."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.log_model import START, LogAgainstModel, messages, visitors
from oracles.proving import examples
from oracles.writing import exported_ids

from events.parts.manifest import PartName
from events.parts.sealing import Place, write_part
from events.records import stream_number
from events.writer.compaction import Compaction
from events.writer.decoding import Entry, rows

TestLogAgainstModel = LogAgainstModel.TestCase
TestLogAgainstModel.settings = settings(max_examples=examples(40), stateful_step_count=20, deadline=None)


@settings(max_examples=examples(25), deadline=None)
@given(
    sent=st.lists(st.tuples(messages, visitors), min_size=1, max_size=40),
    cuts=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
    again=st.integers(0, 10),
)
def test_order_splitting_repeating_and_merging_never_change_the_exported_set(
    sent: list[tuple[int, int]], cuts: list[int], order: Any, again: int
) -> None:
    shuffled = [*sent, *sent[:again]]
    order.shuffle(shuffled)
    entries = [
        Entry(stream_number(1000 * (number + 1), 0), 1, _json(f"m-{message}", f"v-{visitor}"))
        for number, (message, visitor) in enumerate(shuffled)
    ]
    with TemporaryDirectory() as folder:
        data, sequence = Path(folder), 0
        while entries:
            part, entries = entries[: cuts[sequence % len(cuts)]], entries[cuts[sequence % len(cuts)] :]
            name = PartName(0, sequence, sequence, 0)
            write_part(Place(data / "log", START.date(), name, part[-1].stream_number), [rows(0, part, 1 << 62)])
            sequence += 1
        expected = sorted({f"m-{message}" for message, _ in sent})
        assert exported_ids(data, 3) == expected
        Compaction(data, 0, lambda: (START + timedelta(days=2)).timestamp()).run()
        assert exported_ids(data, 3) == expected


def _json(message: str, visitor: str) -> bytes:
    return f'[{{"message_id":"{message}","type":"track","visitor_id":"{visitor}","time":1}}]'.encode()
