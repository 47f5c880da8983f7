"""Who is who in the log: the visitors and users that identity edges join, and the rows that are held about them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from events.deletes.tombstones import PersonKind
from events.log.export import Row, as_rows, without
from events.log.reader import LogReader
from events.parts.arrow import Table, arrow, compute
from events.parts.digests import USER_SEED, VISITOR_SEED, digests, found_in
from events.parts.part import SCHEMA, Part
from events.records import ALIAS


class Person(NamedTuple):
    """All ids of one person, as far as identity edges join them."""

    visitors: frozenset[str]
    users: frozenset[str]


class Held(NamedTuple):
    """Everything that the log holds about a person; rows as in the export, in order of their positions."""

    person: Person
    events: list[Row]


def person_of(reader: LogReader, kind: PersonKind, identifier: str, parts: Sequence[Part] | None = None) -> Person:
    """The person behind an id: every row with a visitor and a user is an edge, and the edges are followed to the end.

    What an alias replaces may have been a visitor's id or a user's, so it is followed as both.
    Erased rows still join, until compaction drops them: who is erased twice is erased whole.
    Looks at the log as it stands, unless parts are given. Raises DataDamaged when a part is missing, or one of theirs
    is damaged; one that holds nothing of them is not read.
    """
    parts = reader.parts() if parts is None else parts
    visitors = frozenset({identifier} if kind == "visitor" else ())
    person = Person(visitors, frozenset({identifier}) - visitors)
    while True:
        visitors, users = set(person.visitors), set(person.users)
        for part in _concerned(reader, parts, person):
            own = _own_rows(reader, part, person, ["type", "visitor_id", "user_id"])
            edges = own.filter(compute.is_valid(own.column("user_id")))
            visitors.update(_names(edges, "visitor_id"))
            users.update(_names(edges, "user_id"))
            users.update(_names(edges.filter(compute.equal(edges.column("type"), ALIAS)), "visitor_id"))
        wider = Person(frozenset(visitors - {""}), frozenset(users - {""}))
        if wider == person:
            return person
        person = wider


def held(reader: LogReader, kind: PersonKind, identifier: str) -> Held:
    """What a person may ask for, of one state of the log; raises DataDamaged rather than leave something out."""
    snapshot = reader.snapshot()
    person = person_of(reader, kind, identifier, snapshot.parts)
    concerned = _concerned(reader, snapshot.parts, person)
    tables = [without(_own_rows(reader, part, person, SCHEMA.names), snapshot.hidden.rows) for part in concerned]
    table = arrow.concat_tables([SCHEMA.empty_table(), *tables])
    return Held(person, as_rows(table.sort_by([(name, "ascending") for name in ("stream_id", "shard", "position")])))


def _concerned(reader: LogReader, parts: Sequence[Part], person: Person) -> list[Part]:
    """The parts that hold rows of a person, by their digests (and rarely one that does not)."""
    ids = ((person.visitors, VISITOR_SEED), (person.users, USER_SEED))
    wanted = np.sort(np.concatenate([digests(arrow.array(sorted(own), arrow.string()), seed) for own, seed in ids]))
    return [part for part in parts if len(found_in(reader.people(part), wanted))]


def _names(rows: Table, column: str) -> list[str]:
    return compute.unique(rows.column(column)).to_pylist()


def _own_rows(reader: LogReader, part: Part, person: Person, columns: list[str]) -> Table:
    ids = reader.contents.columns(part, ["visitor_id", "user_id"])
    own = compute.or_(
        compute.is_in(ids.column("visitor_id"), arrow.array(sorted(person.visitors), arrow.string())),
        compute.is_in(ids.column("user_id"), arrow.array(sorted(person.users), arrow.string())),
    )
    table = reader.contents.columns(part, columns).filter(own)
    return table.cast(SCHEMA) if columns == SCHEMA.names else table
