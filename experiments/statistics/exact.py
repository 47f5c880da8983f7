"""Exact answers for few conversions: Fisher's p, Newcombe's interval, and the lift interval dual to it."""

from experiments.statistics.arms import Pair
from experiments.statistics.estimate import Interval, NoEstimate, Reason

FEW = 10


def few(pair: Pair) -> Reason | None:
    """`few_conversions` below 10 conversions in an arm, `few_non_conversions` below 10 others; None else."""
    ...


def fisher_p(pair: Pair) -> float:
    """Two-sided: the total probability of all tables no likelier than the observed one."""
    ...


def newcombe_interval(pair: Pair, alpha: float) -> Interval:
    """Difference of shares by the square-and-add of two Wilson intervals (Newcombe 1998, method 10)."""
    ...


def newcombe_lift_interval(pair: Pair, alpha: float) -> Interval | NoEstimate:
    """The same for the ratio (Donner & Zou 2012): it holds zero lift exactly when the difference holds zero."""
    ...
