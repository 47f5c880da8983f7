"""Lists that were made lately: who asks the same again, in the same state of the shop, gets the one that was made."""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from recommender.histories import Bought
from recommender.rules import Rules
from recommender.strategies import Strategy
from recommender.wishes import Ranking

KEPT: Final = 500
LONGEST_KEPT: Final = 24  # products of a list
LARGEST_KEPT: Final = 8_192  # bytes, about, of what a caller may write into a question
TEXT_BYTES: Final = 64  # of an empty text
STEP_DAYS: Final = 0.01  # time goes on in steps of a quarter of an hour: no score looks closer
DAY_SECONDS: Final = 86_400.0


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
    """Makes each list once a step, as of the end of the step; of more than can be kept the oldest goes.

    Large questions are answered anew each time, so that nobody can fill the worker's memory with them.
    """

    def __init__(self, make: Callable[[Question, float], Ranking]) -> None:
        self._make = make
        self._step = 0
        self._made: dict[Question, Ranking] = {}

    def of(self, question: Question, now_seconds: float) -> Ranking:
        """The list for a question; the time is in seconds since 1970."""
        step = math.ceil(now_seconds / DAY_SECONDS / STEP_DAYS)
        if step != self._step:
            self._made.clear()
            self._step = step
        found = self._made.get(question)
        if found is None:
            found = self._make(question, step * STEP_DAYS)
            if question.limit <= LONGEST_KEPT and _bytes(question) <= LARGEST_KEPT:
                self._keep(question, found)
        return found

    def _keep(self, question: Question, made: Ranking) -> None:
        if len(self._made) >= KEPT:
            del self._made[next(iter(self._made))]
        self._made[question] = made


def _bytes(question: Question) -> int:
    rules = question.rules
    texts = [*question.cart, *rules.include, *rules.exclude]
    for condition in rules.conditions:
        texts += map(str, condition.values)
    return sum(map(len, texts)) + TEXT_BYTES * len(texts)
