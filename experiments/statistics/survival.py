"""Times that are not over for everybody: the Kaplan-Meier curve, its quantiles, and their intervals.

Whoever is still waiting is censored, not left out: a median of those alone who were served looks fast because the hard
ones are missing.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Times = npt.NDArray[np.float64]
Happened = npt.NDArray[np.bool_]
LEVEL = 1e-12  # by which a survival may miss the quantile's level by rounding


@dataclass(frozen=True, slots=True, eq=False)
class SurvivalCurve:
    """The share that still waits after each time at which something happened, ascending (Kaplan & Meier 1958).

    `hazard` is Greenwood's sum Σ d / (n·(n − d)) up to that time: the variance of the logarithm of the share. `count`
    are all who waited, `censored` those who still do.
    """

    times: Times
    surviving: Times
    hazard: Times
    count: int
    censored: int

    @classmethod
    def of(cls, times: Times, happened: Happened) -> Self:
        """Of how long each waited, and whether that ended it; at one time whoever was served goes before who waits."""
        order = np.argsort(times, kind="stable")
        return cls.of_sorted(times[order], happened[order])

    @classmethod
    def of_sorted(cls, times: Times, happened: Happened) -> Self:
        """The same of ascending times."""
        count = int(times.size)
        starts = np.flatnonzero(np.diff(times, prepend=-np.inf))
        deaths = np.add.reduceat(happened.astype(np.float64), starts) if count else np.zeros(0)
        kept = deaths > 0
        deaths, at_risk = deaths[kept], count - starts[kept].astype(np.float64)
        with np.errstate(divide="ignore"):
            hazard = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        surviving = np.cumprod((at_risk - deaths) / at_risk, dtype=np.float64)
        return cls(times[starts[kept]], surviving, hazard, count, count - int(happened.sum()))

    def quantile(self, q: float) -> float | None:
        """The smallest time by which a share q of all is over; None where so many are not over yet."""
        over = np.flatnonzero(self.surviving <= 1.0 - q + LEVEL)
        return float(self.times[over[0]]) if over.size else None

    def quantile_ends(self, q: float, alpha: float) -> tuple[float, float]:
        """The interval of a quantile: the times whose share is not significantly another one (Brookmeyer & Crowley
        1982), on the scale log(−log S) with Greenwood's variance (Kalbfleisch & Prentice 1980; the `log-log` of R's
        survfit). The upper end is infinite where nobody is left beyond it.
        """
        if not self.times.size:
            return 0.0, math.inf
        inside = np.flatnonzero(self._distances(1.0 - q) <= -float(ndtri(alpha / 2.0)))
        over = np.flatnonzero(self.surviving <= 1.0 - q + LEVEL)
        last = int(inside[-1]) + 1 if inside.size else int(over[0]) if over.size else self.times.size
        low = int(inside[0]) if inside.size else min(last, self.times.size - 1)
        known = last < self.times.size and self.surviving[last] > 0.0
        return float(self.times[low]), float(self.times[last]) if known else math.inf

    def _distances(self, level: float) -> Times:
        """How many standard errors the share after each time lies from the level; before the first and after the last
        one has waited, no error is known, and nothing is that level."""
        surviving = self.surviving
        known = (surviving > 0.0) & (surviving < 1.0)
        distances = np.full(surviving.shape, np.inf)
        logs = np.log(surviving[known])
        errors = np.sqrt(self.hazard[known]) / np.abs(logs)
        distances[known] = np.abs(np.log(-logs) - math.log(-math.log(level))) / errors
        return distances
