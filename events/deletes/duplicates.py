"""Finds the rows whose message_id stands elsewhere too: exactly, over all days and shards, from the parts' digests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from events.authority import Authority
from events.parts.arrow import Table, arrow, compute
from events.parts.digests import MESSAGE_SEED, Digests, digests, distinct, found_in, repeated
from events.parts.part import POSITION, Contents, Part
from events.records import EXPOSURE

NEVER: Final = np.iinfo(np.int64).max
NO_DIGESTS: Final = np.empty(0, np.uint64)
_ORDER: Final = [
    ("message_id", "ascending"),
    ("authority", "descending"),
    ("stream_id", "ascending"),
    ("shard", "ascending"),
    ("position", "ascending"),
]

Rows = Callable[[Part], Table]
"""Reads `message_id, type, authority, received_at, shard, stream_id, position` of a part, without erased rows."""


class Repeats(NamedTuple):
    """Rows with the message_id of another one; `shard, stream_id, position` of each.

    `same` repeat a row of the same authority, which together with the message_id is what makes an event one: nobody
    may see them. `outranked` are told with more authority by another row; they stay the events of who sent them, but
    whoever counts, counts the other from `since` on, when that was received (µs). An exposure is never outranked:
    coming twice it enrols once, and a copied id takes nobody's enrolment away.
    """

    same: Table
    outranked: Table


class _Matches(NamedTuple):
    hits: Digests
    rows: Table


class Duplicates:
    """The repeated rows of a growing set of parts; what it knows of parts of closed days is kept.

    A message_id can only stand twice where its digest does. The digests of a part are sorted, so those that stand twice
    come out of a merge of sorted arrays, 8 bytes an event; only their rows are read, and compared as text. The
    ingest drops what comes again within 12-24 hours, so they are few.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._settled_parts: frozenset[Path] = frozenset()
        self._settled = NO_DIGESTS
        self._settled_repeated = NO_DIGESTS
        self._recent: dict[Path, Digests] = {}
        self._matches: dict[Path, _Matches] = {}

    def repeats(self, parts: Sequence[Part], rows: Rows) -> Repeats:
        """Every row for which a lower position holds the same event, or any position the same with more authority.

        Positions order by (stream_id, shard, position), so that what was received first wins.
        """
        live = {part.path for part in parts}
        self._matches = {path: known for path, known in self._matches.items() if path in live}
        candidates = self._candidates(parts)
        if len(candidates) == 0:
            return no_repeats()
        found: list[Table] = []
        for part in parts:
            own = self._recent.get(part.path)
            hits = found_in(self._messages(part) if own is None else own, candidates)
            if len(hits) == 0:
                continue
            known = self._matches.get(part.path)
            if known is None or not np.array_equal(known.hits, hits):
                read = rows(part)
                mask = np.isin(digests(read.column("message_id"), MESSAGE_SEED), hits)
                known = self._matches[part.path] = _Matches(hits, read.filter(arrow.array(mask)))
            found.append(known.rows)
        table = arrow.concat_tables(found).sort_by(_ORDER).combine_chunks()
        if not table.num_rows:
            return no_repeats()
        messages = compute.dictionary_encode(table.column("message_id").combine_chunks()).indices.to_numpy()
        authorities = table.column("authority").to_numpy()
        same = np.append(False, (messages[1:] == messages[:-1]) & (authorities[1:] == authorities[:-1]))
        first_told = np.full((len(Authority) + 1, int(messages.max()) + 1), NEVER)  # with at least this authority
        for authority in Authority:
            told = authorities >= authority
            np.minimum.at(first_told[authority], messages[told], table.column("received_at").to_numpy()[told])
        since = first_told[authorities + 1, messages]
        outranked = (since < NEVER) & (table.column("type").to_numpy(zero_copy_only=False) != EXPOSURE)
        told_better = table.filter(arrow.array(outranked)).select(POSITION)
        return Repeats(
            table.filter(arrow.array(same)).select(POSITION),
            told_better.append_column("since", arrow.array(since[outranked], arrow.int64())),
        )

    def forget_rows(self) -> None:
        """The erased rows are others now: read the repeated rows again."""
        self._matches.clear()

    def _candidates(self, parts: Sequence[Part]) -> Digests:
        newest = max((part.date for part in parts), default=None)
        settled = [part for part in parts if part.date != newest]
        paths = frozenset(part.path for part in settled)
        if paths != self._settled_parts:
            self._settled = np.concatenate([NO_DIGESTS, *(self._messages(part) for part in settled)])
            self._settled.sort()
            self._settled_repeated = repeated(self._settled)
            self._settled_parts = paths
        recent = [part for part in parts if part.date == newest]
        known = self._recent
        self._recent = {part.path: known[part.path] if part.path in known else self._messages(part) for part in recent}
        digests_of_day = np.sort(np.concatenate([NO_DIGESTS, *self._recent.values()]))
        of_both = found_in(self._settled, digests_of_day)
        return distinct(np.sort(np.concatenate([self._settled_repeated, repeated(digests_of_day), of_both])))

    def _messages(self, part: Part) -> Digests:
        return self._contents.digests(part).messages


def no_repeats() -> Repeats:
    """No rows."""
    same, outranked = (
        arrow.schema([(name, arrow.int64()) for name in names]).empty_table()
        for names in (POSITION, [*POSITION, "since"])
    )
    return Repeats(same, outranked)
