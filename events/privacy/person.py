"""Who is who in the log: which visitors and users are one person, and the rows that are held about them."""

from collections.abc import Collection, Sequence, Set
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from events.authority import Authority
from events.deletes.erased_rows import erased
from events.deletes.tombstones import PersonKind, Tombstone, read_tombstones
from events.log.export import Row, as_rows
from events.log.reader import LogReader
from events.parts.arrow import Table, arrow, compute
from events.parts.digests import USER_SEED, VISITOR_SEED, digests, found_in
from events.parts.part import SCHEMA, Part
from events.records import ALIAS, REPEATABLE

NOBODY: Final[frozenset[str]] = frozenset()


class Person(NamedTuple):
    """The ids of one person.

    Every row that names one of `users` is theirs. Of the visitors in `whole` every row is; of the others those that
    name no user: several people may use one browser.
    """

    visitors: frozenset[str]
    users: frozenset[str]
    whole: frozenset[str]


class Edge(NamedTuple):
    """Why a visitor and a user are one person: who is believed most of those who said so, and when first (µs)."""

    visitor: str
    user: str
    authority: Authority
    at: int


class Identity(NamedTuple):
    """The person behind an id. `claims` counts, by id, the rows in which pages say that it is of this person too.

    Where `is_several`, more than one user was seen with the id, and nobody said which of them are meant; all are shown.
    """

    person: Person
    joined_by: tuple[Edge, ...]
    claims: dict[str, int]
    is_several: bool


class Held(NamedTuple):
    """Everything that the log holds about a person; rows as in the export, in order of their positions."""

    found: Identity
    events: list[Row]


def person_of(
    reader: LogReader,
    kind: PersonKind,
    identifier: str,
    only: Collection[str] | None = None,
    parts: Sequence[Part] | None = None,
) -> Identity:
    """The person behind an id: a user and that user's visitors; for a visitor its user and that user's other visitors.

    A row with both ids joins them where more than a page says so, and nothing is followed on from there. The two names
    of a user whom a backend's alias renamed are two users. Of several users `only` says who is meant; one who was asked
    for always is.
    Looks at the log as it stands, unless parts are given; erased rows join nobody. Raises DataDamaged when a part is
    missing, or one of theirs is damaged; one that holds nothing of them is not read.
    """
    parts = reader.parts() if parts is None else parts
    links_of = partial(_links, reader, parts, read_tombstones(reader.data))
    asked = frozenset({identifier})
    if kind == "user":
        visitors, users = NOBODY, asked
    else:
        visitors, users = asked, frozenset(link.user for link in links_of(asked, NOBODY) if link.is_believed)
    renamed = [link for link in links_of(users, users) if link.is_backend_alias]
    former = frozenset(link.visitor for link in renamed if link.user in users) - users
    known = frozenset(link.user for link in links_of(NOBODY, former) if link.is_believed)
    touched = users | (former & known) | {link.user for link in renamed if link.visitor in users}
    chosen = touched if only is None else touched & ({*only, identifier} if kind == "user" else {*only})
    visitors |= {link.visitor for link in links_of(NOBODY, chosen) if link.is_believed}
    joined_by: dict[tuple[str, str], Edge] = {}
    claims: dict[str, int] = {}
    for link in links_of(visitors, chosen):
        pair = (link.visitor, link.user)
        if link.is_believed and link.visitor in visitors and link.user in chosen:
            before = joined_by.get(pair)
            if before is None or (-link.authority, link.at) < (-before.authority, before.at):
                joined_by[pair] = Edge(*pair, link.authority, link.at)
        elif not link.is_believed and (link.visitor not in visitors or link.user not in chosen):
            claimed = link.user if link.visitor in visitors else link.visitor
            claims[claimed] = claims.get(claimed, 0) + link.rows
    whole = asked if kind == "visitor" and users <= chosen else NOBODY
    person = Person(visitors, chosen, whole)
    in_order = tuple(joined_by[pair] for pair in sorted(joined_by))
    return Identity(person, in_order, claims, is_several=only is None and len(touched) > 1)


def held(reader: LogReader, kind: PersonKind, identifier: str, only: Collection[str] | None = None) -> Held:
    """What a person may ask for, of one state of the log; raises DataDamaged rather than leave something out.

    A message of theirs that came twice is shown once; one that repeats the message of somebody else is theirs.
    """
    parts, stones = reader.parts(), read_tombstones(reader.data)
    found = person_of(reader, kind, identifier, only, parts)
    person = found.person
    tables = [SCHEMA.empty_table()]
    for part in _concerned(reader, parts, person.visitors, person.users):
        rows = _rows_naming(reader, part, stones, (person.visitors, person.users), SCHEMA.names)
        theirs = compute.or_(
            compute.or_(_among(rows, "user_id", person.users), _among(rows, "visitor_id", person.whole)),
            compute.equal(compute.fill_null(rows.column("user_id"), ""), ""),
        )
        tables.append(rows.filter(theirs).cast(SCHEMA))
    order = [(name, "ascending") for name in ("stream_id", "shard", "position")]
    first: dict[tuple[str, ...], Row] = {}
    for row in as_rows(arrow.concat_tables(tables).sort_by(order)):
        first.setdefault((row["message_id"], row["authority"], row["visitor_id"], row.get("user_id", "")), row)
    return Held(found, list(first.values()))


def exposures_lately(reader: LogReader, person: Person, since: int) -> list[tuple[str, Authority, str]]:
    """Visitor, authority and messageId of the exposures of a person that stand for all like them on a day, received
    `since` (µs) and not erased. Raises DataDamaged.
    """
    parts, stones = reader.parts(), read_tombstones(reader.data)
    found: list[tuple[str, Authority, str]] = []
    for part in _concerned(reader, parts, person.visitors, person.users):
        rows = _rows_naming(reader, part, stones, (person.visitors, person.users), _EXPOSURE)
        late = compute.greater_equal(rows.column("received_at"), since)
        rows = rows.filter(compute.and_(late, compute.starts_with(rows.column("message_id"), REPEATABLE)))
        columns = (rows.column(name).to_pylist() for name in ("visitor_id", "authority", "message_id"))
        found += [(visitor, Authority(told), message_id) for visitor, told, message_id in zip(*columns, strict=True)]
    return found


class _Link(NamedTuple):
    """Rows of one type and authority that name a visitor and a user, and when the first was received (µs)."""

    type: str
    visitor: str
    user: str
    authority: Authority
    at: int
    rows: int

    @property
    def is_believed(self) -> bool:
        return self.authority > Authority.PAGE

    @property
    def is_backend_alias(self) -> bool:
        return self.type == ALIAS and self.authority is Authority.BACKEND


_EXPOSURE: Final = ["visitor_id", "user_id", "authority", "message_id", "received_at", "stream_id"]
_LINKED: Final = ["type", "visitor_id", "user_id", "authority"]


def _links(
    reader: LogReader,
    parts: Sequence[Part],
    stones: Sequence[Tombstone],
    visitors: Set[str],
    users: Set[str],
) -> list[_Link]:
    """All that joins one of these visitors or users to somebody."""
    links: list[_Link] = []
    for part in _concerned(reader, parts, visitors, users):
        rows = _rows_naming(reader, part, stones, (visitors, users), [*_LINKED, "received_at", "stream_id"])
        both = compute.and_(
            compute.not_equal(rows.column("visitor_id"), ""),
            compute.not_equal(compute.fill_null(rows.column("user_id"), ""), ""),
        )
        groups = rows.filter(both).group_by(_LINKED, use_threads=False)
        found = groups.aggregate([("received_at", "min"), ("received_at", "count")])
        names = [*_LINKED, "received_at_min", "received_at_count"]
        for kind, visitor, user, authority, at, count in zip(
            *(found.column(name).to_pylist() for name in names), strict=True
        ):
            links.append(_Link(kind, visitor, user, Authority(authority), at, count))
    return links


def _concerned(reader: LogReader, parts: Sequence[Part], visitors: Set[str], users: Set[str]) -> list[Part]:
    """The parts that hold rows of these ids, by their digests (and rarely one that does not)."""
    ids = ((visitors, VISITOR_SEED), (users, USER_SEED))
    wanted = np.sort(np.concatenate([digests(arrow.array(sorted(own), arrow.string()), seed) for own, seed in ids]))
    return [part for part in parts if len(found_in(reader.people(part), wanted))]


def _rows_naming(
    reader: LogReader,
    part: Part,
    stones: Sequence[Tombstone],
    ids: tuple[Set[str], Set[str]],
    columns: list[str],
) -> Table:
    """The rows of a part that name one of these visitors or users and are not erased."""
    visitors, users = ids
    rows = reader.contents.columns(part, columns)
    rows = rows.filter(compute.or_(_among(rows, "visitor_id", visitors), _among(rows, "user_id", users)))
    return rows.filter(arrow.array(~erased(rows, part.shard, stones)))


def _among(rows: Table, column: str, ids: Set[str]) -> Table:
    return compute.is_in(rows.column(column), arrow.array(sorted(ids), arrow.string()))
