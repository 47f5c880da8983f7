"""Shifted sums of the units that did something become moments of all units; those who did nothing are all zero."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from experiments.statistics.moments import JointMoments

COLUMNS: Final = ("y", "d", "x", "e", "h")  # value, denominator, the same before exposure, has a history
SUMS: Final = COLUMNS
TOTALS: Final = ("total_y", "total_d")  # not shifted
PRODUCTS: Final = ("yy", "yd", "yx", "ye", "yh", "dd", "dx", "de", "dh", "xx", "xe", "xh", "ee", "eh")
EXACT: Final = 2.0**53
PAIRS: Final = tuple((left, right) for i, left in enumerate(COLUMNS) for right in COLUMNS[i:])


@dataclass(frozen=True, slots=True)
class Shifts:
    """What is subtracted from each column before it is squared: its mean over all units. h is 0 or 1 and stays."""

    y: float
    d: float
    x: float
    e: float

    def values(self) -> dict[str, float]:
        """By the column's name, as the SQL binds them."""
        return {"y": self.y, "d": self.d, "x": self.x, "e": self.e}

    def of(self, column: str) -> float:
        return 0.0 if column == "h" else self.values()[column]


def joint_moments(row: Mapping[str, float] | None, units: tuple[int, int], shifts: Shifts) -> JointMoments:
    """Moments over all `units` (how many, how many of them with a history) of one arm.

    `row` holds n, Σ(a − shift) and Σ(a − shift)(b − shift) over the units with anything, None where there are none.
    """
    count, histories = units
    found = row or dict.fromkeys(("n", *TOTALS, *SUMS, *PRODUCTS), 0.0)
    rest, rest_histories = count - found["n"], histories - found["h"]
    totals = {name: found[name] - rest * shifts.of(name) for name in ("y", "d", "x", "e")} | {"h": float(histories)}
    products: dict[tuple[str, str], float] = {}
    for left, right in PAIRS:
        if left == "h":
            products[left, right] = float(histories)
        elif right == "h":
            products[left, right] = found[left + right] - rest_histories * shifts.of(left)
        else:
            products[left, right] = found[left + right] + rest * shifts.of(left) * shifts.of(right)
    held = {name: shifts.of(name) for name in COLUMNS}
    moments = JointMoments.from_sums(count, totals, products, held)
    return with_exact_means(moments, {"y": found["total_y"], "d": found["total_d"]})


def with_exact_means(moments: JointMoments, totals: Mapping[str, float]) -> JointMoments:
    """The same with the means of unshifted totals: adding a shift back rounds, and a rate of 0 must be 0.

    A total from 2^53 on has lost more digits than that.
    """
    if moments.count == 0:
        return moments
    means = tuple(
        totals[name] / moments.count if abs(totals.get(name, EXACT)) < EXACT else mean
        for name, mean in zip(moments.columns, moments.means, strict=True)
    )
    return replace(moments, means=means)


def columns_of(moments: JointMoments, names: Mapping[str, str]) -> JointMoments:
    """A choice of the columns under other names: what `experiments.statistics` asks for by role."""
    chosen = tuple(names)
    pairs = [(left, right) for i, left in enumerate(chosen) for right in chosen[i:]]
    return JointMoments(
        tuple(names[name] for name in chosen),
        moments.count,
        tuple(moments.mean(name) for name in chosen),
        tuple(moments.comoment(left, right) for left, right in pairs),
    )
