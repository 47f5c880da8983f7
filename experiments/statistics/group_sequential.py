"""The planned method: group-sequential bounds by Lan-DeMets spending, alpha·t² at the looks of the plan."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from experiments.statistics.fixed import SMALLEST_P

Array = npt.NDArray[np.float64]
NODES = 96  # Gauss-Legendre nodes per stage; bounds agree with 512 nodes to 1e-9
REACH = 9.0  # standard deviations of the walk that are integrated at the first stages with tiny spending


@dataclass(frozen=True, slots=True)
class Look:
    """The `number`-th look (from 1) of a plan whose looks stand at these information fractions, the last one 1."""

    number: int
    information: tuple[float, ...]


def equal_looks(looks: int) -> tuple[float, ...]:
    """Information fractions of equally spaced looks: k / looks."""
    return tuple((number + 1) / looks for number in range(looks))


def spent(alpha: float, information: float) -> float:
    """Alpha spent by information fraction t: alpha·t² (power family, Kim & DeMets 1987)."""
    return alpha * min(1.0, information) ** 2


@lru_cache(maxsize=4096)
def bounds(alpha: float, information: tuple[float, ...], sides: int = 2) -> tuple[float, ...]:
    """Standard normal bounds per look, by integrating the walk's density stage by stage.

    Armitage, McPherson & Rowe (1969); Lan & DeMets (1983). `sides` 2 is symmetric. Cached: a plan has one schedule.
    """
    ...


def boundary(alpha: float, look: Look) -> float:
    """The bound of this look."""
    return bounds(alpha, look.information[: look.number])[-1]


def planned_critical(alpha: float, look: Look, degrees_of_freedom: float) -> float:
    """The bound as a t quantile of the same nominal level (significance-level approach, Jennison & Turnbull 2000)."""
    ...


def planned_p(p: float, look: Look) -> float:
    """Repeated p at this look: the smallest alpha whose bound the fixed two-sided `p` reaches (Jennison & Turnbull)."""
    ...
