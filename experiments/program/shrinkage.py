"""Estimates of many experiments, shrunk by what all of them say: empirical Bayes against the winner's curse.

Who ships what looked best sums lucky draws (Lee & Shen 2018; Azevedo, Deng, Montiel Olea, Rao & Weyl 2020). The true
effects are taken to come from a mixture of normals around zero (Stephens 2017): a point mass at 0 and scales that
double. Its weights are estimated from every experiment, losers included; then each effect is read off its posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from experiments.statistics.estimate import Interval

Array = npt.NDArray[np.float64]
ENOUGH: Final = 10  # experiments of which a prior can be learnt; of fewer it is borrowed
DEFAULT_SCALE: Final = 0.02
REFITS: Final = 100
LEVEL: Final = 0.9
_DRAWS_A_REFIT: Final = 5
_SEED: Final = 20260105
_NULLS, _OTHERS = 3.0, 1.0  # pseudo-experiments without an effect, and with one of any scale
_STEPS, _SETTLED = 200, 1e-5


@dataclass(frozen=True, slots=True)
class Prior:
    """Weights (they add up to 1) of normals around zero with these scales; `borrowed` where too few experiments were
    there to learn it from."""

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    borrowed: bool


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A posterior mean with its 90 % interval."""

    value: float
    ci: Interval


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Every estimate's posterior, and the sum of those that were chosen."""

    prior: Prior
    estimates: tuple[Shrunk, ...]
    total: Shrunk


def shrinkage(
    estimates: Sequence[float],
    errors: Sequence[float],
    chosen: Sequence[bool],
    default_scale: float = DEFAULT_SCALE,
    experiments: int | None = None,
) -> Shrinkage | None:
    """Posteriors of effects from estimates with their standard errors; `chosen` are those to sum. None without any.

    `experiments` says of how many the estimates are, where some compared several variants; by default of one each.
    The prior's own uncertainty is let in: it is fitted REFITS times, to experiments weighed anew (Bayesian bootstrap,
    Rubin 1981) and to a few pseudo-experiments; the answer is the mean over all fits. The draws are of a fixed seed.
    """
    if not estimates:
        return None
    rng = np.random.default_rng(_SEED)
    x, s = np.asarray(estimates, np.float64)[:, None], np.asarray(errors, np.float64)[:, None]
    borrowed = (len(estimates) if experiments is None else experiments) < ENOUGH
    scales = _scales(x, s)
    if borrowed:
        scales = np.append(scales, default_scale)
        pseudo = np.append(np.zeros(len(scales) - 1), float(ENOUGH))
    else:
        pseudo = np.append(_NULLS, np.full(len(scales) - 1, _OTHERS / (len(scales) - 1)))
    variances = s * s + scales * scales
    logarithms = -0.5 * (x * x / variances + np.log(variances))
    likelihoods = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    weights = _weights(
        likelihoods, rng.standard_exponential((REFITS, len(x))), rng.standard_gamma(pseudo, (REFITS, len(scales)))
    )
    chances = weights[:, None, :] * likelihoods
    chances /= chances.sum(axis=2, keepdims=True)  # refit × experiment × scale
    kept = scales * scales / variances
    means = (chances * (kept * x)).sum(axis=2).mean(axis=0)
    below = rng.random((_DRAWS_A_REFIT, REFITS, len(x), 1)) > chances.cumsum(axis=2)
    scale = np.minimum(below.sum(axis=3), len(scales) - 1)
    place = np.arange(len(x)), scale
    drawn = (kept * x)[place] + (np.sqrt(kept) * s)[place] * rng.standard_normal(scale.shape)
    drawn = drawn.reshape(-1, len(x))
    summed = np.asarray(chosen, bool)
    return Shrinkage(
        Prior(tuple(weights.mean(axis=0).tolist()), tuple(scales.tolist()), borrowed),
        tuple(_shrunk(float(mean), column) for mean, column in zip(means, drawn.T, strict=True)),
        _shrunk(float(means[summed].sum()), drawn[:, summed].sum(axis=1)),
    )


def _scales(x: Array, s: Array) -> Array:
    """0, and from a quarter of the smallest standard error doubling until twice the largest effect that may be true."""
    least = float(s.min()) / 4.0
    most = 2.0 * float(np.sqrt(max(0.0, float((x * x - s * s).max()))))
    doublings = int(np.ceil(np.log2(max(most, least) / least)))
    return np.append(0.0, least * 2.0 ** np.arange(doublings + 1))


def _weights(likelihoods: Array, counts: Array, pseudo: Array) -> Array:
    """EM for the weights of a mixture (Dempster, Laird & Rubin 1977), for every row of counts at once."""
    weights = np.full(pseudo.shape, 1.0 / pseudo.shape[1])
    for _ in range(_STEPS):
        before = weights
        weights = weights * ((counts / (weights @ likelihoods.T)) @ likelihoods) + pseudo
        weights /= weights.sum(axis=1, keepdims=True)
        if float(np.abs(weights - before).max()) < _SETTLED:
            break
    return weights


def _shrunk(mean: float, draws: Array) -> Shrunk:
    """The interval between the outer twentieths of the draws, as far as the mean where most of them are 0."""
    low, high = np.quantile(draws, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0]).tolist()
    return Shrunk(mean, Interval(min(low, mean), max(high, mean)))
