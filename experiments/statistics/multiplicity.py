"""Corrections for reading many p-values at once: Holm, Benjamini-Hochberg, Bonferroni."""

from collections.abc import Sequence
from typing import Literal

from experiments.statistics.estimate import NoEstimate

Correction = Literal["holm", "bh"]
"""How p-values that are read together are corrected.
`holm`: Holm: at most alpha of all readouts hold any false winner or loser.
`bh`: Benjamini-Hochberg: among what is called a winner or loser, a share of alpha may be false.
"""


def adjusted(p_values: Sequence[float | NoEstimate], correction: Correction = "holm") -> tuple[float | NoEstimate, ...]:
    """Adjusted p in the given order. A p that is missing counts in the family, as 1, and stays missing."""
    present = [1.0 if isinstance(p, NoEstimate) else p for p in p_values]
    corrected = holm(present) if correction == "holm" else benjamini_hochberg(present)
    return tuple(p if isinstance(p, NoEstimate) else q for p, q in zip(p_values, corrected, strict=True))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm (1979): the k-th smallest times (m − k + 1), made monotone; strong control of any false positive."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    result = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p_values[index]))
        result[index] = highest
    return tuple(result)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Benjamini & Hochberg (1995): the k-th smallest times m / k, made monotone; controls the false discovery rate."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    result = [0.0] * len(p_values)
    lowest = 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        lowest = min(lowest, p_values[index] * len(order) / rank)
        result[index] = lowest
    return tuple(result)


def bonferroni(p_values: Sequence[float | NoEstimate]) -> tuple[float | NoEstimate, ...]:
    """Each p times the size of the family; what a planned test uses, whose alpha is shared before the first look."""
    return tuple(p if isinstance(p, NoEstimate) else min(1.0, p * len(p_values)) for p in p_values)
