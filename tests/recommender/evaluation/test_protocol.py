"""The protocol of the evaluation on a small shop, and the peer that is ours to write."""

import numpy as np
import pytest
from worlds.shop_worlds import DAY, products_of_taste, purchases_of, taste_lines

from recommender.evaluation import evaluate as protocol
from recommender.evaluation.evaluate import Journey
from recommender.evaluation.peers import TifuSettings, person_vectors, tifu_answers
from recommender.training.fitting import FittingWindow
from recommender.training.scorecard import TASKS


@pytest.fixture(scope="module")
def journey() -> Journey:
    purchases = purchases_of(taste_lines())
    return Journey(purchases, [products_of_taste()[name] for name in purchases.product_ids])


@pytest.mark.filterwarnings("ignore:Method expects CSR input")  # implicit says so to itself
def test_every_task_is_told_with_peers_ratio_and_interval(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "implicit.nearest_neighbours", reason="no libgomp1: `make test-tools` installs it", exc_type=ImportError
    )
    monkeypatch.setattr(protocol, "VALIDATION_CUT", DAY - 56)
    monkeypatch.setattr(protocol, "TEST_CUT", DAY - 28)
    told: list[str] = []
    found = protocol.run_protocol(journey, ("cosine",), told.append).as_json()["tasks"]
    assert set(found) == set(TASKS)
    for figures in found.values():
        assert figures["ratio"] == pytest.approx(figures["ours"] / figures["peers"]["cosine"], abs=1e-3)
        assert figures["ci"][0] < figures["ours"] - figures["popularity"] < figures["ci"][1]
    tifu = found["next_basket"]["tifu_knn"]
    assert tifu["ratio"] == pytest.approx(found["next_basket"]["ours"] / tifu["value"], abs=1e-3)
    assert "asking TIFU-KNN" in told


def test_vectors_of_people_are_the_papers_means_of_decayed_groups() -> None:
    baskets = [{"a"}, {"a", "b"}, {"b"}, {"c"}, {"a", "c"}]
    lines = [("c", name, f"o{day}", float(day)) for day, basket in enumerate(baskets) for name in sorted(basket)]
    settings = TifuSettings(1, 2, 0.9, 0.7, 0.5)
    purchases = purchases_of(lines)
    found = dict(zip(purchases.product_ids, person_vectors(purchases, settings).toarray()[0], strict=True))
    for name in "abc":
        has = [name in basket for basket in baskets]
        older = (0.9 * has[0] + has[1]) / 2  # groups of three from the end: two baskets, three baskets
        newer = (0.9**2 * has[2] + 0.9 * has[3] + has[4]) / 3
        assert found[name] == pytest.approx((0.7 * older + newer) / 2, rel=1e-5)


def test_tifu_shows_own_products_before_those_of_the_nearest(journey: Journey) -> None:
    window = FittingWindow(journey.purchases, journey.categories, DAY - 28, 28.0)
    own, near = (
        tifu_answers(window, window.next_baskets[:20], TifuSettings(5, 3, 0.9, 0.7, share)) for share in (1.0, 0.0)
    )
    for question, top, other in zip(window.next_baskets, own, near, strict=False):
        bought = set(window.history.products[window.history.people == question.person].tolist())
        assert set(top[: min(10, len(bought))].tolist()) <= bought
        assert not np.array_equal(top, other)
