"""Lists of the running minute: who asks the same again, in the same state of the shop, gets the list that was made."""

from collections.abc import Callable
from typing import Final

import msgspec

from recommender.histories import Bought
from recommender.rules import Rules
from recommender.strategies import Strategy
from recommender.wishes import Ranking

KEPT: Final = 1_000
MINUTE_SECONDS: Final = 60
MINUTES_OF_A_DAY: Final = 1_440.0


class Question(msgspec.Struct, frozen=True):
    """All that a list depends on, besides what is published and the time.

    `customers` are the ids of a customer whom the model knows, nobody else's: strangers who ask the same share a list.
    """

    strategy: Strategy
    fallback: Strategy
    limit: int
    cart: tuple[str, ...]
    customers: tuple[str, ...]
    bought: tuple[Bought, ...]
    rules: Rules


class RecentLists:
    """Makes each list once a minute, as of the minute's end."""

    def __init__(self, make: Callable[[Question, float], Ranking]) -> None:
        self._make = make
        self._minute = 0
        self._made: dict[Question, Ranking] = {}

    def of(self, question: Question, now_seconds: float) -> Ranking:
        """The list for a question; the time is in seconds since 1970."""
        minute = int(now_seconds) // MINUTE_SECONDS
        if minute != self._minute or len(self._made) >= KEPT:
            self._made.clear()
            self._minute = minute
        found = self._made.get(question)
        if found is None:
            found = self._made[question] = self._make(question, (minute + 1) / MINUTES_OF_A_DAY)
        return found
