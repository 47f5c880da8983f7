"""Weights of a strategy's terms, fitted to what customers chose: a conditional logit over each one's candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.arrays import Bools, Doubles, Floats

STEPS: Final = 30
RIDGE: Final = 1.0
CLOSE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Choice:
    """One customer's candidates: their terms (candidates × terms), and which of them were bought afterwards."""

    terms: Floats
    bought: Bools


def blend(choices: Sequence[Choice], ridge: float = RIDGE) -> Floats:
    """The weight of each term that makes what was bought likeliest among the candidates.

    McFadden, Conditional logit analysis of qualitative choice behavior, 1974; solved by Newton's method. Each customer
    counts with the square root of what they bought. Ridge on standardised terms; no choice at all gives zeros.
    """
    useful = [choice for choice in choices if choice.bought.any() and not choice.bought.all()]
    if not useful:
        return np.zeros(choices[0].terms.shape[1] if choices else 0, np.float32)
    everything = np.concatenate([choice.terms for choice in useful]).astype(np.float64)
    centre, spread = everything.mean(0), everything.std(0)
    spread[spread < 1e-9] = 1.0
    scaled = [((choice.terms - centre) / spread, choice.bought) for choice in useful]
    weights = np.zeros(len(centre))
    value, gradient, curvature = _likelihood(scaled, weights, ridge)
    for _ in range(STEPS):
        step = np.linalg.solve(curvature, gradient)
        if np.abs(step).max() < CLOSE:
            break
        share = 1.0
        while (ahead := _likelihood(scaled, weights + share * step, ridge))[0] < value and share > CLOSE:
            share /= 2  # a full step may go too far where few were chosen of many
        weights += share * step
        value, gradient, curvature = ahead
    return (weights / spread).astype(np.float32)


def _likelihood(
    scaled: Sequence[tuple[Doubles, Bools]], weights: Doubles, ridge: float
) -> tuple[float, Doubles, Doubles]:
    """The penalised log-likelihood, its gradient and its negative Hessian."""
    value = -ridge * float(weights @ weights) / 2
    gradient, curvature = -ridge * weights, ridge * np.eye(len(weights))
    for terms, bought in scaled:
        score = terms @ weights
        score -= score.max()
        likely = np.exp(score)
        total = likely.sum()
        likely /= total
        mean = likely @ terms
        count = float(bought.sum())
        share = count**-0.5
        value += share * float(score[bought].sum() - count * np.log(total))
        gradient += share * (terms[bought].sum(0) - count * mean)
        curvature += share * count * ((terms * likely[:, None]).T @ terms - np.outer(mean, mean))
    return value, gradient, curvature
