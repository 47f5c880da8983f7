"""Numbers that tell the networks of one shop day apart, and that nobody can turn back or join over days."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from datetime import time as time_of_day
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.keys import SHARDS
from kit.time import now_seconds

KEY_BYTES: Final = 16
DIGEST_BYTES: Final = 4
MAX_KNOWN: Final = 50_000
MIDNIGHT: Final = time_of_day()
DAY: Final = timedelta(days=1)
AHEAD: Final = timedelta(minutes=1)  # that the key of the next day is there before it begins


class NetworkDigests:
    """A keyed digest of a network, with a key for each shop day that the store keeps in memory until the day is over.

    All workers share it. A store that was started anew has drawn another one: then a network has two numbers that day.
    """

    def __init__(
        self, connection: Connection, zone: Callable[[], tzinfo], now: Callable[[], float] = now_seconds
    ) -> None:
        """`zone` is the shop's; `now` gives epoch seconds."""
        self._connection = connection
        self._zone = zone
        self._now = now
        self._days: list[tuple[float, bytes]] = []  # today's and then tomorrow's: when it ends, and its key
        self._known: dict[str, int] = {}

    def of(self, network: str) -> int | None:
        """The number of a network, now; None for one that cannot be told, and while the day has no key."""
        while self._days and self._now() >= self._days[0][0]:
            del self._days[0]
            self._known.clear()
        if not network or not self._days:
            return None
        found = self._known.get(network)
        if found is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            digest = blake2b(network.encode(), key=self._days[0][1], digest_size=DIGEST_BYTES).digest()
            found = self._known[network] = int.from_bytes(digest)
        return found

    async def look(self) -> None:
        """Gets today's key, and a minute ahead tomorrow's; without an answer of the store those that are known stay."""
        zone = self._zone()
        today = datetime.fromtimestamp(self._now(), zone)
        found: list[tuple[float, bytes]] = []
        try:
            for day in sorted({today.date(), (today + AHEAD).date()}):
                drawn, first = token_bytes(KEY_BYTES), today.date().isoformat()
                key = await self._connection.call("resonate_network_key", SHARDS, day.isoformat(), drawn, first)
                found.append((datetime.combine(day + DAY, MIDNIGHT, zone).timestamp(), key))
        except StoreUnavailable:
            return
        if found[:1] != self._days[:1]:
            self._known.clear()
        self._days = found
