"""What serves is what was judged: a model read from its artefact is the model that was trained."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from worlds.shop_worlds import DAY, publish_trained, purchases_of, taste_lines, taste_world

from recommender.model.artefact import MODELS, current_version
from recommender.model.model import BUY_AGAIN_TERMS, FOR_YOU_TERMS, Closeness, Model, TogetherWeights, Weights
from recommender.publishing import publish
from recommender.publishing.publish import publish_unless_worse
from recommender.ranking.assortment import Assortment
from recommender.ranking.rank import Ranker
from recommender.ranking.request import STRATEGIES, ListRequest, Ranking
from recommender.ranking.serving import read_publication
from recommender.training.train import TrainedModel, train_model

UNSHRUNK = (Phase.explicit, Phase.generate)  # a shop trained or published is too slow to be made smaller
NUMBERS = st.floats(-1e6, 1e6)
WEIGHTS = st.builds(
    Weights,
    st.floats(1, 1e4),
    st.builds(Closeness, *[NUMBERS] * 4),
    NUMBERS,
    st.tuples(*[NUMBERS] * len(BUY_AGAIN_TERMS)),
    st.tuples(*[NUMBERS] * len(FOR_YOU_TERMS)),
    st.builds(TogetherWeights, *[st.floats(0, 4)] * 4),
)


def loaded(trained: TrainedModel) -> Model:
    """The published model as a worker has it."""
    with TemporaryDirectory() as data:
        publish_trained(Path(data) / MODELS, trained)
        publication = read_publication(Path(data), None, frozenset())
        assert publication.damages == {}
        assert publication.assortment.model is not None
        return publication.assortment.model


def lists(model: Model) -> list[Ranking]:
    """Every strategy's lists for strangers and known people, with and without a cart."""
    ranker = Ranker(Assortment(model, None))
    habits = [None, *(model.habit_at(place) for place in range(min(8, len(model.arrays.customer_digests))))]
    carts = ((), (model.ids[0], model.ids[model.size // 2]))
    return [
        ranker.rank(ListRequest(strategy, 10, cart=cart), habit, DAY)
        for strategy in STRATEGIES for habit in habits for cart in carts
    ]  # fmt: skip


@settings(max_examples=6, phases=UNSHRUNK)
@given(st.integers(80, 120), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_loaded_model_gives_the_lists_of_the_training_scores_included(
    people: int, seed: int, part_of_a_day: float
) -> None:
    purchases = purchases_of(taste_lines(people, seed))
    trained = train_model(purchases, [f"C{len(name) % 3}" for name in purchases.product_ids], DAY + part_of_a_day)
    model = loaded(trained)
    assert trained.strategies == set(STRATEGIES)
    assert (model.weights, model.at_day, model.strategies) == (trained.weights, trained.at_day, trained.strategies)
    assert lists(model) == lists(Model(trained.arrays, trained.weights, trained.at_day, trained.strategies))


@settings(max_examples=20, phases=UNSHRUNK)
@given(WEIGHTS)
def test_any_weights_are_read_as_they_were_written(weights: Weights) -> None:
    trained = replace(taste_world(), weights=weights)
    model = loaded(trained)
    assert model.weights == weights
    assert lists(model) == lists(Model(trained.arrays, weights, trained.at_day, trained.strategies))


@given(WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_names_says_nothing(weights: Weights, dice: Any) -> None:
    def shuffled(facts: Any) -> Any:
        if not isinstance(facts, dict):
            return facts
        return {name: shuffled(facts[name]) for name in dice.sample(sorted(facts), len(facts))}

    assert Weights.from_json(json.loads(json.dumps(shuffled(weights.as_json())))) == weights


PLACES = [
    (part, name)
    for part, inside in Weights().as_json().items()
    for name in (list(inside) if isinstance(inside, dict) else [None])
]
WRONG: list[tuple[Callable[[dict[str, Any], str], object], str]] = [
    (lambda facts, name: facts.pop(name), " is missing"),
    (lambda facts, name: facts.update({f"{name}s": facts.pop(name)}), " is missing"),
    (lambda facts, name: facts.update({f"{name}s": 1.0}), "s is unknown"),
    (lambda facts, name: facts.update({name: None}), " is None, not a number"),
    (lambda facts, name: facts.update({name: "1"}), " is '1', not a number"),
    (lambda facts, name: facts.update({name: True}), " is True, not a number"),
    (lambda facts, name: facts.update({name: float("nan")}), " is nan, not a number"),
]


@pytest.mark.parametrize(("part", "name"), PLACES)
def test_every_missing_or_unknown_name_and_all_that_is_no_number_is_named(part: str, name: str | None) -> None:
    place = f"weights.{part}" if name is None else f"weights.{part}.{name}"
    for edit, wrong in WRONG:
        facts = Weights().as_json()
        edit(facts if name is None else facts[part], name or part)
        with pytest.raises(ValueError, match=f"^{re.escape(place + wrong)}$"):
            Weights.from_json(facts)


@pytest.mark.parametrize("part", ["closeness", "buy_again", "for_you", "bought_together"])
def test_a_part_that_is_no_object_of_names_is_named(part: str) -> None:
    for other in (None, 1.0, [1.0] * 11, "due"):
        with pytest.raises(ValueError, match=f"^weights.{part} is no object of names$"):
            Weights.from_json({**Weights().as_json(), part: other})


def test_an_artefact_with_a_wrong_name_is_damaged_and_says_which(tmp_path: Path) -> None:
    version = publish_trained(tmp_path / MODELS, taste_world())
    manifest = tmp_path / MODELS / version / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"due"', '"dew"'))
    damages = read_publication(tmp_path, None, frozenset()).damages
    assert "weights.buy_again.due is missing" in damages[version]


def test_an_unknown_strategy_damages_the_artefact(tmp_path: Path) -> None:
    trained = replace(taste_world(), strategies=frozenset({"popular", "psychic"}))
    version = publish_trained(tmp_path / MODELS, trained)
    damages = read_publication(tmp_path, None, frozenset()).damages
    assert "strategies: 'psychic' is unknown" in damages[version]


def test_a_model_that_changes_between_training_and_loading_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = taste_world()
    swapped = replace(trained, weights=replace(trained.weights, buy_again=trained.weights.buy_again[::-1]))
    as_json = swapped.as_json()
    monkeypatch.setattr(TrainedModel, "as_json", lambda self: as_json)
    report = publish_unless_worse(tmp_path, trained, 0.0)
    assert (report.outcome, report.reasons) == ("refused", ("weights: not read as it was written",))
    assert current_version(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [publish.REPORT]


def test_the_gate_judges_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    purchases = purchases_of(taste_lines())
    fair = train_model(purchases, [""] * len(purchases.product_ids), DAY).table
    ordered = Weights.from_json
    monkeypatch.setattr(
        Weights, "from_json", lambda facts: replace(ordered(facts), for_you=ordered(facts).for_you[::-1])
    )
    assert train_model(purchases, [""] * len(purchases.product_ids), DAY).table["novel"].ndcg < fair["novel"].ndcg
