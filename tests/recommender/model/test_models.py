"""The parts of a model against oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from recommender.model.frequency import habits
from recommender.model.identifiers import Index, Texts
from recommender.model.model import Closeness
from recommender.model.purchases import Purchases
from recommender.training.build import first_time_buyers, popularity
from recommender.training.cooccurrence import (
    LARGEST_BASKET,
    ROWS_AT_ONCE,
    CommonBaskets,
    Margins,
    basket_matrix,
    common_baskets,
    neighbours,
)
from recommender.training.counting import HALF_LIFE_DAYS
from recommender.training.ease import person_matrix, taste
from recommender.training.fitting import Choice, blend
from recommender.training.prediction_tasks import hidden_products
from recommender.training.similarity import HiddenProducts, fitted_closeness

LINES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9), st.floats(0, 100)), min_size=1, max_size=60
)


def shop(lines: list[tuple[int, int, int, float]]) -> Purchases:
    return Purchases.of(
        [f"c{line[0]}" for line in lines],
        [f"p{line[1]}" for line in lines],
        [f"o{line[2]}" for line in lines],
        [line[3] for line in lines],
    )


def counted(purchases: Purchases) -> CommonBaskets:
    return common_baskets(purchases, 100.0)


def one_day_an_order(lines: list[tuple[int, int, int, float]]) -> list[tuple[int, int, int, float]]:
    """Of person p the orders 100 p, 100 p + 1, …, each with the day of its first line."""
    day = {(person, order): when for person, _, order, when in reversed(lines)}
    return [(person, product, 100 * person + order, day[person, order]) for person, product, order, _ in lines]


COSINE = Closeness(0.6, 0, 0, 0)
CLOSENESS = st.builds(Closeness, st.floats(0, 1), st.floats(0, 2), st.floats(0, 5), st.floats(0, 2))


@given(LINES, st.one_of(st.just(COSINE), CLOSENESS))
def test_neighbours_are_as_near_as_the_formula_says(
    lines: list[tuple[int, int, int, float]], closeness: Closeness
) -> None:
    purchases = shop(one_day_an_order(lines))
    baskets = basket_matrix(purchases).toarray().astype(np.float64)
    found = neighbours(counted(purchases), closeness, kept=10)
    times: dict[tuple[int, int], list[int]] = {}  # of each person in each half-life the baskets
    for basket in np.unique(purchases.baskets):
        line = int(np.flatnonzero(purchases.baskets == basket)[0])
        age = int((100.0 - purchases.days[line]) // HALF_LIFE_DAYS)
        times.setdefault((int(purchases.people[line]), age), []).append(int(basket))
    pairs = sum(np.minimum(baskets[own].T @ baskets[own], 1) for own in times.values())
    assert isinstance(pairs, np.ndarray)
    counts = pairs.diagonal()
    companions = pairs.sum(1) - counts
    mean_size = companions / counts + 1
    for product in range(baskets.shape[1]):
        together = pairs[product]
        chance = closeness.chance * companions[product] * companions / max(companions.sum(), 1)
        trust = together / np.maximum(together + closeness.doubt, 1e-9)
        near = (together - chance) * trust / (counts[product] ** closeness.alpha * counts ** (1 - closeness.alpha))
        near *= mean_size**-closeness.crowding
        near[product] = 0
        row = {int(i): float(s) for i, s in zip(found.items[product], found.scores[product], strict=True) if i >= 0}
        expected = {i: s for i, s in enumerate(near.tolist()) if s > 1e-6 and together[i] > 0}
        assert {i: s for i, s in row.items() if s > 1e-6} == pytest.approx(expected, rel=1e-3, abs=1e-6)
        assert list(row.values()) == sorted(row.values(), reverse=True)


def test_the_fit_finds_the_formula_that_tells_pairs_from_what_is_everywhere() -> None:
    dice = np.random.default_rng(2)
    lines = [
        (n, product, n, 1.0)
        for n in range(600)
        for pair in [int(dice.integers(20))]
        for product in (2 * pair, 2 * pair + 1, *(40 + dice.choice(10, 5, replace=False)))
    ]
    purchases = shop(lines)
    matrix = counted(purchases)
    nearest, margins = neighbours(matrix, COSINE, kept=50), Margins.of(matrix)
    hidden = HiddenProducts(hidden_products(purchases, 300), nearest)
    closeness, power = fitted_closeness(hidden, margins)
    plain = hidden.gain(margins.nearness(COSINE), 1.0)
    assert hidden.gain(margins.nearness(closeness), power) > 1.05 * plain
    assert (closeness, power) == fitted_closeness(hidden, margins)


def test_without_a_hidden_product_the_formula_stays_what_it_was() -> None:
    matrix = counted(shop([(0, 0, 0, 1.0), (0, 1, 0, 1.0)]))
    hidden = HiddenProducts([], neighbours(matrix, Closeness()))
    assert fitted_closeness(hidden, Margins.of(matrix)) == (Closeness(), 1.5)


def test_blocks_join_without_a_seam() -> None:
    size = ROWS_AT_ONCE + 50
    purchases = Purchases.of(["c"] * (2 * size), [f"p{n // 2 + n % 2}" for n in range(2 * size)],
                             [f"o{n // 2}" for n in range(2 * size)], [1.0] * (2 * size))  # fmt: skip
    found = neighbours(counted(purchases), COSINE, kept=4, block_cells=100)
    assert all(set(found.items[n][found.items[n] >= 0]) == {n - 1, n + 1} for n in range(1, size))


def test_a_huge_basket_counts_only_up_to_the_cap() -> None:
    count = LARGEST_BASKET + 30
    purchases = Purchases.of(["c"] * count, [f"p{n}" for n in range(count)], ["o"] * count, [1.0] * count)
    assert basket_matrix(purchases).sum() == LARGEST_BASKET


def test_ease_solves_its_closed_form() -> None:
    dice = np.random.default_rng(3)
    lines = [(int(c), int(p), n, 50.0) for n, (c, p) in enumerate(dice.integers(0, (30, 12), (200, 2)))]
    matrix = person_matrix(shop(lines), 50.0, 1e9)
    found = taste(matrix, 5.0, kept=11)
    dense = matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + 5 * np.eye(dense.shape[1]))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    rebuilt = np.zeros_like(expected)
    for row, product in enumerate(found.products):
        rebuilt[product, found.items[row]] = found.weights[row]
    assert rebuilt == pytest.approx(expected, abs=1e-5)


def test_ease_keeps_to_the_products_that_most_people_bought() -> None:
    lines = [(c, p, c, 1.0) for c in range(6) for p in range(3 if c else 8)]
    assert taste(person_matrix(shop(lines), 1.0, 1e9), 1.0, largest=3).products.tolist() == [0, 1, 2]


@given(LINES)
def test_habits_hold_what_is_left_of_every_purchase(lines: list[tuple[int, int, int, float]]) -> None:
    purchases = shop(lines)
    found = habits(purchases, 100.0, 30.0)
    for person in range(len(purchases.person_ids)):
        part = slice(found.offsets[person], found.offsets[person + 1])
        for item, decayed, count in zip(found.items[part], found.decayed[part], found.counts[part], strict=True):
            days = purchases.days[(purchases.people == person) & (purchases.products == item)]
            assert (decayed, count) == (pytest.approx((0.5 ** ((100 - days) / 30)).sum(), rel=1e-4), len(days))
        assert list(found.decayed[part]) == sorted(found.decayed[part], reverse=True)


def test_popularity_and_first_purchases_fade() -> None:
    purchases = shop([(0, 0, 0, 0.0), (0, 0, 1, 10.0), (1, 0, 2, 20.0), (1, 1, 3, 20.0)])
    assert popularity(purchases, 20.0, 10.0).tolist() == pytest.approx([0.25 + 0.5 + 1, 1])
    assert first_time_buyers(purchases, 20.0, 10.0).tolist() == pytest.approx([0.25 + 1, 1])


def test_a_blend_finds_the_weights_that_made_the_choices() -> None:
    dice, truth = np.random.default_rng(5), np.array([1.5, -0.7, 0.0])
    choices = []
    for _ in range(3000):
        terms = dice.normal(size=(20, 3)).astype(np.float32)
        score = terms @ truth + dice.gumbel(size=20)
        choices.append(Choice(terms, np.arange(20) == score.argmax()))
    assert blend(choices) == pytest.approx(truth, abs=0.08)


@settings(max_examples=examples(30))
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1e4))
def test_a_blend_never_runs_away(seed: int, scale: float) -> None:
    dice = np.random.default_rng(seed)
    choices = [Choice((scale * dice.normal(size=(50, 2))).astype(np.float32), np.arange(50) == 3) for _ in range(8)]
    assert np.isfinite(blend(choices)).all()


def test_a_blend_without_choices_says_nothing() -> None:
    nothing = Choice(np.ones((4, 2), np.float32), np.zeros(4, np.bool_))
    assert blend([nothing]).tolist() == [0, 0]
    assert blend([]).tolist() == []


@given(st.lists(st.text(max_size=12), unique=True, max_size=50), st.text(max_size=12))
def test_an_index_finds_every_text_and_no_other(texts: list[str], stranger: str) -> None:
    found = Index.of(texts).find([*texts, stranger]).tolist()
    assert found == [*range(len(texts)), texts.index(stranger) if stranger in texts else -1]
    assert Texts.of(texts).all() == texts
