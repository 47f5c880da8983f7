"""A form becomes a file that says what was typed, and each mistake of the file is told beside its field."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from experiments.definitions.experiment import EXPERIMENT
from experiments.definitions.folder import read_sources
from experiments.definitions.schema import FIRST_LINE
from experiments.drafts.form import MOST_VARIANTS, TESTS, by_field, filled
from kit.located import Problems
from kit.yaml import read_yaml

WHOLE = {
    "key": "free-shipping",
    "name": "Free #2: shipping",
    "owner": "growth@shop.example",
    "hypothesis": "Saying it\r\nlifts it",
    "v0_key": "control",
    "v1_key": "threshold",
    "v1_weight": "2",
    "v1_payload": "banner: Free shipping from 50 EUR\ntone: info",
    "v1_strategy": "for_you",
    "goal": "purchase_rate, engaged_time",
    "mde": "4%",
    "secondary": "revenue_per_visitor",
    "g0_metric": "refund_rate",
    "g0_harm": "10%",
    "method": "planned",
    "days": "28",
    "looks": "4",
    "c0_name": "device",
    "c0_test": "$in",
    "c0_value": "mobile, desktop",
    "c1_name": "cart_value",
    "c1_test": "$lt",
    "c1_value": "50",
    "segments": "eu",
    "holdouts": "q1",
    "traffic": "50%",
    "unit": "user",
    "layer": "pdp",
    "layer_share": "0% - 40%",
    "start": "2026-12-05",
    "end": "2027-01-02",
}
SIDES = {"segments.yaml": b"eu: {where: {country: DE}}\n", "holdouts.yaml": b"q1: {share: 5%}\n"}
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NAMED = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)


def test_a_whole_form_is_a_file_that_a_person_would_write() -> None:
    assert filled(WHOLE).text == FIRST_LINE + (
        "key: free-shipping              # the name of this file, and of the flag in every client\n"
        'name: "Free #2: shipping"\n'
        "owner: growth@shop.example\n"
        'hypothesis: "Saying it\\nlifts it"\n'
        "status: draft                   # draft | running | paused | stopped | archived\n"
        "start: 2026-12-05\n"
        "end: 2027-01-02\n"
        "unit: user\n"
        "layer: {name: pdp, share: [0%, 40%]}  # experiments of one layer exclude each other\n"
        "holdouts: [q1]                  # who is held back sees none of it\n"
        "audience:\n"
        "  segments: [eu]\n"
        "  where: {device: {$in: [mobile, desktop]}, cart_value: {$lt: 50}}\n"
        "traffic: 50%                    # of the audience; it may only widen while it runs\n"
        "variants:                       # the first is the control\n"
        "  - {key: control}\n"
        "  - {key: threshold, weight: 2, payload: {banner: Free shipping from 50 EUR, tone: info},"
        " recommend: {strategy: for_you}}\n"
        "goals: [purchase_rate, engaged_time]  # the first decides first\n"
        "secondary: [revenue_per_visitor]  # watched, and decides nothing\n"
        "guardrails: {refund_rate: 10%}  # the largest harm that is borne\n"
        "plan: {method: planned, days: 28, looks: 4, mde: {purchase_rate: 4%}}\n"
    )


def test_the_file_of_a_whole_form_says_what_was_typed() -> None:
    form = filled(WHOLE)
    reading = read_sources({**SIDES, form.file: form.text.encode()})
    assert (reading.errors, form.mistakes) == ((), {})
    read = reading.files["free-shipping"].experiment
    assert (read.name, read.owner) == ("Free #2: shipping", "growth@shop.example")
    assert read.hypothesis == "Saying it\nlifts it"
    assert (read.status, read.unit, read.holdouts, read.goals) == (
        "draft", "user", ("q1",), ("purchase_rate", "engaged_time")
    )  # fmt: skip
    assert [round(variant.weight * 3) for variant in read.variants] == [1, 2]
    assert read.variants[1].payload == {"banner": "Free shipping from 50 EUR", "tone": "info"}
    assert read.variants[1].recommend is not None
    assert read.audience.where == {"device": {"$in": ["mobile", "desktop"]}, "cart_value": {"$lt": 50}}
    assert (read.traffic[0].share, read.plan.looks, read.plan.mde) == (0.5, 4, {"purchase_rate": 0.04})
    assert read.layer is not None
    assert (read.layer.start, read.layer.end) == (0.0, 0.4)


def test_the_smallest_form_is_the_smallest_file() -> None:
    form = filled({"key": "sale", "v0_key": "control", "v2_key": "offer", "goal": "purchase_rate"})
    assert [line.partition("  ")[0] for line in form.text.removeprefix(FIRST_LINE).splitlines()] == [
        "key: sale", "status: draft", "variants: [control, offer]", "goal: purchase_rate"
    ]  # fmt: skip


@given(
    st.fixed_dictionaries(
        {"key": NAMED, "name": WORDS, "owner": WORDS, "hypothesis": WORDS, "goal": WORDS, "traffic": WORDS},
        optional={
            **{f"v{row}_{kind}": WORDS for row in range(3) for kind in ("key", "weight", "payload", "strategy")},
            **{f"c{row}_{kind}": WORDS for row in range(2) for kind in ("name", "value")},
            "c0_test": st.sampled_from(sorted(TESTS)),
            **{name: WORDS for name in ("days", "mde", "g0_metric", "g0_harm", "layer", "layer_share", "secondary")},
        },
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_the_text_of_any_form_is_read_back_as_its_document(fields: dict[str, str]) -> None:
    form, problems = filled(fields), Problems("x.yaml")
    root = read_yaml(form.text.encode(), problems)
    assert problems.found == [], form.text
    assert root is not None
    assert root.plain() == form.draft.document
    assert list(form.draft.document) == [name for name in EXPERIMENT if name in form.draft.document]


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"goal": "purchase_rat"}, "goal", 'did you mean "purchase_rate"'),
        ({"goal": ""}, "goal", ""),
        ({"key": "Free Shipping"}, "key", "is no name here"),
        ({"key": ""}, "key", "is missing"),
        ({"key": "../shop"}, "key", "is no name here"),
        ({"v1_weight": "much"}, "v1_weight", "is no weight"),
        ({"v1_key": "a b"}, "v1_key", "is no name here"),
        ({"v1_payload": "banner: [open"}, "v1_payload", "line 1"),
        ({"v1_payload": "text: Gift #2 inside"}, "v1_payload", "would be lost"),
        ({"v1_strategy": "for_me"}, "v1_strategy", "is not known"),
        ({"v0_key": ""}, "v0_key", ""),
        ({"mde": "much"}, "mde", "is no"),
        ({"days": "soon"}, "days", "is no"),
        ({"g0_harm": "much"}, "g0_harm", "is no harm"),
        ({"g0_metric": "refunds"}, "g0_metric", "unknown metric"),
        ({"g0_harm": ""}, "g0_harm", "is missing"),
        ({"traffic": "120%"}, "traffic", ""),
        ({"start": "tomorrow"}, "start", "is no date"),
        ({"end": "2026-12-01"}, "end", "is not after the start"),
        ({"segments": "us"}, "segments", "unknown segment"),
        ({"holdouts": "q2"}, "holdouts", "unknown holdout"),
        ({"layer_share": "40% - 0%"}, "layer_share", "the end must be greater"),
        ({"layer": ""}, "layer", "is missing"),
        ({"c1_value": ""}, "c1_value", "is missing"),
        ({"c1_name": ""}, "c1_name", "is missing"),
        ({"c1_test": "$eval"}, "c1_test", "is no test"),
        ({"secondary": "purchase_rate"}, "secondary", "is a goal already"),
        ({"unit": "house"}, "unit", "is not known"),
        ({"method": "magic"}, "method", "is not known"),
        ({"v3_payload": "x: y"}, "v3_key", "name the variant"),
    ],
)
def test_every_mistake_stands_beside_its_field(changed: dict[str, str], field: str, message: str) -> None:
    fields = {**WHOLE, **changed}
    if field == "v0_key":
        fields |= {"v1_payload": "", "v1_weight": "", "v1_strategy": ""}  # one variant alone
    form = filled(fields)
    told = by_field(form, read_sources({**SIDES, form.file: form.text.encode()}).errors)
    assert message in " ".join(told[field]), told


def test_nothing_that_is_typed_is_beyond_the_rows_of_the_form() -> None:
    fields = {f"v{row}_key": f"b{row}" for row in range(MOST_VARIANTS)} | {"key": "many", "goal": "purchase_rate"}
    document: dict[str, Any] = filled(fields).draft.document
    assert len(document["variants"]) == MOST_VARIANTS
