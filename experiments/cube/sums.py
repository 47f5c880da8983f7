"""Shifted sums of the units that did something become moments of all units, whole and for every day in retrospect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from experiments.statistics.moments import JointMoments, mean_or_nothing

COLUMNS: Final = ("y", "d", "x", "e", "h")  # value, denominator, the same before exposure, has a history
TOTALS: Final = ("total_y", "total_d", "total_x", "total_e", "nonzero")  # not shifted
PRODUCTS: Final = ("yy", "yd", "yx", "ye", "yh", "dd", "dx", "de", "dh", "xx", "xe", "xh", "ee", "eh")
EXACT: Final = 2.0**53
PAIRS: Final = tuple(combinations_with_replacement(COLUMNS, 2))


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
    found = row or dict.fromkeys(("n", *TOTALS, *COLUMNS, *PRODUCTS), 0.0)
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
    moments = JointMoments.from_sums(count, totals, products, held, round(found["nonzero"]))
    return with_exact_means(moments, {name: found[f"total_{name}"] for name in ("y", "d", "x", "e")})


def with_exact_means(moments: JointMoments, totals: Mapping[str, float]) -> JointMoments:
    """The same with the means of unshifted totals: adding a shift back rounds, and what is 0 must be 0.

    A rate that is not would be no rate of 0, a covariate that nobody has would be one to adjust by, and amounts that
    cancel would leave a mean to be relative to. A total from 2^53 on has lost more digits than that.
    """
    if moments.count == 0:
        return moments
    means: list[float] = []
    for name, mean in zip(moments.columns, moments.means, strict=True):
        found = totals[name] / moments.count if abs(totals.get(name, EXACT)) < EXACT else mean
        spread = sqrt(max(0.0, moments.comoment(name, name)) / moments.count)
        means.append(mean_or_nothing(found, moments.count, spread))
    return replace(moments, means=tuple(means))


def columns_of(moments: JointMoments, names: Mapping[str, str]) -> JointMoments:
    """A choice of the columns, the first one among them, under other names: what `experiments.statistics` asks for."""
    pairs = combinations_with_replacement(names, 2)
    return JointMoments(
        tuple(names.values()),
        moments.count,
        tuple(moments.mean(name) for name in names),
        tuple(moments.comoment(left, right) for left, right in pairs),
        moments.nonzero,
    )


Floats = npt.NDArray[np.float64]
STEPS: Final = ("y", "d", "yy", "yd", "dd", "yx", "ye", "yh", "dx", "de", "dh", "nonzero")
OWN: Final = ("own_y", "own_d", "own_yy", "own_yd", "own_dd", "own_nonzero")
ENTRY: Final = ("n", "x", "e", "h", "xx", "xe", "xh", "ee", "eh", "total_x", "total_e")


@dataclass(frozen=True, slots=True)
class Looks:
    """Per shop day (ascending) and arm: moments of the value so far, and of what that day alone brought.

    The sample of a day are all units that entered on it or before.
    """

    days: tuple[int, ...]
    cumulative: tuple[tuple[JointMoments, ...], ...]
    daily: tuple[tuple[JointMoments, ...], ...]


def looks_of(units: Columns, entries: Columns, looks: Columns, shifts: Shifts, arms: Sequence[int]) -> Looks:
    """From what entered some arms and what was added on each day (`unit_counts`, `entries` and `looks` of the SQL)."""
    found = ((units, "entered"), (entries, "entered"), (looks, "day"))
    days = np.unique(np.concatenate([rows[day][np.isin(rows["arm"], arms)] for rows, day in found]).astype(np.int64))
    cumulative: list[list[JointMoments]] = [[] for _ in days]
    daily: list[list[JointMoments]] = [[] for _ in days]
    for arm in arms:
        n, h = (np.cumsum(_on(days, units, "entered", arm, name)) for name in ("n", "h"))
        entered = {name: np.cumsum(_on(days, entries, "entered", arm, name)) for name in ENTRY}
        added = {name: np.cumsum(_on(days, looks, "day", arm, name)) for name in STEPS}
        own = {name: _on(days, looks, "day", arm, name) for name in OWN}
        sums, products = _sums(n, h, entered, added, shifts)
        for row in range(len(days)):
            totals = {name: float(sums[name][row]) for name in COLUMNS}
            pairs = {(left, right): float(products[left + right][row]) for left, right in PAIRS}
            held, nonzero = {name: shifts.of(name) for name in COLUMNS}, round(added["nonzero"][row])
            so_far = JointMoments.from_sums(round(n[row]), totals, pairs, held, nonzero)
            exact = {name: float(added[name][row]) for name in ("y", "d")}
            exact |= {name: float(entered[f"total_{name}"][row]) for name in ("x", "e")}
            cumulative[row].append(with_exact_means(so_far, exact))
            alone = {"y": float(own["own_y"][row]), "d": float(own["own_d"][row])}
            pairs = {(a, b): float(own[f"own_{a}{b}"][row]) for a, b in (("y", "y"), ("y", "d"), ("d", "d"))}
            nonzero = round(own["own_nonzero"][row])
            of_day = JointMoments.from_sums(round(n[row]), alone, pairs, nonzero=nonzero)
            daily[row].append(with_exact_means(of_day, alone))
    return Looks(
        tuple(int(day) for day in days), tuple(tuple(row) for row in cumulative), tuple(tuple(row) for row in daily)
    )


def _on(days: npt.NDArray[np.int64], found: Columns, key: str, arm: int, name: str) -> Floats:
    """The sums of one arm on each of the days, 0 where there are none."""
    column = np.zeros(len(days))
    chosen: npt.NDArray[Any] = found["arm"] == arm
    np.add.at(
        column, np.searchsorted(days, found[key][chosen].astype(np.int64)), found[name][chosen].astype(np.float64)
    )
    return column


def _sums(
    n: Floats, h: Floats, entered: dict[str, Floats], added: dict[str, Floats], shifts: Shifts
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Shifted sums and products: a unit enters with y = d = 0, and with its covariates."""
    rest, rest_h = n - entered["n"], h - entered["h"]
    sums = {
        "y": added["y"] - n * shifts.y,
        "d": added["d"] - n * shifts.d,
        "x": entered["x"] - rest * shifts.x,
        "e": entered["e"] - rest * shifts.e,
        "h": h,
    }
    products = {
        "yy": added["yy"] + n * shifts.y * shifts.y,
        "yd": added["yd"] + n * shifts.y * shifts.d,
        "dd": added["dd"] + n * shifts.d * shifts.d,
        "xx": entered["xx"] + rest * shifts.x * shifts.x,
        "xe": entered["xe"] + rest * shifts.x * shifts.e,
        "ee": entered["ee"] + rest * shifts.e * shifts.e,
        "xh": entered["xh"] - rest_h * shifts.x,
        "eh": entered["eh"] - rest_h * shifts.e,
        "hh": h,
    }
    for value in ("y", "d"):
        for covariate in ("x", "e", "h"):
            products[value + covariate] = added[value + covariate] - shifts.of(value) * sums[covariate]
    return sums, products
