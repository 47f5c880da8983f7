"""Who is who in the log: the visitors and users that identity edges join, and the rows that are held about them."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from events.deletes.hidden import hidden_positions
from events.deletes.tombstones import PersonKind
from events.log.export import Row, as_rows, without
from events.parts.arrow import Table, arrow, compute, parquet
from events.parts.digests import USER_SEED, VISITOR_SEED, digests, found_in, read_columns, read_digests
from events.parts.part import SCHEMA, Part, live_parts, verify
from events.records import ALIAS

_LOG: Final = "log"


class Person(NamedTuple):
    """All ids of one person, as far as identity edges join them."""

    visitors: frozenset[str]
    users: frozenset[str]


class Held(NamedTuple):
    """Everything that the log holds about a person; rows as in the export, in order of their positions."""

    person: Person
    events: list[Row]


def person_of(data: Path, kind: PersonKind, identifier: str) -> Person:
    """The person behind an id: every row with a visitor and a user is an edge, and the edges are followed to the end.

    What an alias replaces may have been a visitor's id or a user's, so it is followed as both.
    Erased rows still join, until compaction drops them: who is erased twice is erased whole.
    """
    parts = live_parts(data / _LOG)
    visitors = frozenset({identifier} if kind == "visitor" else ())
    person = Person(visitors, frozenset({identifier}) - visitors)
    while (wider := _neighbours(parts, person)) != person:
        person = wider
    return person


def held(data: Path, kind: PersonKind, identifier: str) -> Held:
    """What a person may ask for; raises DataDamaged rather than leave something out."""
    person = person_of(data, kind, identifier)
    parts = live_parts(data / _LOG)
    hidden = hidden_positions(parts, data)
    concerned = [part for part in parts if _concerns(part, person)]
    for part in concerned:
        verify(part)
    tables = [without(_own_rows(part, person, SCHEMA.names), hidden) for part in concerned]
    table = arrow.concat_tables([SCHEMA.empty_table(), *tables])
    return Held(person, as_rows(table.sort_by([(name, "ascending") for name in ("stream_id", "shard", "position")])))


def _neighbours(parts: list[Part], person: Person) -> Person:
    visitors, users = set(person.visitors), set(person.users)
    for part in parts:
        if _concerns(part, person):
            own = _own_rows(part, person, ["type", "visitor_id", "user_id"])
            edges = own.filter(compute.is_valid(own.column("user_id")))
            visitors.update(_names(edges, "visitor_id"))
            users.update(_names(edges, "user_id"))
            users.update(_names(edges.filter(compute.equal(edges.column("type"), ALIAS)), "visitor_id"))
    return Person(frozenset(visitors - {""}), frozenset(users - {""}))


def _names(rows: Table, column: str) -> list[str]:
    return compute.unique(rows.column(column)).to_pylist()


def _concerns(part: Part, person: Person) -> bool:
    wanted = np.concatenate([_digests(person.visitors, VISITOR_SEED), _digests(person.users, USER_SEED)])
    return len(found_in(read_digests(part.digests, part.path).people, np.sort(wanted))) > 0


def _digests(identifiers: frozenset[str], seed: int) -> Any:
    return digests(arrow.array(sorted(identifiers), arrow.string()), seed)


def _own_rows(part: Part, person: Person, columns: list[str]) -> Table:
    ids = read_columns(part.path, ["visitor_id", "user_id"])
    own = compute.or_(
        compute.is_in(ids.column("visitor_id"), arrow.array(sorted(person.visitors), arrow.string())),
        compute.is_in(ids.column("user_id"), arrow.array(sorted(person.users), arrow.string())),
    )
    table = parquet.ParquetFile(part.path).read(columns=columns).filter(own)
    return table.cast(SCHEMA) if columns == SCHEMA.names else table
