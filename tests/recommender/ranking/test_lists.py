"""Lists: the contract that every strategy keeps, and worlds whose answer is known."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.shop_worlds import DAY, products_of_taste, taste_world

from recommender.model.identifiers import person_digest
from recommender.model.model import Model
from recommender.model.products import ProductRow, product_arrays
from recommender.model.purchases import Purchases
from recommender.ranking.assortment import Assortment
from recommender.ranking.rank import Ranker
from recommender.ranking.request import STRATEGIES, ListRequest, Ranking, Strategy
from recommender.ranking.rules import FilterError, ListRules, ScoreBoost, conditions
from recommender.training.train import train_model

NAMES = sorted(products_of_taste())


def catalogue() -> list[ProductRow]:
    """Every product of the world, one that nobody bought, groups of two and prices by number."""
    found = [
        ProductRow(name, category=category, price=float(place % 12), brand=f"b{place % 3}", group_id=f"g{place // 2}",
                in_stock=place % 5 > 0)
        for place, (name, category) in enumerate(products_of_taste().items())
    ]  # fmt: skip
    return [*found, ProductRow("coffee-new", category="Coffee", price=5.0, brand="b1")]


@pytest.fixture(scope="module")
def model() -> Model:
    trained = taste_world()
    return Model(trained.arrays, trained.weights, trained.at_day, trained.strategies)


@pytest.fixture(scope="module")
def ranker(model: Model) -> Ranker:
    return Ranker(Assortment(model, product_arrays(catalogue())))


def asked(ranker: Ranker, strategy: Strategy, place: int | None = 0, **more: object) -> Ranking:
    """A list for the person of this place in the model, for a stranger with None."""
    model = ranker.assortment.model
    habit = None if place is None or model is None else model.habit_at(place)
    chosen = {"limit": 10, **more}
    return ranker.rank(ListRequest(strategy, **chosen), habit, DAY)  # pyright: ignore[reportArgumentType]


def ids(ranking: Ranking) -> list[str]:
    return [item.product_id for item in ranking.items]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("place", [0, 7, None])
def test_a_list_is_full_without_repeats_and_the_same_again(
    ranker: Ranker, strategy: Strategy, place: int | None
) -> None:
    first = asked(ranker, strategy, place, cart=("coffee-0",))
    assert len(set(ids(first))) == 10
    assert first == asked(ranker, strategy, place, cart=("coffee-0",))
    assert "coffee-0" not in ids(first)
    scores = [item.score for item in first.items]
    assert scores == sorted(scores, reverse=True)


FILTERS = st.fixed_dictionaries(
    {"price": st.integers(0, 11).map(lambda lowest: {"$gte": lowest})},
    optional={"category": st.sampled_from(["Coffee", "Tea", "Wine", "Nowhere"])},
)


@settings(max_examples=examples(60), deadline=None)
@given(
    asking=st.tuples(st.sampled_from(STRATEGIES), st.none() | st.integers(0, 200), st.integers(1, 40)),
    filter_=FILTERS,
    exclude=st.sets(st.sampled_from([*NAMES, "unknown"]), max_size=70),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_under_any_filter_as_many_come_back_as_it_leaves(
    asking: tuple[Strategy, int | None, int], filter_: dict[str, Any], exclude: set[str], diversity: float
) -> None:
    trained = taste_world()
    ranker = Ranker(
        Assortment(Model(trained.arrays, trained.weights, DAY, trained.strategies), product_arrays(catalogue()))
    )
    rules = ListRules(
        exclude=tuple(exclude), conditions=conditions(filter_), exclude_purchased=False, diversity=diversity
    )
    strategy, place, limit = asking
    found = ids(asked(ranker, strategy, place, limit=limit, rules=rules))
    lowest, category = filter_["price"]["$gte"], filter_.get("category")
    kept = [product for product in catalogue() if product.price is not None and product.price >= lowest]
    left = {product.product_id for product in kept if category in (None, product.category)} - exclude
    assert set(found) <= left
    assert len(found) == min(limit, len(left))


def test_for_you_shows_the_taste_and_nothing_that_was_bought(ranker: Ranker, model: Model) -> None:
    hits = total = 0
    categories = products_of_taste()
    for place in range(60):
        owned = [model.ids[int(item)] for item in model.habit_at(place).items]
        counted = sorted(((sum(categories[o] == c for o in owned), c) for c in set(categories.values())), reverse=True)
        if counted[1][0] < 3:
            continue
        found = ids(asked(ranker, "for_you", place, limit=4))
        assert not set(found) & set(owned)
        hits += sum(categories.get(name, "Coffee") in {c for _, c in counted[:2]} for name in found)
        total += len(found)
    assert total > 50
    assert hits / total > 0.75  # by chance a third


def test_buy_again_knows_the_rhythm(ranker: Ranker, model: Model) -> None:
    habit = model.habit(person_digest("u:regular"))
    assert habit is not None
    [first, *_] = ranker.rank(ListRequest("buy_again", 3), habit, DAY).items
    assert (first.product_id, first.because.type, first.because.every_days) == ("bread-3", "buy_again", 7)


def test_bought_together_names_what_it_rests_on(ranker: Ranker) -> None:
    [first, *_] = asked(ranker, "bought_together", None, cart=("honey-0",)).items
    assert first.product_id == "coffee-0"
    assert (first.because.type, first.because.because) == ("bought_together", ("honey-0",))
    assert first.because.support is not None
    assert first.because.support > 20


def test_without_a_cart_the_last_purchases_ask_for_what_goes_with_them(ranker: Ranker) -> None:
    assert asked(ranker, "bought_together", 3).fallback is None


@pytest.mark.parametrize("strategy", ["for_you", "buy_again", "bought_together"])
def test_a_stranger_gets_the_named_fallback(ranker: Ranker, strategy: Strategy) -> None:
    found = asked(ranker, strategy, None)
    assert found.fallback == "popular"
    assert ids(found) == ids(asked(ranker, "popular", None))
    assert {item.because.type for item in found.items} <= {"popular", "new_product"}


def test_a_new_product_rides_on_its_category(ranker: Ranker, model: Model) -> None:
    categories = products_of_taste()
    owned = [model.habit_at(place).items for place in range(100)]
    coffees = [sum(categories[model.ids[int(item)]] == "Coffee" for item in items) for items in owned]
    lovers = [place for place, count in enumerate(coffees) if count >= 5]
    others = [place for place, count in enumerate(coffees) if count == 0]
    shown = [
        sum("coffee-new" in ids(asked(ranker, "for_you", place)) for place in people) / len(people)
        for people in (lovers, others)
    ]
    assert shown[0] > 0.3 > shown[1]


def test_a_boost_lifts_and_a_list_of_includes_restricts(ranker: Ranker) -> None:
    boosted = asked(ranker, "popular", None, rules=ListRules(boosts=(ScoreBoost("category", "Wine", 100.0),)), limit=3)
    assert {products_of_taste()[name] for name in ids(boosted)} == {"Wine"}
    only = asked(ranker, "for_you", 2, rules=ListRules(include=("wine-1", "tea-4", "nothing"), exclude_purchased=False))
    assert set(ids(only)) == {"wine-1", "tea-4"}


def test_one_of_a_group_while_there_are_others(ranker: Ranker) -> None:
    places = {product.product_id: product.group_id for product in catalogue()}
    groups = [places[name] for name in ids(asked(ranker, "popular", None, limit=20)) if places[name]]
    assert len(groups) == len(set(groups))


def test_diversity_spreads_a_list_over_categories(ranker: Ranker) -> None:
    categories = products_of_taste() | {"coffee-new": "Coffee"}
    spread = [categories[name] for name in ids(asked(ranker, "for_you", 5, limit=6, rules=ListRules(diversity=1.0)))]
    assert len(set(spread)) == 6


def test_purchases_come_back_when_it_is_time(ranker: Ranker, model: Model) -> None:
    name = model.ids[int(model.habit_at(0).items[0])]
    for days, shown in ((1_000.0, False), (0.0001, True)):
        rules = ListRules(
            exclude_purchased=True, repurchase_after_days=days, conditions=conditions({"product_id": name})
        )
        assert (ids(asked(ranker, "buy_again", 0, rules=rules)) == [name]) is shown


def test_pairs_of_the_merchant_serve_until_purchases_say_more(model: Model) -> None:
    products = [*catalogue(), ProductRow("mount", accessories_of=("coffee-new",))]
    ranker = Ranker(Assortment(model, product_arrays(products)))
    [first, *_] = asked(ranker, "bought_together", None, cart=("coffee-new",)).items
    assert (first.product_id, first.because.type, first.because.because) == ("mount", "accessory", ("coffee-new",))
    rules = ListRules(accessories_of={"coffee-new": ("tea-5",)})
    assert ids(asked(ranker, "bought_together", None, cart=("coffee-new",), rules=rules))[0] == "tea-5"


def test_a_model_of_no_purchase_at_all_gives_what_the_catalogue_says() -> None:
    trained = train_model(Purchases.of((), (), (), ()), [], DAY)
    products = [*catalogue(), ProductRow("mount", accessories_of=("coffee-new",))]
    ranker = Ranker(
        Assortment(Model(trained.arrays, trained.weights, trained.at_day, trained.strategies), product_arrays(products))
    )
    assert ids(asked(ranker, "bought_together", None, cart=("coffee-new",)))[0] == "mount"


def test_a_category_holds_what_lies_below_it() -> None:
    paths = {"a": "Food > Cheese", "b": "Food", "c": "Foodies"}
    products = [ProductRow(name, category=path) for name, path in paths.items()]
    ranker = Ranker(Assortment(None, product_arrays(products)))
    assert ids(asked(ranker, "popular", None, rules=ListRules(conditions=conditions({"category": "Food"})))) == [
        "a",
        "b",
    ]


def test_without_a_catalogue_everything_is_in_stock_and_nothing_has_a_price(model: Model) -> None:
    ranker = Ranker(Assortment(model, None))
    for filter_, count in (({"in_stock": True}, 10), ({"in_stock": False}, 0), ({"price": {"$gt": 0}}, 0)):
        assert len(asked(ranker, "popular", None, rules=ListRules(conditions=conditions(filter_))).items) == count


def test_an_empty_shop_gives_an_empty_list() -> None:
    assert asked(Ranker(Assortment(None, None)), "for_you", None).items == ()


@pytest.mark.parametrize(
    ("filter_", "words"),
    [
        ({"colour": "red"}, "no product field; it takes category"),
        ({"pricee": 1}, "did you mean price"),
        ({"price": {"$gt": "1"}}, "must be a number"),
        ({"price": {"$gt": True}}, "must be a number"),
        ({"price": {"$like": 1}}, "is no operator"),
        ({"category": {"$gt": "a"}}, "compares numbers"),
        ({"category": {"$in": "Tea"}}, "must be a list"),
        ({"in_stock": 1}, "must be true or false"),
        ({"brand": ["x"]}, "must be a text"),
    ],
)
def test_a_filter_that_means_nothing_is_explained(filter_: dict[str, object], words: str) -> None:
    with pytest.raises(FilterError, match=words):
        conditions(filter_)


def test_random_requests_leave_no_trace_in_the_buffers(ranker: Ranker) -> None:
    before = asked(ranker, "for_you", 4)
    dice = random.Random(2)
    for _ in range(40):
        asked(ranker, dice.choice(STRATEGIES), dice.randrange(100), cart=tuple(dice.sample(NAMES, 3)))
    assert asked(ranker, "for_you", 4) == before
    everything = asked(ranker, "popular", None, limit=100)
    assert len(everything.items) == ranker.assortment.size
