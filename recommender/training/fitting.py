"""Fits half-lives, closeness, regularisation and blends on a validation window; nothing here is a constant of taste."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from recommender.model.frequency import Habit
from recommender.model.identifiers import Bools, Doubles, Floats, person_digest
from recommender.model.model import Closeness, Model, ModelArrays, TogetherWeights, Weights
from recommender.model.purchases import Purchases
from recommender.ranking import candidates
from recommender.ranking.candidates import Candidates, Scratch
from recommender.ranking.request import STRATEGIES
from recommender.ranking.strategies import Eligible, Situation, shortlist, together_scores, within
from recommender.training.build import assembled
from recommender.training.cooccurrence import Margins, common_baskets, neighbours, ranked
from recommender.training.counting import speaking
from recommender.training.ease import person_matrix, taste
from recommender.training.prediction_tasks import (
    TOP,
    PredictionTask,
    best,
    gain,
    hidden_products,
    kept_products,
    next_baskets,
    novel_products,
)
from recommender.training.similarity import POWERS, HiddenProducts, fitted_closeness
from recommender.training.sparse import SparseMatrix

STEPS: Final = 30
RIDGE: Final = 1.0
CLOSE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Choice:
    """One person's candidates: their terms (candidates × terms), and which of them were bought afterwards."""

    terms: Floats
    bought: Bools


def blend(choices: Sequence[Choice], ridge: float = RIDGE) -> Floats:
    """The weight of each term that makes what was bought likeliest among the candidates.

    McFadden, Conditional logit analysis of qualitative choice behavior, 1974; solved by Newton's method. Each person
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


HALF_LIVES: Final = (15.0, 30.0, 60.0, 120.0, 240.0)
REGULARISATIONS: Final = (50.0, 150.0, 450.0)
QUESTIONS: Final = 3_000  # of each kind that a fit looks at
TRIAL_PRODUCTS: Final = 2_000  # of EASE while its regularisation is sought
CLOSE_RACE: Final = 60  # own products of which the order matters
OWN_SHARES: Final = (0.2, 0.35, 0.5, 0.65, 0.8)
BOTH_SHARES: Final = (0.0, 0.5, 1.0, 2.0)
SHARED_QUESTIONS: Final = 1_500
FLAT: Final = -1.0


class FittingWindow:
    """Purchases before a day, and what followed it in the window: the material of a fit."""

    def __init__(self, purchases: Purchases, categories: Sequence[str], day: float, days: float) -> None:
        history = purchases.before(day)
        kept = kept_products(history)
        self.day = day
        self.history = history.where(kept[history.products])
        window = purchases.during(day, day + days)
        self.window = window.where(kept[window.products])
        self.categories = categories
        self.kept = kept
        self.next_baskets = _some(next_baskets(self.history, self.window))
        self.novel = _some(novel_products(self.history, self.window))
        self.hidden = hidden_products(self.window, QUESTIONS)
        self.scratch = Scratch(len(purchases.product_ids))

    def situation(self, model: Model, question: PredictionTask, *, known: bool = True) -> Situation:
        """A question as serving would meet it."""
        habit = model.habit(person_digest(self.history.person_ids[question.person])) if known else None
        return Situation(habit, question.cart, self.day)


def fitted(window: FittingWindow) -> tuple[Weights, ModelArrays]:
    """Weights fitted on the window, and the arrays of the model before it."""
    half_life = max(HALF_LIVES, key=partial(_frequency_gain, window))
    shared = speaking(window.history)
    baskets = common_baskets(shared, window.day)
    nearest, margins = neighbours(baskets, Closeness()), Margins.of(baskets)
    closeness, guest = fitted_closeness(HiddenProducts(window.hidden, nearest), margins)
    nearest = ranked(nearest.items, nearest.supports, margins.nearness(closeness))
    weights = Weights(habit_half_life=half_life, closeness=closeness, together=TogetherWeights(guest=guest))
    matrix = person_matrix(shared, window.day, half_life)
    weights = replace(weights, regularisation=max(REGULARISATIONS, key=partial(_novel_gain, window, matrix)))
    tastes = taste(matrix, weights.regularisation)
    arrays = assembled(window.history, window.categories, window.day, weights, nearest, tastes)
    return blended(window, arrays, weights), arrays


def blended(window: FittingWindow, arrays: ModelArrays, weights: Weights, part: slice = slice(None)) -> Weights:
    """The weights of every strategy's terms, from a part of the questions."""
    model = Model(arrays, weights, window.day, frozenset(STRATEGIES))
    again = [_again_choice(window, model, question) for question in window.next_baskets[part]]
    novel = [_novel_choice(window, model, question) for question in window.novel[part]]
    weights = replace(weights, buy_again=_fit(again, weights.buy_again), for_you=_fit(novel, weights.for_you))
    return replace(weights, together=_shares(window, arrays, weights, window.hidden[part][:SHARED_QUESTIONS]))


def _shares(
    window: FittingWindow, arrays: ModelArrays, weights: Weights, questions: Sequence[PredictionTask]
) -> TogetherWeights:
    """The power and shares of `bought_together` that find most of a known person's hidden products."""
    shares = [(own, both) for own in OWN_SHARES for both in BOTH_SHARES]
    guest = weights.together.guest
    trials = [TogetherWeights(guest, power, own, both) for power in POWERS for own, both in shares]
    if not questions:
        return weights.together
    hits = np.zeros((len(POWERS), len(shares)))
    for number, power in enumerate(POWERS):
        tried = replace(weights, together=TogetherWeights(guest, power))
        model = Model(arrays, tried, window.day, frozenset(STRATEGIES))
        for question in questions:
            habit = window.situation(model, question).habit
            found = candidates.bought_together(model, question.cart, habit, window.day, window.scratch)
            found = within(found, outside(window.kept, question))
            (hidden,) = question.bought
            at = np.flatnonzero(found.items == hidden)
            if len(at):  # whether it is among the best ten
                scores = np.stack([together_scores(found.terms, own, both) for own, both in shares])
                hits[number] += ((scores > scores[:, at]).sum(1) < TOP) & (scores[:, at[0]] > 0)
    return trials[int(hits.argmax())]


def _fit(choices: Sequence[Choice | None], default: tuple[float, ...]) -> tuple[float, ...]:
    """Fitted weights, or the default where nobody chose anything."""
    useful = [choice for choice in choices if choice is not None and choice.bought.any()]
    return tuple(blend(useful).tolist()) if len(useful) >= len(default) * 5 else default


def _choice(found: Candidates, terms: Floats, question: PredictionTask) -> Choice | None:
    bought = np.isin(found.items, np.fromiter(question.bought, np.int32, len(question.bought)))
    return Choice(terms, bought) if bought.any() else None


def _again_choice(window: FittingWindow, model: Model, question: PredictionTask) -> Choice | None:
    situation = window.situation(model, question)
    if situation.habit is None:
        return None
    found = candidates.buy_again(model, situation.habit, window.day, window.scratch)
    often = best(np.arange(len(found.items), dtype=np.int32), found.terms[:, 0], CLOSE_RACE)
    return _choice(Candidates(found.items[often], found.terms[often], found.evidence), found.terms[often], question)


def _novel_choice(window: FittingWindow, model: Model, question: PredictionTask) -> Choice | None:
    situation = window.situation(model, question)
    if situation.habit is None:
        return None
    found = candidates.for_you(model, situation.habit, window.day, window.scratch)
    found = shortlist(model, within(found, unowned(window.kept, situation.habit)))
    arrays = model.arrays
    rises = (np.log(arrays.rise_short + 0.5), np.log(arrays.rise_long + 0.5), model.log_popularity)
    return _choice(found, np.column_stack([found.terms, *(rise[found.items] for rise in rises)]), question)


def unowned(kept: Bools, habit: Habit | None) -> Eligible:
    """Kept products that the person has not bought."""
    mask = kept.copy()
    if habit is not None:
        mask[habit.items] = False
    return lambda items: mask[items]


def outside(kept: Bools, question: PredictionTask) -> Eligible:
    """Kept products that are not in the cart."""
    mask = kept.copy()
    mask[question.cart] = False
    return lambda items: mask[items]


def _frequency_gain(window: FittingWindow, half_life_days: float) -> float:
    """How much of the next baskets is found by frequency that decays by a half-life."""
    matrix = person_matrix(window.history, window.day, 1e9)
    left = 0.5 ** ((window.day - window.history.days) / half_life_days)
    lines = (left, (window.history.people, window.history.products))
    matrix = type(matrix)(lines, shape=matrix.shape)
    matrix.sum_duplicates()
    gains = [
        gain(best(matrix.indices[low:high], matrix.data[low:high]), question.bought)
        for question in window.next_baskets
        for low, high in [matrix.indptr[question.person : question.person + 2]]
    ]
    return float(np.mean(gains)) if gains else FLAT


def _novel_gain(window: FittingWindow, matrix: SparseMatrix, regularisation: float) -> float:
    """How much of what is bought for the first time is found by EASE of this regularisation."""
    tastes = taste(matrix, regularisation, TRIAL_PRODUCTS)
    gains: list[float] = []
    row = np.full(matrix.shape[1], -1, np.int32)
    row[tastes.products] = np.arange(len(tastes.products), dtype=np.int32)
    for question in window.novel:
        low, high = matrix.indptr[question.person : question.person + 2]
        own, left = matrix.indices[low:high], matrix.data[low:high]
        rows = row[own]
        items = tastes.items[rows[rows >= 0]].ravel()
        values = (tastes.weights[rows[rows >= 0]] * left[rows >= 0][:, None]).ravel()
        items, sums = window.scratch.summed(items[items >= 0], values[items >= 0], own[:0])
        new = ~np.isin(items, own)
        gains.append(gain(best(items[new], sums[new]), question.bought))
    return float(np.mean(gains)) if gains else FLAT


def _some(questions: list[PredictionTask]) -> list[PredictionTask]:
    if len(questions) <= QUESTIONS:
        return questions
    chosen = np.random.default_rng(0).permutation(len(questions))[:QUESTIONS]
    return [questions[place] for place in sorted(chosen.tolist())]
