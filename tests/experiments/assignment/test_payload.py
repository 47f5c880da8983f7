"""Every dialect the same answer: the published payload, evaluated by the official SDK, against `assign`."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from growthbook import GrowthBook
from growthbook.core import evalCondition
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.growthbook_features import Context, evaluate
from oracles.proving import examples

from experiments.assignment.assign import Assignment, CompiledExperiment, assign
from experiments.assignment.compilation import compile_experiment
from experiments.assignment.payload import NotHashable, Secured, features, portable
from experiments.definitions.model import Audience, DecisionNote, Experiment, Layer, Preview, TrafficStep, Variant
from experiments.definitions.shop import Holdout, Segment
from experiments.targeting.predicates import compile_condition
from kit.values import identifier

START = datetime(2026, 1, 5, tzinfo=UTC)
SEGMENTS = {
    "eu": Segment(name="eu", where={"country": {"$in": ["SK", "AT", "Česko"]}}),
    "app": Segment(name="app", where={"version": {"$vgte": "2.1.0"}, "$not": {"beta": True}}),
    "everyone": Segment(name="everyone", where={}),
}
HOLDOUTS = {"q1": Holdout(name="q1", share=0.2), "ľud": Holdout(name="ľud", share=0.05)}
WHERES: list[dict[str, Any]] = [
    {},
    {"device": {"$in": ["mobile", "desktop"]}, "cart_value": {"$lt": 50}},
    {"$or": [{"cart_value": {"$gte": 10, "$lte": 90}}, {"email": {"$regex": "@shop\\.example$"}}]},
    {"cart_value": {"$not": {"$gt": 20}}, "beta": {"$ne": True}},
    {"tags": {"$elemMatch": {"$eq": "sale"}}},
    {"$nor": [{"country": "SK"}, {"tags": {"$size": 0}}]},
    {"id": {"$regexi": "^V-"}, "cart_value": 0},
    {"version": {"$vlt": "3.0.0"}, "email": {"$not": {"$regex": "l"}}},
]

units = st.one_of(
    st.integers(0, 10**6).map("v-{}".format),
    st.text(min_size=1, max_size=12),
    st.text("éž😀中\u0301a", min_size=1, max_size=6),
).filter(lambda text: isinstance(identifier(text), str))
attributes = st.fixed_dictionaries(
    {"user_id": units | st.integers(-5, 10**12) | st.none()},
    optional={
        "country": st.sampled_from(["SK", "US", "Česko"]),
        "device": st.sampled_from(["mobile", "tv"]),
        "cart_value": st.integers(0, 100) | st.floats(0, 100),
        "email": st.sampled_from(["a@shop.example", "null", ""]),
        "tags": st.lists(st.sampled_from(["sale", "new"]), max_size=2),
        "version": st.sampled_from(["2.1.0", "2.0.9", "3.0.0-rc.1", "v10.0"]),
        "beta": st.booleans(),
    },
)


@st.composite
def experiments(draw: st.DrawFn) -> CompiledExperiment:
    count = draw(st.integers(2, 4))
    raw = draw(st.lists(st.integers(1, 20), min_size=count, max_size=count))
    variants = tuple(Variant(key=f"k{at}", weight=n / sum(raw), payload={"message": at}) for at, n in enumerate(raw))
    low, high = draw(st.integers(0, 4_000)), draw(st.integers(6_000, 10_000))
    preview = Preview(variant="k1", visitors=("v-1", "é"))
    one = Experiment(
        key=draw(st.sampled_from(["free-shipping-banner", "b.2"])),
        name="Banner",
        status=draw(st.sampled_from(["running"] * 8 + ["paused", "stopped"])),
        start=draw(st.sampled_from([None] * 4 + [START, START + timedelta(days=2)])),
        phase=draw(st.integers(0, 2)),
        unit=draw(st.sampled_from(["visitor", "user"])),
        layer=draw(st.sampled_from([None, Layer(name="pdp", start=low / 10_000, end=high / 10_000)])),
        holdouts=draw(st.sampled_from([(), ("q1",), ("q1", "ľud")])),
        traffic=(TrafficStep(since=None, share=draw(st.sampled_from([1.0, 0.9, 0.5, 0.1, 0.0]))),),
        audience=Audience(
            segments=draw(st.sampled_from([(), (), ("everyone",), ("eu",), ("eu", "app")])),
            where=draw(st.sampled_from(WHERES)),
        ),
        variants=variants,
        preview=draw(st.sampled_from([None, None, preview])),
        goals=("purchase_rate",),
        decision=draw(st.sampled_from([DecisionNote(), DecisionNote(outcome="shipped", variant="k1")])),
    )
    return compile_experiment(one, SEGMENTS, HOLDOUTS)


def sdk_answer(payload: dict[str, Any], key: str, visitor: str, given_attributes: dict[str, Any]) -> tuple[Any, Any]:
    sdk = GrowthBook(attributes={**given_attributes, "id": visitor}, features=payload)
    answer = sdk.eval_feature(key)
    result = answer.experimentResult
    return answer.value, result.key if result is not None and result.inExperiment else None


def ours(answer: Assignment) -> tuple[Any, Any]:
    return answer.payload, answer.variant if answer.in_experiment else None


@settings(max_examples=examples(400))
@given(one=experiments(), visitors=st.lists(st.tuples(units, attributes), min_size=5, max_size=15))
def test_an_sdk_computes_what_the_server_answers(
    one: CompiledExperiment, visitors: list[tuple[str, dict[str, Any]]]
) -> None:
    now = START.timestamp()
    payload = json.loads(json.dumps(features([one], now)))
    for visitor, known in visitors:
        answer = ours(assign(replace(one, previewed=frozenset()), visitor, known, now))  # pages read no preview
        assert sdk_answer(payload, one.key, visitor, known) == answer
        context = Context(attributes={**known, "id": visitor}, features=payload)
        own = evaluate(one.key, context)
        assert (own.value, own.run.key if own.run else None) == answer


def test_thousands_of_visitors_get_the_same_answer_from_an_sdk() -> None:
    variants = tuple(Variant(key=key, weight=1 / 3, payload={"message": key}) for key in ("a", "b", "c"))
    one = Experiment(
        key="banner",
        name="Banner",
        status="running",
        phase=1,
        unit="user",
        layer=Layer(name="pdp", start=0.1, end=0.9),
        holdouts=("q1",),
        traffic=(TrafficStep(since=START, share=0.8),),
        audience=Audience(segments=("eu",), where={"cart_value": {"$lt": 50}}),
        variants=variants,
        goals=("purchase_rate",),
    )
    compiled = compile_experiment(one, SEGMENTS, HOLDOUTS)
    payload = features([compiled], START.timestamp())
    counted: dict[Any, int] = {}
    for number in range(5_000):
        known: dict[str, Any] = {"user_id": f"ň-{number}😀" if number % 2 else number, "country": "SK"}
        if number % 3:  # of the others the cart is not known, which SDKs see differently
            known["cart_value"] = number % 60
        answer = ours(assign(compiled, f"v-{number}", known, START.timestamp()))
        assert sdk_answer(payload, "banner", f"v-{number}", known) == answer
        counted[answer[1]] = counted.get(answer[1], 0) + 1
    assert min(counted.values()) > 500


@pytest.mark.parametrize("missing", [{}, {"cart_value": None}])
@pytest.mark.parametrize("where", WHERES)
def test_a_missing_attribute_is_decided_alike_by_every_sdk(where: dict[str, Any], missing: dict[str, Any]) -> None:
    assert evalCondition(missing, portable(where)) == compile_condition(where)(missing)
    assert compile_condition(portable(where))(missing) == compile_condition(where)(missing)


def test_the_rule_carries_what_the_sdks_need() -> None:
    one = Experiment(
        key="banner",
        name="Banner",
        status="running",
        phase=2,
        layer=Layer(name="pdp", start=0.0, end=0.4),
        holdouts=("q1",),
        traffic=(TrafficStep(since=None, share=0.8),),
        audience=Audience(segments=("eu",), where={"device": "tv"}),
        variants=(Variant(key="control", weight=0.5, payload={}), Variant(key="b", weight=0.5, payload={"a": 1})),
        goals=("purchase_rate",),
    )
    feature = features([compile_experiment(one, SEGMENTS, HOLDOUTS)], 0.0)["banner"]
    assert feature == {
        "defaultValue": {},
        "rules": [
            {
                "key": "banner",
                "seed": "banner:2",
                "phase": "2",
                "disableStickyBucketing": True,
                "bucketVersion": 2,
                "hashVersion": 2,
                "hashAttribute": "id",
                "variations": [{}, {"a": 1}],
                "weights": [0.5, 0.5],
                "coverage": 0.8,
                "meta": [{"key": "control"}, {"key": "b"}],
                "condition": {"$and": [{"country": {"$in": ["SK", "AT", "Česko"]}}, {"device": "tv"}]},
                "filters": [
                    {"attribute": "id", "seed": "holdout:q1", "hashVersion": 2, "ranges": [[0.2, 1.0]]},
                    {"attribute": "id", "seed": "layer:pdp", "hashVersion": 2, "ranges": [[0.0, 0.4]]},
                ],
            }
        ],
    }


SECURED = Secured(frozenset(("email", "customer.number")), "a salt of ours")
ADDRESSES = ["a@shop.example", "b@shop.example", "null", "é@shop.example"]
HASHABLE: list[dict[str, Any]] = [
    {"email": ADDRESSES[0]},
    {"email": {"$in": ADDRESSES[:2]}, "device": {"$in": ["mobile"]}},
    {"email": {"$nin": ADDRESSES[1:]}},
    {"email": {"$not": {"$eq": ADDRESSES[3]}, "$exists": True}},
    {"$or": [{"email": {"$ne": ADDRESSES[2]}}, {"country": "SK"}]},
    {"$not": {"email": {"$in": ADDRESSES}}},
    {"email": None},
]


def hashed(known: dict[str, Any]) -> dict[str, Any]:
    """The attributes as a site hands them to an SDK that reads digests."""
    secure = {name: sha256((SECURED.salt + known[name]).encode()).hexdigest() for name in ("email",) if name in known}
    return {**known, **secure}


@pytest.mark.parametrize("where", HASHABLE, ids=str)
@given(address=st.none() | st.sampled_from([*ADDRESSES, "", "c"]), other=attributes)
def test_an_sdk_that_is_given_digests_decides_as_the_server_does_by_the_addresses(
    where: dict[str, Any], address: str | None, other: dict[str, Any]
) -> None:
    known = {name: value for name, value in other.items() if name != "email"}
    known |= {} if address is None else {"email": address}
    secured = portable(where, SECURED.written)
    assert evalCondition(hashed(known), secured) == compile_condition(where)(known)
    assert "@" not in json.dumps(secured)


@pytest.mark.parametrize(
    "where",
    [
        {"email": {"$regex": "@shop"}},
        {"email": {"$ini": ["A@shop.example"]}},
        {"email": {"$gt": "a"}},
        {"email": {"$in": ["a@shop.example", 7]}},
        {"email": 7},
        {"email": ["a@shop.example"]},
        {"email": {"$not": {"$regex": "a"}}},
        {"email": {"$type": "string"}},
        {"email.domain": "shop.example"},
        {"customer": {"number": "7"}},
        {"$or": [{"country": "SK"}, {"tags": {"$size": 0}}, {"$not": {"email": {"$veq": "1.0"}}}]},
    ],
    ids=str,
)
def test_what_a_digest_cannot_answer_keeps_the_experiment_out_of_the_payload(where: dict[str, Any]) -> None:
    one = Experiment(
        key="banner",
        name="Banner",
        status="running",
        audience=Audience(where=where),
        variants=(Variant(key="control", weight=0.5, payload={}), Variant(key="b", weight=0.5, payload={"a": 1})),
        goals=("purchase_rate",),
    )
    with pytest.raises(NotHashable, match="secure"):
        portable(where, SECURED.written)
    compiled = compile_experiment(one, {}, {})
    assert list(features([compiled], 0.0)) == ["banner"]
    assert features([compiled], 0.0, SECURED) == {}


@given(one=experiments())
def test_the_payload_has_no_name_owner_hypothesis_or_previewed_visitor(one: CompiledExperiment) -> None:
    told = {"name": "A name", "owner": "owner@shop.example", "hypothesis": "A hypothesis"}
    told["preview"] = Preview(variant="k1", visitors=("visitor-of-the-preview",))
    named = replace(one, definition=one.definition.model_copy(update=told))
    assert features([named], START.timestamp()) == features([one], START.timestamp())
    server = replace(one, definition=one.definition.model_copy(update={"delivery": "server"}))
    assert features([server], START.timestamp()) == {}
