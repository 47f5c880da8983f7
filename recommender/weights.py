"""What a training fits: half-lives, closeness, regularisation and the weights of each strategy's terms."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, cast

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
    """How the cart and the customer's own habits share a list of `bought_together`.

    A product's score is (1 − own) c + own h + both √(c h), with c its share of what the cart's neighbours say (each
    nearness to the power `guest` or `known`) and h its share of what the customer buys again.
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
    together: "TogetherWeights" = field(default_factory=lambda: TogetherWeights())

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
