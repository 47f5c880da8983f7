"""What a training fits: half-lives, closeness, regularisation and the weights of each strategy's terms."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

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
    def from_json(cls, facts: dict[str, Any]) -> "Weights":
        """The reverse of `as_json`."""
        return cls(
            facts["habit_half_life_days"],
            Closeness(**facts["closeness"]),
            facts["regularisation"],
            tuple(facts["buy_again"].values()),
            tuple(facts["for_you"].values()),
            TogetherWeights(**facts["bought_together"]),
        )
