"""What serving leaves out or remembers to be quick changes no list."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.shop_worlds import DAY, taste_world

from kit.time import DAY_SECONDS
from recommender.model.identifiers import REMEMBERED, Index, Texts
from recommender.model.model import Model
from recommender.ranking.candidates import MANY, Scratch, is_cut
from recommender.ranking.request import ListRequest, PastPurchase, Ranking
from recommender.ranking.rules import ListRules, conditions
from recommender.ranking.serving import KEPT, STEP_DAYS, RecentLists
from recommender.ranking.strategies import Situation, scored

PRODUCTS = 3_000


def request_for(**changed: object) -> ListRequest:
    return ListRequest(**{"strategy": "popular", "limit": 3, **changed})  # pyright: ignore[reportArgumentType]


@pytest.fixture
def made() -> list[tuple[ListRequest, float]]:
    return []


@pytest.fixture
def lists(made: list[tuple[ListRequest, float]]) -> RecentLists:
    def make(asked: ListRequest, day: float) -> Ranking:
        made.append((asked, day))
        return Ranking((), None)

    return RecentLists(make)


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**32 - 1), best=st.integers(1, 100), empty=st.integers(0, 60), own=st.integers(0, 40))
def test_sums_of_the_best_are_the_largest_of_all_sums(seed: int, best: int, empty: int, own: int) -> None:
    dice = np.random.default_rng(seed)
    items = np.minimum(dice.zipf(1.3, (60, 100)) - 1, PRODUCTS - 1).astype(np.int32)
    values = dice.random((60, 100), np.float32)
    items[:, 100 - empty :], values[:, 100 - empty :] = -1, 0
    more = dice.choice(PRODUCTS, own, replace=False).astype(np.int32)
    assert is_cut(items.size, best)
    scratch = Scratch(PRODUCTS)
    found, sums = scratch.summed(items.ravel(), values.ravel(), more, best)
    everything, all_sums = scratch.summed(items.ravel(), values.ravel(), more)
    filled = items >= 0
    truth = np.bincount(items[filled], values[filled], PRODUCTS)
    assert sorted(everything.tolist()) == sorted({*items[filled].tolist(), *more.tolist()})
    assert all_sums == pytest.approx(truth[everything], rel=1e-4)
    assert sums == pytest.approx(truth[found], rel=1e-4)
    assert len(set(found.tolist())) == len(found)
    assert found[len(found) - own :].tolist() == more.tolist()
    strong = found[: len(found) - own].tolist()
    left = np.setdiff1d(everything, found)
    assert not strong or not len(left) or truth[left].max() <= truth[strong].min() * 1.0001


@settings(max_examples=examples(60), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), cart=st.integers(21, 40), person=st.none() | st.integers(0, 200),
    shown=st.sampled_from([0.1, 0.5, 1.0]), best=st.integers(1, 40),
)  # fmt: skip
def test_the_best_that_go_with_a_cart_are_the_same_when_the_weak_are_not_looked_at(
    seed: int, cart: int, person: int | None, shown: float, best: int
) -> None:
    trained, dice = taste_world(), np.random.default_rng(seed)
    model = Model(trained.arrays, trained.weights, trained.at_day, trained.strategies)
    products = dice.choice(model.size, cart, replace=False).astype(np.int32)
    mask = dice.random(model.size) < shown
    habit = None if person is None else model.habit_at(person)
    lists: list[list[float]] = []
    for wanted in (best, None):
        situation, scratch = Situation(habit, products, DAY), Scratch(model.size)
        found = scored(model, "bought_together", situation, lambda codes: mask.take(codes), scratch, wanted)
        lists.append(sorted(found.scores.tolist(), reverse=True)[:best])
    assert lists[0] == pytest.approx(lists[1], rel=1e-4, abs=1e-4)


def test_little_evidence_is_never_cut() -> None:
    assert not is_cut(MANY, 1)
    assert not is_cut(10**6, None)


def test_the_same_request_is_answered_once_in_a_quarter_of_an_hour(
    lists: RecentLists, made: list[tuple[ListRequest, float]]
) -> None:
    step_seconds = STEP_DAYS * DAY_SECONDS
    now = 1_000 * step_seconds + 1
    for later in (0, 1, step_seconds - 2):
        lists.of(request_for(), now + later)
    assert made == [(request_for(), pytest.approx(1_001 * STEP_DAYS))]
    lists.of(request_for(), now + step_seconds)
    assert len(made) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"strategy": "for_you"},
        {"limit": 4},
        {"cart": ("a",)},
        {"people": ("v:c",)},
        {"purchases": (PastPurchase("a", 1.0),)},
        {"rules": ListRules(exclude=("a",))},
        {"rules": ListRules(accessories_of={"a": ("b",)})},
    ],
)
def test_another_request_is_answered_anew(
    lists: RecentLists, made: list[tuple[ListRequest, float]], changed: dict[str, object]
) -> None:
    lists.of(request_for(), 0.0)
    lists.of(request_for(**changed), 0.0)
    assert [asked for asked, _ in made] == [request_for(), request_for(**changed)]


def test_of_too_many_lists_the_oldest_goes(lists: RecentLists, made: list[tuple[ListRequest, float]]) -> None:
    for number in range(KEPT + 1):
        lists.of(request_for(cart=(str(number),)), 0.0)
    lists.of(request_for(cart=("1",)), 0.0)
    assert len(made) == KEPT + 1
    lists.of(request_for(cart=("0",)), 0.0)
    assert len(made) == KEPT + 2


@pytest.mark.parametrize(
    "changed",
    [
        {"limit": 25},
        {"cart": ("a" * 9_000,)},
        {"cart": tuple(map(str, range(200)))},
        {"rules": ListRules(exclude=("a" * 9_000,))},
        {"rules": ListRules(conditions=conditions({"brand": {"$in": [str(n) for n in range(200)]}}))},
    ],
)
def test_a_large_request_is_not_kept(
    lists: RecentLists, made: list[tuple[ListRequest, float]], changed: dict[str, object]
) -> None:
    for _ in range(2):
        lists.of(request_for(**changed), 0.0)
    assert len(made) == 2


def test_texts_and_places_are_right_beyond_what_is_remembered() -> None:
    names = [f"p-{number}-ü" for number in range(REMEMBERED + 50)]
    texts, index = Texts.of(names), Index.of(names)
    assert [texts[place] for place in range(len(names))] == names == texts.all()
    for start in range(0, len(names), 1_000):
        asked = [*names[start : start + 1_000], "unknown", "u" * 5_000]
        assert index.places_of(asked) == [*range(start, min(start + 1_000, len(names))), -1, -1]
    assert index.places_of([names[0], names[-1], names[0]]) == [0, len(names) - 1, 0]
