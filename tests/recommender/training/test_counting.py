"""How purchases speak for others: many baskets of one person, and many people of one network, say little."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from worlds.shop_worlds import DAY, taste_lines
from worlds.told_purchases import Told, told_purchases

from events.authority import Authority
from recommender.model.model import Weights
from recommender.model.purchases import Purchases
from recommender.training.build import build
from recommender.training.counting import HALF_LIFE_DAYS, NETWORK_PEOPLE, NETWORK_SHARE, speaking

HONEST = [Told(*line) for line in taste_lines(80)]
PRODUCTS = ("coffee-0", "tea-3", "wine-5")


def of_product(purchases: Purchases, product: str) -> tuple[float, float, float]:
    """Of one product the popularity, the larger trend, and the most baskets that it shares with another one."""
    arrays = build(purchases, [""] * len(purchases.product_ids), DAY, Weights())
    if product not in purchases.product_ids:
        return 0.0, 0.0, 0.0
    place = list(purchases.product_ids).index(product)
    supports = arrays.neighbour_supports[place]
    return float(arrays.popularity[place]), float(arrays.rise_long[place]), float(supports.max())


@given(st.integers(1, 40), st.floats(0.1, HALF_LIFE_DAYS - 1))
def test_a_persons_many_baskets_are_one_for_each_product_and_pair(baskets: int, days: float) -> None:
    rush = [
        Told("busy", product, f"busy-{n}", DAY - days * n / baskets - 0.01)
        for n in range(baskets) for product in ("tea-11", "coffee-0")
    ]  # fmt: skip
    before, after = (of_product(told_purchases([*HONEST, *more]), "tea-11") for more in ([], rush))
    assert 0 < after[0] - before[0] <= 1.0001
    assert 0 <= after[1] - before[1] <= 1.0001
    assert after[2] <= before[2] + 1


@given(st.integers(1, 60), st.sampled_from(PRODUCTS))
def test_invented_visitors_of_one_network_are_three_a_day(invented: int, product: str) -> None:
    page = Authority.PAGE
    honest = [line._replace(authority=page, network=1000 + n) for n, line in enumerate(HONEST)]
    swarm = [
        Told(f"swarm-{n}", each, f"swarm-{n}", DAY - 3 * n / invented - 0.01, page, 7, DAY - 1)
        for n in range(invented) for each in ("wine-11", product)
    ]  # fmt: skip
    before, after = (of_product(told_purchases([*honest, *more]), "wine-11") for more in ([], swarm))
    assert 0 < after[0] - before[0] <= NETWORK_PEOPLE


LINES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 3), st.sampled_from(Authority), st.integers(-1, 5), st.integers(0, 2)),
    min_size=1,
    max_size=300,
)


def people(purchases: Purchases, day: int, network: int | None = None) -> set[tuple[int, int]]:
    """Who is told of by pages on a day, by person and network."""
    told = purchases.origins
    chosen = (told.authorities == Authority.PAGE) & (told.received.astype(int) == day)
    if network is not None:
        chosen &= told.networks == network
    return set(zip(purchases.people[chosen].tolist(), told.networks[chosen].tolist(), strict=True))


@given(LINES)
def test_of_a_network_so_many_speak_as_its_share_of_who_is_left_allows(
    drawn: list[tuple[int, int, Authority, int, int]],
) -> None:
    lines = [
        Told(f"v-{person}", f"p-{product}", f"o-{n}", 10.0 + n / 1000, authority, network, 10.5 + day)
        for n, (person, product, authority, network, day) in enumerate(drawn)
    ]
    purchases = told_purchases(lines)
    kept = speaking(purchases)
    for day in (10, 11, 12):
        most = max(NETWORK_PEOPLE, int(NETWORK_SHARE * len(people(kept, day))))
        for network in range(6):
            here, left = people(purchases, day, network), people(kept, day, network)
            assert len(left) == min(len(here), most)
    others = purchases.origins.authorities > Authority.PAGE
    unknown = purchases.origins.networks == -1
    assert len(purchases.where(others | unknown)) == len(kept.where(
        (kept.origins.authorities > Authority.PAGE) | (kept.origins.networks == -1)
    ))  # fmt: skip


def test_a_large_network_among_many_speaks_for_a_twentieth() -> None:
    lines = [
        Told(f"v-{n}", "p", f"o-{n}", 10 + n / 1e4, Authority.PAGE, 0 if n % 2 else n + 1, 10.0) for n in range(800)
    ]
    kept = speaking(told_purchases(lines))
    assert (len(people(kept, 10, 0)), len(people(kept, 10))) == (21, 421)
    assert np.isin(kept.people, np.unique(told_purchases(lines).people)).all()


def test_own_habits_are_nobody_elses_concern() -> None:
    swarm = [Told(f"s-{n}", "x", f"o-{n}", DAY - 2, Authority.PAGE, 7, DAY - 2) for n in range(20)]
    purchases = told_purchases([*HONEST, *swarm])
    arrays = build(purchases, [""] * len(purchases.product_ids), DAY, Weights())
    place = list(purchases.product_ids).index("x")
    assert (arrays.habit_items == place).sum() == 20
    assert arrays.baskets[place] == NETWORK_PEOPLE
