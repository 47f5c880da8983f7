"""A trained model as plain arrays and fitted weights: everything that serving reads, nothing that it must compute."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from recommender.model.frequency import Habit, Habits
from recommender.model.identifiers import Floats, Index, Ints, Texts

BUY_AGAIN_TERMS: Final = (
    "often_log", "lately_log", "times_log", "rest_log", "due", "popular", "together_log",
    "often", "lately", "often_root", "lately_root",
)  # fmt: skip
FOR_YOU_TERMS: Final = ("taste", "category", "family", "rise_14", "rise_56", "popular")
DYNAMIC_FOR_YOU_TERMS: Final = 3  # the rest depends on the product alone and is summed up beforehand


@dataclass(frozen=True, slots=True)
class Closeness:
    """How near two products are that share baskets: α, β, s and κ of the formula in `cooccurrence.Nearness`."""

    alpha: float = 0.7
    chance: float = 0.5
    doubt: float = 2.0
    crowding: float = 0.5


@dataclass(frozen=True, slots=True)
class TogetherWeights:
    """How the cart and the person's own habits share a list of `bought_together`.

    A product's score is (1 − own) c + own h + both √(c h), with c its share of what the cart's neighbours say (each
    nearness to the power `guest` or `known`) and h its share of what the person buys again.
    """

    guest: float = 1.5
    known: float = 1.5
    own: float = 0.5
    both: float = 0.5


@dataclass(frozen=True, slots=True)
class Weights:
    """Everything that is fitted; days for half-lives. The term weights are in the order of the names above."""

    habit_half_life: float = 120.0
    closeness: Closeness = Closeness()
    regularisation: float = 150.0
    buy_again: tuple[float, ...] = (1.0, *(0.0,) * 10)
    for_you: tuple[float, ...] = (5.0, 0.3, 0.0, 0.0, 0.5, 0.0)
    together: TogetherWeights = TogetherWeights()

    def as_json(self) -> dict[str, Any]:
        """Each weight under the name of its term."""
        named = {
            "buy_again": dict(zip(BUY_AGAIN_TERMS, self.buy_again, strict=True)),
            "for_you": dict(zip(FOR_YOU_TERMS, self.for_you, strict=True)),
            "bought_together": asdict(self.together),
        }
        shared = {
            "habit_half_life_days": self.habit_half_life,
            "closeness": asdict(self.closeness),
            "regularisation": self.regularisation,
        }
        return {**shared, **named}

    @classmethod
    def from_json(cls, facts: object) -> "Weights":
        """The reverse of `as_json`, whatever the order of the names. Raises ValueError, saying which name is wrong."""
        parts = _named(facts, "weights", _PARTS)
        half_life, regularisation = (_number(parts[name], f"weights.{name}") for name in _SINGLE)
        closeness, buy_again, for_you, together = (
            [
                _number(value, f"weights.{part}.{name}")
                for name, value in _named(parts[part], f"weights.{part}", names).items()
            ]
            for part, names in _TERMS.items()
        )
        return cls(
            half_life,
            Closeness(*closeness),
            regularisation,
            tuple(buy_again),
            tuple(for_you),
            TogetherWeights(*together),
        )


_SINGLE: Final = ("habit_half_life_days", "regularisation")
_TERMS: Final = {
    "closeness": tuple(each.name for each in fields(Closeness)),
    "buy_again": BUY_AGAIN_TERMS,
    "for_you": FOR_YOU_TERMS,
    "bought_together": tuple(each.name for each in fields(TogetherWeights)),
}
_PARTS: Final = (*_SINGLE, *_TERMS)


def _named(facts: object, place: str, names: Sequence[str]) -> dict[str, Any]:
    """The values under exactly these names, in the order of the names."""
    if not isinstance(facts, dict):
        raise ValueError(f"{place} is no object of names")
    found = cast(dict[str, Any], facts)
    for name in (*names, *found):
        if name not in found or name not in names:
            raise ValueError(f"{place}.{name} is {'missing' if name in names else 'unknown'}")
    return {name: found[name] for name in names}


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{place} is {value!r}, not a number")
    return float(value)


@dataclass(frozen=True, slots=True)
class ModelArrays:
    """The arrays of a model, over products p (in the order of `ids`) and people c (`customer_digests`, ascending).

    `neighbour_*` are those of `cooccurrence.Neighbours`; `taste_row[p]` is the row of p in `taste_*`, −1 for products
    beyond EASE's reach; `rise_short`, `rise_long` first-time buyers; `category[p]` counts the paths of `categories`,
    `family[p]` those of `families`, each with the share of first purchases that fell to it; `habit_*` are those of
    `frequency.Habits`.
    """

    id_blob: npt.NDArray[np.uint8]
    id_offsets: npt.NDArray[np.int64]
    id_digests: npt.NDArray[np.uint64]
    id_places: Ints
    popularity: Floats
    baskets: Floats
    rise_short: Floats
    rise_long: Floats
    category: Ints
    family: Ints
    category_share: Floats
    family_share: Floats
    category_blob: npt.NDArray[np.uint8]
    category_offsets: npt.NDArray[np.int64]
    neighbour_items: Ints
    neighbour_scores: Floats
    neighbour_supports: Ints
    taste_row: Ints
    taste_items: Ints
    taste_weights: Floats
    customer_digests: npt.NDArray[np.uint64]
    habit_offsets: npt.NDArray[np.int64]
    habit_items: Ints
    habit_counts: Floats
    habit_decayed: Floats
    habit_recent: Floats
    habit_last: Floats
    habit_first: Floats

    def as_dict(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by name, as an artefact keeps them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Model:
    """A model ready to be asked. `at_day` is its cut-off in days since 1970; `strategies` are those it may serve."""

    def __init__(self, arrays: ModelArrays, weights: Weights, at_day: float, strategies: frozenset[str]) -> None:
        self.arrays = arrays
        self.weights = weights
        self.at_day = at_day
        self.strategies = strategies
        self.size = len(arrays.popularity)
        self.ids = Texts(arrays.id_blob, arrays.id_offsets)
        self.index = Index(arrays.id_digests, arrays.id_places)
        self.categories = Texts(arrays.category_blob, arrays.category_offsets)
        self.log_popularity = np.log(arrays.popularity + 0.5).astype(np.float32)
        rises = (np.log(arrays.rise_short + 0.5), np.log(arrays.rise_long + 0.5), self.log_popularity)
        self.rise = np.zeros(self.size, np.float32)  # the part of for_you that depends on the product alone
        for weight, rise in zip(weights.for_you[-len(rises) :], rises, strict=True):
            self.rise += np.float32(weight) * rise
        self.newest = np.argsort(-arrays.rise_long, kind="stable")[:300].astype(np.int32)
        self.most_popular = np.argsort(-arrays.popularity, kind="stable")[:100].astype(np.int32)

    def habit(self, digest: int) -> Habit | None:
        """What this person had bought by the cut-off."""
        arrays = self.arrays
        place = int(np.searchsorted(arrays.customer_digests, np.uint64(digest)))
        if place == len(arrays.customer_digests) or int(arrays.customer_digests[place]) != digest:
            return None
        return self.habit_at(place)

    def habit_at(self, place: int) -> Habit:
        """What the person of this place had bought by the cut-off."""
        arrays = self.arrays
        part = slice(int(arrays.habit_offsets[place]), int(arrays.habit_offsets[place + 1]))
        return Habit(
            arrays.habit_items[part],
            arrays.habit_counts[part],
            arrays.habit_decayed[part],
            arrays.habit_recent[part],
            arrays.habit_last[part],
            arrays.habit_first[part],
        )


def person_order(habits: Habits, digests: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], Habits]:
    """Habits in the order of their people's digests, where a search finds them; empty ones are dropped."""
    counts = np.diff(habits.offsets)
    order = np.argsort(digests, kind="stable")
    order = order[counts[order] > 0]
    lengths = counts[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    take = np.repeat(habits.offsets[order] - offsets[:-1], lengths) + np.arange(offsets[-1])
    numbers = (habits.counts, habits.decayed, habits.recent, habits.last, habits.first)
    return digests[order], Habits(offsets, habits.items[take], *(column[take] for column in numbers))
