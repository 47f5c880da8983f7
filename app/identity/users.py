"""The one door at which a user that a request or an event names is believed or not, by a token or by a known log-in."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from app.identity.people import PROVEN, UNPROVEN, Standing, UserBecause
from events.authority import Authority
from events.ingest.log_ins import LogIns, Pair
from events.records import Record

if TYPE_CHECKING:
    from app.identity.user_tokens import UserTokens

Naming = Literal["request", "event"]  # what names a user
Count = Callable[[Naming, str], None]


class Users:
    """Answers how far a named user is believed, and counts it. `tokens` is None where no key verifies any."""

    def __init__(self, tokens: "UserTokens | None", log_ins: LogIns, count: Count) -> None:
        self.log_ins = log_ins
        self.tokens = tokens  # others take its place when keys are listed or taken off the list
        self._count = count

    def standing(self, visitor_id: str | None, user_id: str, token: Any) -> Standing:
        """By what a page sent to prove its user; one that it leaves unproven may be a known log-in."""
        if token is None:
            return UNPROVEN["no_token"]
        if self.tokens is None:
            return UNPROVEN["unknown_key"]
        doubt = self.tokens.doubt(token, visitor_id, user_id)
        return PROVEN if doubt is None else UNPROVEN[doubt]

    async def logged_in(self, standing: Standing, visitor_id: str, user_id: str) -> Standing:
        """Proven where the visitor is known to be logged in as this user, else as it was."""
        [holds] = await self.log_ins.hold([(visitor_id, user_id)])
        return PROVEN if holds else standing

    def counted(self, standing: Standing) -> Standing:
        """The final standing of a page's request, once it is counted."""
        self._count("request", standing.because or "proven")
        return standing

    def named_by_events(self, token: Any) -> "NamedUsers":
        """The users that the events of one request of a page name; `token` stands for events without their own."""
        return NamedUsers(self, token)

    def count_event(self, outcome: str) -> None:
        """One event of a page named a user, who was proven or not."""
        self._count("event", outcome)


class NamedUsers:
    """The users that the events of one request name: each is judged for itself."""

    def __init__(self, users: Users, token: Any) -> None:
        self._token = token
        self._users = users
        self._named: list[tuple[Pair, UserBecause | None]] = []

    def authority(self, visitor_id: str, user_id: str, token: Any) -> Authority:
        """Of one event, by its own token, else by that of the request."""
        standing = self._users.standing(visitor_id, user_id, self._token if token is None else token)
        self._named.append(((visitor_id, user_id), standing.because))
        return standing.authority

    @property
    def unsettled(self) -> bool:
        """Whether the store has to be asked if somebody is logged in."""
        return self._users.log_ins.used and any([because is not None for _, because in self._named])

    async def settled(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records, those proven too whose visitor is known to be logged in as their user; all are counted."""
        unproven = list(dict.fromkeys(pair for pair, because in self._named if because is not None))
        holds = await self._users.log_ins.hold(unproven)
        return self.counted(records, {pair for pair, held in zip(unproven, holds, strict=True) if held})

    def counted(self, records: Sequence[Record], holding: AbstractSet[Pair] = frozenset()) -> Sequence[Record]:
        """The same where it is known who is logged in."""
        for pair, because in self._named:
            self._users.count_event("proven" if because is None or pair in holding else because)
        if not holding:
            return records
        return [
            msgspec.structs.replace(record, authority=Authority.PROVEN)
            if (record.visitor_id, record.user_id) in holding
            else record
            for record in records
        ]
