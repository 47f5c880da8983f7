"""A stranger who holds a page's key: what they can put before everybody, and what is said of it."""

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from worlds.shop_worlds import DAY, products_of_taste, publish_trained, taste_lines
from worlds.told_purchases import Told, told_purchases

from events.authority import Authority
from recommender.model.artefact import MODELS, current_version
from recommender.model.model import Model
from recommender.publishing.concentration import FEW, MANY, Growth, growths, shares
from recommender.publishing.publish import Acceptance, Report, publish_unless_worse
from recommender.ranking.serving import read_publication
from recommender.training.train import TrainedModel, train_model

TARGET = "dust-1"  # that one person bought, long ago
HONEST = [Told(*line) for line in [*taste_lines(), ("c-1", TARGET, "o-dust", DAY - 100)]]


def swarm(authority: Authority, visitors: int = 210, networks: int = 210) -> list[Told]:
    """Visitors who never were: each buys the target with what others buy, on one night."""
    dice, names = random.Random(5), [line.product for line in HONEST]
    return [
        Told(f"swarm-{n}", product, f"swarm-{n}", DAY + 0.5, authority, n % networks, DAY + 0.5)
        for n in range(visitors) for product in {TARGET, *dice.choices(names, k=12)}
    ]  # fmt: skip


@cache
def tonight(*told: Told) -> TrainedModel:
    """The training of the night after, of what honest people bought and of what came since."""
    purchases = told_purchases([*HONEST, *told])
    return train_model(purchases, [products_of_taste().get(name, "") for name in purchases.product_ids], DAY + 1)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of models with that of the evening before, when no page had told of anything."""
    purchases = told_purchases(HONEST)
    categories = [products_of_taste().get(name, "") for name in purchases.product_ids]
    publish_trained(tmp_path / MODELS, train_model(purchases, categories, DAY))
    return tmp_path / MODELS


def served(models: Path) -> Model:
    publication = read_publication(models.parent, None, frozenset())
    assert publication.damages == {}
    assert publication.assortment.model is not None
    return publication.assortment.model


def largest(models: Path) -> dict[str, float]:
    """The target's share of each strategy's lists, as they are served."""
    model = served(models)
    pages, everything = np.arange(model.size, dtype=np.int32), np.ones(model.size, np.bool_)
    found = shares(model, pages, model.arrays.customer_digests[:300], everything)
    (place,) = model.index.places_of([TARGET])
    return {strategy: float(each[place]) if place >= 0 else 0.0 for strategy, each in found.items()}


def attacked(models: Path, authority: Authority, *accepted: str, record: list[Growth] | None = None) -> Report:
    keep = [] if record is None else record
    return publish_unless_worse(
        models, tonight(*swarm(authority)), 0.0, Acceptance(frozenset(accepted), keep.append)
    )  # fmt: skip


def test_what_pages_alone_would_put_everywhere_is_refused_with_counts(models: Path) -> None:
    before = largest(models)
    report = attacked(models, Authority.PAGE)
    told = report.facts["concentrated"]
    assert told
    for text in told:
        assert f'product "{TARGET}" would stand in ' in text
        assert text.endswith(" before): 0 customers by backend, 210 by page from 210 networks")
    after = largest(models)
    assert max(before.values()) < FEW
    assert max(after.values()) <= MANY


def test_every_strategy_that_rests_on_others_is_looked_at(models: Path) -> None:
    trained = tonight(*swarm(Authority.PAGE))
    model = Model(trained.arrays, trained.weights, trained.at_day, trained.strategies)
    found = growths(served(models), model, trained.purchases, np.ones(model.size, np.bool_))
    assert {growth.strategy for growth in found if growth.product == TARGET} == {
        "popular", "bought_together", "for_you",
    }  # fmt: skip


def test_the_same_orders_by_the_backend_are_published_and_named(models: Path) -> None:
    report = attacked(models, Authority.BACKEND)
    assert (report.outcome, report.facts["concentrated"]) == ("published", [])
    assert any(f'product "{TARGET}"' in text and "210 customers by backend, 0 by page" in text
               for text in report.facts["grown"])  # fmt: skip
    assert max(largest(models).values()) > MANY


def test_who_accepts_a_product_lets_it_pass_and_is_recorded_before_it_serves(models: Path) -> None:
    recorded: list[Growth] = []
    report = attacked(models, Authority.PAGE, TARGET, record=recorded)
    assert report.facts["concentrated"] == []
    assert {growth.product for growth in recorded} == {TARGET}
    assert report.facts["accepted"] == [str(growth) for growth in recorded]
    assert max(largest(models).values()) > MANY


def test_what_cannot_be_recorded_is_not_published(models: Path) -> None:
    def full(growth: Growth) -> None:
        raise OSError(28, "No space left on device")

    live = current_version(models)
    with pytest.raises(OSError, match="No space left"):
        publish_unless_worse(models, tonight(*swarm(Authority.PAGE)), 0.0, Acceptance(frozenset({TARGET}), full))
    assert current_version(models) == live


def test_another_product_that_is_accepted_opens_no_door(models: Path) -> None:
    assert attacked(models, Authority.PAGE, "wine-10").facts["concentrated"]


def test_the_other_strategies_are_new_while_one_is_refused(models: Path) -> None:
    live = current_version(models)
    report = attacked(models, Authority.PAGE)
    versions = report.facts["versions"]
    assert report.outcome == "published"
    assert {strategy for strategy, version in versions.items() if version == live} == set(report.facts["refused"])
    assert report.version in versions.values()


def test_a_quiet_night_refuses_nothing(models: Path) -> None:
    report = publish_unless_worse(models, tonight(), 0.0)
    assert (report.outcome, report.facts["concentrated"], report.facts["grown"]) == ("published", [], [])


def test_what_cannot_be_shown_is_refused_by_nobody(models: Path) -> None:
    trained = tonight(*swarm(Authority.PAGE))
    sold = np.array([name != TARGET for name in trained.purchases.product_ids])
    assert publish_unless_worse(models, trained, 0.0, sold=sold).facts["concentrated"] == []
