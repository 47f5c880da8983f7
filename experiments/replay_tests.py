"""The tests of many replays at once: Welch at the last day, and the anytime p at every day."""

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.statistics.arms import FEWEST_DENOMINATORS
from experiments.statistics.sequential import tuning

Floats = npt.NDArray[np.float64]
_TINY: Final = 1e-300


def crossed_fixed(sums: Floats, alpha: float, *, ratio: bool) -> npt.NDArray[np.bool_]:
    """Whether the two-sided Welch test rejects at the last day; thousands of units, so t is normal.

    `sums` are (2 arms × replays × days × [n, y, d, yy, yd, dd]).
    """
    difference, error, _ = _effect(sums[:, :, -1], ratio=ratio)
    return np.abs(difference) > NormalDist().inv_cdf(1.0 - alpha / 2.0) * error


def crossed_anytime(sums: Floats, alpha: float, planned_units: int, *, ratio: bool) -> npt.NDArray[np.bool_]:
    """Whether the confidence sequence excludes zero at any day: its p falls to alpha."""
    difference, error, units = _effect(sums, ratio=ratio)
    precision = tuning(alpha, planned_units) * units
    statistic = np.square(difference) / np.maximum(np.square(error), _TINY)
    exponent = 0.5 * np.log1p(precision) - 0.5 * statistic * precision / (precision + 1.0)
    known = (error > 0.0) & (exponent <= math.log(alpha))
    return np.asarray(known.any(axis=1))


def _effect(sums: Floats, *, ratio: bool) -> tuple[Floats, Floats, Floats]:
    """Treatment less control, its standard error (0 where there is none), and the units of both."""
    values, errors = zip(*(_arm(arm, ratio=ratio) for arm in sums), strict=True)
    usable = (sums[..., 0] >= 2.0).all(axis=0)
    if ratio:
        worth = np.square(sums[..., 2]) / np.maximum(sums[..., 5], _TINY)
        usable &= (worth >= FEWEST_DENOMINATORS).all(axis=0)
    error = np.where(usable, np.sqrt(errors[0] + errors[1]), 0.0)
    return np.where(usable, values[1] - values[0], 0.0), error, sums[..., 0].sum(axis=0)


def _arm(sums: Floats, *, ratio: bool) -> tuple[Floats, Floats]:
    """Value and squared standard error of one arm."""
    n = np.maximum(sums[..., 0], 2.0)
    y, d = sums[..., 1] / n, sums[..., 2] / n
    yy = np.maximum(0.0, sums[..., 3] - n * y * y) / (n - 1.0)
    if not ratio:
        return y, yy / n
    yd = (sums[..., 4] - n * y * d) / (n - 1.0)
    dd = np.maximum(0.0, sums[..., 5] - n * d * d) / (n - 1.0)
    base = np.where(d == 0.0, np.inf, d)
    value = y / base
    return value, np.maximum(0.0, yy - 2.0 * value * yd + value * value * dd) / (base * base) / n
