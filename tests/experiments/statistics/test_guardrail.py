"""Guardrails: violated, safe or unclear, in either direction, relative or absolute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.estimates import even_look, existing, means, shares
from oracles.proving import judged, speaks

from experiments.statistics.arms import Arm, Pair
from experiments.statistics.comparison import Method, Question, answer_at, compare
from experiments.statistics.estimate import Caveat, NoEstimate
from experiments.statistics.guardrail import GuardrailVerdict, Margin, guardrail

REFUNDS = Question(want="down", look=even_look(4))
METHODS: tuple[Method, ...] = ("fixed", "anytime", "planned", "bayesian")


@pytest.mark.parametrize("method", METHODS)
def test_a_clear_rise_of_refunds_is_violated(method: Method) -> None:
    answer = guardrail(shares(300, 10_000, 420, 10_000), REFUNDS, Margin(0.5), method)
    assert answer.verdict is GuardrailVerdict.VIOLATED
    assert existing(answer.worst_case) > 0.4


@pytest.mark.parametrize("method", METHODS)
def test_a_clear_fall_of_refunds_is_safe(method: Method) -> None:
    answer = guardrail(shares(420, 10_000, 300, 10_000), REFUNDS, Margin(0.02), method)
    assert answer.verdict is GuardrailVerdict.SAFE
    assert existing(answer.worst_case) < 0.0


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_margin_that_the_data_cannot_rule_out_is_unclear(method: Method, relative: bool) -> None:
    margin = Margin(0.02, relative) if relative else Margin(0.0006, relative)
    answer = guardrail(shares(300, 10_000, 300, 10_000), REFUNDS, margin, method)
    assert answer.verdict is GuardrailVerdict.UNCLEAR


@pytest.mark.parametrize("method", METHODS)
def test_an_absolute_margin_is_in_the_unit_of_the_metric(method: Method) -> None:
    pair = shares(3000, 10_000, 3010, 10_000)
    assert guardrail(pair, REFUNDS, Margin(0.05, relative=False), method).verdict is GuardrailVerdict.SAFE
    assert guardrail(pair, REFUNDS, Margin(0.005, relative=False), method).verdict is GuardrailVerdict.UNCLEAR


@pytest.mark.parametrize("method", METHODS)
def test_safe_takes_the_one_sided_interval(method: Method) -> None:
    pair = shares(300, 10_000, 300, 10_000)
    one_sided, two_sided = (existing(answer_at(pair, REFUNDS, method, alpha).ci).high for alpha in (0.1, 0.05))
    between = (one_sided + two_sided) / 2.0
    answer = guardrail(pair, REFUNDS, Margin(between), method)
    assert answer.verdict is GuardrailVerdict.SAFE
    assert answer.worst_case == one_sided


def test_a_metric_that_should_go_up_is_harmed_by_going_down() -> None:
    pair = shares(600, 10_000, 450, 10_000)
    assert guardrail(pair, Question(want="up"), Margin(0.1), "fixed").verdict is GuardrailVerdict.VIOLATED
    assert guardrail(pair, Question(want="down"), Margin(0.1), "fixed").verdict is GuardrailVerdict.SAFE


def test_against_a_negative_control_harm_is_harm() -> None:
    losses = Pair(Arm(1000, -10.0, 25.0), Arm(1000, -12.0, 25.0))
    for method in METHODS:
        answer = guardrail(losses, Question(want="up", look=REFUNDS.look), Margin(0.1), method)
        assert answer.verdict is GuardrailVerdict.VIOLATED
        assert existing(answer.worst_case) > 0.2


def test_what_cannot_be_said_is_unclear_with_a_reason() -> None:
    silent = guardrail(NoEstimate(Caveat.NOT_ENOUGH_UNITS), REFUNDS, Margin(0.1), "fixed")
    assert (silent.verdict, silent.reasons) == (GuardrailVerdict.UNCLEAR, (Caveat.NOT_ENOUGH_UNITS,))
    unbounded = guardrail(means([-5.0, 0.1, 5.0] * 4, [1.0, 2.0, 3.0] * 4), REFUNDS, Margin(0.1), "fixed")
    assert (unbounded.verdict, unbounded.reasons) == (GuardrailVerdict.UNCLEAR, (Caveat.CONTROL_MEAN_NEAR_ZERO,))
    early = guardrail(shares(300, 10_000, 420, 10_000), Question(), Margin(0.1), "planned")
    assert early.reasons == (Caveat.BEFORE_FIRST_LOOK,)


@speaks(one_sided=0.9)
@given(
    x_c=st.integers(10, 990),
    x_t=st.integers(10, 990),
    margin=st.floats(0.001, 1.0),
    want=st.sampled_from(["up", "down"]),
)
def test_the_verdict_is_that_of_the_intervals(x_c: int, x_t: int, margin: float, want: str) -> None:
    pair, question = shares(x_c, 1000, x_t, 1000), Question(want="up" if want == "up" else "down")
    answer = guardrail(pair, question, Margin(margin), "fixed")
    significant = existing(compare(pair, question).fixed.p) < 0.05
    harmful = (x_t < x_c) == (want == "up") and x_t != x_c
    assert (answer.verdict is GuardrailVerdict.VIOLATED) == (significant and harmful)
    one_sided = answer_at(pair, question, "fixed", 0.1).ci
    if judged(one_sided, "one_sided") and answer.verdict is not GuardrailVerdict.VIOLATED:
        worst = -one_sided.low if want == "up" else one_sided.high
        assert (answer.verdict is GuardrailVerdict.SAFE) == (worst < margin)
