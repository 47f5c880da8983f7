"""Who is one person: by a second reading of the rule over plain rows, and whatever pages claim about others."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, happened, speaks
from oracles.writing import exported, record
from worlds.event_log import received, write_log

from events.authority import Authority
from events.deletes.tombstones import PersonKind, add_tombstones
from events.log.reader import LogReader
from events.parts.part import live_parts
from events.privacy.erasure import tombstones_of
from events.privacy.person import Identity, held, person_of
from events.records import Record
from events.writer.compaction import Compaction

START = 1_790_000_000_000_000
DAY = 86_400_000_000
END = {0: 1 << 62}
LONG_AFTER = START / 1e6 + 10 * 86_400
PAGE, PROVEN, BACKEND = Authority
VISITORS, USERS, STRANGERS = ("v-0", "v-1", "v-2"), ("u-0", "u-1", "u-2"), ("x",)
IDS: list[tuple[PersonKind, str]] = [
    *[("visitor", name) for name in (*VISITORS, *USERS, *STRANGERS)],
    *[("user", name) for name in (*USERS, *STRANGERS)],
]


class Told(NamedTuple):
    """What is said about an id, by the names of messages."""

    visitors: set[str]
    users: set[str]
    is_several: bool
    joined_by: set[tuple[str, str, Authority, int]]
    claims: Counter[str]
    messages: set[str]


def reading(rows: Sequence[Record], kind: PersonKind, asked: str, only: Iterable[str] | None = None) -> Told:
    """The rule once more, row by row."""
    said = [row for row in rows if row.visitor_id and row.user_id]
    believed = [row for row in said if row.authority > PAGE]
    own = {asked} if kind == "user" else {row.user_id for row in believed if row.visitor_id == asked}
    aliases = [row for row in believed if row.type == "alias" and row.authority == BACKEND]
    later_names = {row.user_id for row in aliases if row.visitor_id in own}
    former_names = {row.visitor_id for row in aliases if row.user_id in own} & {row.user_id for row in believed}
    touched = own | later_names | former_names
    users = touched if only is None else {each for each in touched if each in only or (kind, each) == ("user", asked)}
    visitors = {row.visitor_id for row in believed if row.user_id in users} | ({asked} if kind == "visitor" else set())
    is_whole = kind == "visitor" and own <= users
    joined = [row for row in believed if row.visitor_id in visitors and row.user_id in users]
    joined.sort(key=lambda row: (row.authority, -row.time))
    best = {(row.visitor_id, str(row.user_id)): (row.authority, row.time) for row in joined}
    claimed = [row for row in said if row.authority == PAGE and (row.visitor_id in visitors) != (row.user_id in users)]
    claims = Counter(str(row.user_id) if row.visitor_id in visitors else row.visitor_id for row in claimed)
    messages = {
        row.message_id
        for row in rows
        if row.user_id in users
        or (row.visitor_id in visitors and (not row.user_id or (is_whole and row.visitor_id == asked)))
    }
    joined_by = {(*pair, *how) for pair, how in best.items()}
    return Told(visitors, {*map(str, users)}, only is None and len(touched) > 1, joined_by, claims, messages)


def answered(log: Path | LogReader, kind: PersonKind, asked: str, only: Iterable[str] | None = None) -> Told:
    """What the log answers."""
    reader = LogReader(log) if isinstance(log, Path) else log
    shown = held(reader, kind, asked, None if only is None else [*only])
    found, person = shown.found, shown.found.person
    joined = {tuple(each) for each in found.joined_by}
    messages = {row["message_id"] for row in shown.events}
    return Told({*person.visitors}, {*person.users}, found.is_several, joined, Counter(found.claims), messages)


def erased_whole(data: Path, found: Identity, folder: Path) -> tuple[set[str], set[str]]:
    """The messages that are left for whoever reads a copy of the log, at once and after compaction."""
    copy = folder / "copy"
    shutil.copytree(data, copy)
    add_tombstones(copy, tombstones_of(found.person, END, 1))
    at_once = {row["message_id"] for row in exported(copy)}
    Compaction(copy, 0, lambda: LONG_AFTER).run()
    tables = [pq.ParquetFile(part.path).read(columns=["message_id"]) for part in live_parts(copy / "log")]
    return at_once, {name for table in tables for name in table.column("message_id").to_pylist()}


def _row(number: int, who: tuple[str, str | None, Authority], kind: str, hours: int, name: str) -> Record:
    visitor, user, authority = who
    if authority is PROVEN and user is None:
        authority = PAGE  # what is proven is a user
    time = START + hours * 3_600_000_000 + number
    return record(f"{name}-{number}", visitor, user_id=user, type=kind, authority=authority, time=time)


kinds = st.sampled_from(["track", "identify", "alias"])
honest_ids = st.one_of(
    st.tuples(st.sampled_from(VISITORS), st.none() | st.sampled_from(USERS), st.sampled_from(Authority)),
    st.builds(lambda user, authority: (user, user, authority), st.sampled_from(USERS), st.sampled_from(Authority)),
    st.tuples(st.sampled_from(USERS), st.sampled_from(USERS), st.sampled_from(Authority)),  # of an alias, say
)
page_ids = st.tuples(
    st.sampled_from((*STRANGERS, *USERS)), st.none() | st.sampled_from((*USERS, *STRANGERS)), st.just(PAGE)
)


def _rows(ids: st.SearchStrategy[tuple[str, str | None, Authority]], name: str, least: int, most: int) -> Any:
    drawn = st.lists(st.tuples(ids, kinds, st.integers(0, 60)), min_size=least, max_size=most)
    return drawn.map(lambda rows: [_row(number, *row, name) for number, row in enumerate(rows)])


@speaks(named_by_the_adversary=0.5, several_users=0.01, erased_something=0.1)
@settings(max_examples=examples(20), deadline=None)
@given(
    honest=_rows(honest_ids, "h", 6, 14),
    forged=_rows(page_ids, "p", 2, 8),
    cut=st.integers(3, 9),
    gone=st.sampled_from(IDS),
    only=st.none() | st.sets(st.sampled_from((*USERS, *STRANGERS))),
)
def test_what_pages_claim_moves_nothing_but_their_own_rows(
    honest: list[Record], forged: list[Record], cut: int, gone: tuple[PersonKind, str], only: set[str] | None
) -> None:
    """Access gives and erasure takes the same with and without an adversary, who may name any user, for any id."""
    of_honest = {name for row in honest for name in (row.visitor_id, row.user_id)}
    happened("named_by_the_adversary", any({row.visitor_id, row.user_id} & of_honest for row in forged))
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_log(data, received([*honest, *forged]), cut=cut)
        reader = LogReader(data)
        several = False
        for kind, asked in IDS:
            told = answered(reader, kind, asked, only)
            assert told == reading([*honest, *forged], kind, asked, only)
            without = reading(honest, kind, asked, only)
            assert told[:4] == without[:4]
            several |= told.is_several
            assert {name for name in told.messages if name.startswith("h")} == without.messages
            assert {row.message_id for row in forged if _names(row, told)} >= told.messages - without.messages
        happened("several_users", several)
        left = {row.message_id for row in (*honest, *forged)} - answered(reader, *gone, only).messages
        happened("erased_something", len(left) < len(honest) + len(forged))
        found = person_of(reader, *gone, only)
        assert erased_whole(data, found, Path(folder)) == (left, left)


def _names(row: Record, told: Told) -> bool:
    return row.visitor_id in told.visitors or row.user_id in told.users


def test_who_logged_in_by_proof_is_one_person_on_all_their_devices(tmp_path: Path) -> None:
    said = [
        record("m-1", "phone", user_id="anna", authority=PROVEN),
        record("m-2", "laptop", user_id="anna", authority=BACKEND),
        record("m-3", "laptop", user_id="bert", authority=PROVEN),
        record("m-4", "tablet", user_id="bert", authority=PROVEN),
    ]
    write_log(tmp_path, received(said))
    assert answered(tmp_path, "visitor", "phone")[:2] == ({"phone", "laptop"}, {"anna"})  # and never on to bert
    assert answered(tmp_path, "visitor", "phone").messages == {"m-1", "m-2"}


def test_what_a_page_claims_is_told_and_not_followed(tmp_path: Path) -> None:
    said = [record("m-1", "phone"), record("m-2", "phone", user_id="anna"), record("m-3", "x", user_id="anna")]
    write_log(tmp_path, received([*said, record("m-4", "x"), record("m-5", "y", user_id="anna")]))
    assert answered(tmp_path, "visitor", "phone")[4:] == (Counter({"anna": 1}), {"m-1", "m-2"})
    assert answered(tmp_path, "user", "anna")[4:] == (Counter(["phone", "x", "y"]), {"m-2", "m-3", "m-5"})


def test_a_user_whom_the_backend_renamed_is_asked_for_by_both_names(tmp_path: Path) -> None:
    said = [
        record("m-1", "phone", user_id="anna", authority=BACKEND),
        record("m-2", "anna", user_id="anna.b", type="alias", authority=BACKEND),
        record("m-3", "x", user_id="anna.b", type="alias"),
    ]
    write_log(tmp_path, received(said))
    for name in ("anna", "anna.b"):
        assert answered(tmp_path, "user", name).users == {"anna", "anna.b"}
        assert answered(tmp_path, "user", name).is_several
    assert answered(tmp_path, "user", "anna.b", ["anna"]).messages == {"m-1", "m-2", "m-3"}


def test_a_stranger_who_sends_somebodys_message_id_hides_nothing_of_theirs(tmp_path: Path) -> None:
    copies = [
        record("m-1", visitor, user_id="anna", time=START + n) for n, visitor in enumerate(("x", "phone", "phone"))
    ]
    write_log(tmp_path, received([*copies, record("m-2", "x", time=START), record("m-2", "phone", time=START + 1)]))
    assert [row["visitor_id"] for row in held(LogReader(tmp_path), "user", "anna").events] == ["x", "phone"]
    assert answered(tmp_path, "visitor", "phone").messages == {"m-1", "m-2"}


def test_who_comes_back_as_somebody_else_is_one_person(tmp_path: Path) -> None:
    """Erased rows join nobody, whether or not compaction has dropped them."""
    first, later = (record(f"m-{n}", "kiosk", user_id=f"u-{n}", authority=BACKEND, time=START + n) for n in (0, 1))
    parts = write_log(tmp_path, received([first, later]), cut=1)
    found = person_of(LogReader(tmp_path), "user", "u-0")
    add_tombstones(tmp_path, tombstones_of(found.person, {0: parts[0].last_stream_number}, 1))
    assert answered(tmp_path, "visitor", "kiosk").users == {"u-1"}
