"""What a plan is told: a percentage and its fraction are one number, and each refusal says what would be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.planning.assumptions import (
    KINDS,
    PARAMETERS,
    Assumptions,
    InvalidPlan,
    PlanRequest,
    assumptions,
    plan_request,
)

SOUND = {"units_a_day": "1000", "baseline": "3%"}
REFUSED = [  # what else is said, what is told
    ({"units_a_day": None}, "units_a_day: is missing, write how many units arrive each day, such as 1000"),
    ({"units_a_day": "0"}, 'units_a_day: "0" must lie above 0 and not above 1000000000, such as 1000'),
    ({"units_a_day": "-5"}, 'units_a_day: "-5" must lie above 0'),
    ({"units_a_day": "1,000"}, 'units_a_day: "1,000" is no number, write 1000 or 42.5'),
    ({"units_a_day": "nan"}, 'units_a_day: "nan" is no number'),
    ({"units_a_day": "1e99"}, 'units_a_day: "1e99" must lie above 0 and not above 1000000000'),
    ({"baseline": ""}, "baseline: is missing, write the rate of today, such as 3%, or with type=mean the mean"),
    ({"baseline": "130%"}, "baseline: 130 % is no rate, it must lie above 0 % and below 100 %; write 3% or 0.03"),
    ({"baseline": "3"}, "baseline: 300 % is no rate"),
    ({"baseline": "0"}, "baseline: 0 % is no rate"),
    ({"baseline": "3,5%"}, 'baseline: "3,5%" is no percentage, write 3% or 0.03'),
    ({"baseline": "0", "type": "mean", "sd": "1"}, "baseline: 0 is no baseline, a lift is relative to it; write"),
    ({"lift": "0"}, 'lift: "0" must lie above 0 % and not above 1000 %, such as 5% or 0.05'),
    ({"lift": "-5%"}, 'lift: "-5%" must lie above 0 % and not above 1000 %, write the size of a fall'),
    ({"lift": "5"}, 'lift: "5" would be 500 %, write it with its sign, as in 5%'),
    ({"baseline": "60%", "lift": "100%"}, "lift: 100 % on a baseline of 60 % is more than everyone, at most"),
    ({"type": "men"}, 'type: "men" is not known, did you mean "mean"?'),
    ({"type": "mean"}, "sd: is missing, a mean needs the standard deviation of a unit's value, such as 42"),
    ({"sd": "42"}, "sd: 42 is of type=mean; a rate has the spread of its baseline, leave sd out"),
    ({"sd": "0", "type": "mean"}, 'sd: "0" must lie above 0, such as 42'),
    ({"days": "0"}, 'days: "0" is no whole number of days from 1 to 1000, write 28, 28 days or 4 weeks'),
    ({"days": "2.5"}, 'days: "2.5" is no whole number of days'),
    ({"weights": "90,0"}, 'weights: "90,0" holds 0, a variant of that weight gets nobody; write a number'),
    ({"weights": "110,-10"}, 'weights: "110,-10" holds -10, a variant of that weight gets nobody'),
    ({"weights": "90:10"}, 'weights: "90:10" are no weights, write a number above 0 for each variant, control first'),
    ({"weights": "100"}, 'weights: "100" holds 1, 2 to 100 are needed'),
    ({"weights": "100,0.001"}, 'weights: "100,0.001" holds a share finer than 0.01 %'),
    ({"method": "plannd"}, 'method: "plannd" is not known, did you mean "planned"?'),
    ({"method": "bogus"}, 'method: "bogus" is not known; known are anytime, fixed, planned'),
    ({"looks": "4"}, "looks: 4 looks are of method=planned, anytime has none; leave looks out"),
    ({"looks": "0", "method": "planned"}, 'looks: "0" is no whole number from 1 to 100'),
    ({"looks": "9", "method": "planned", "days": "7"}, "looks: 9 looks need as many days, the plan has 7"),
    ({"alpha": "0"}, 'alpha: "0" must be at least 0.000001 and below 0.5, such as 0.05 or 5%'),
    ({"power": "80"}, 'power: "80" must be at least 0.5 and below 1, such as 0.8 or 80%'),
    ({"power": "80%", "lift": "5%", "days": "7"}, "power: 0.8 is asked for, and lift and days decide it; leave one"),
    ({"window": "7"}, 'window: "7" is no duration, write a number and seconds, minutes, hours, days or weeks: 7 days'),
]  # fmt: skip


@pytest.mark.parametrize(("more", "told"), REFUSED)
def test_a_refusal_names_the_parameter_its_value_and_what_would_be_right(more: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidPlan) as refused:
        plan_request(assumptions({**SOUND, **more}))
    assert str(refused.value).startswith(told)


def test_every_parameter_has_its_kind_and_is_refused_once() -> None:
    assert set(PARAMETERS) == set(KINDS) == {name for more, _ in REFUSED for name in more}


def test_everything_that_cannot_be_read_is_told_at_once() -> None:
    with pytest.raises(InvalidPlan) as refused:
        assumptions(dict.fromkeys(PARAMETERS, "?"))
    assert all(f"{name}: " in str(refused.value) for name in PARAMETERS)


@given(percent=st.decimals(0, 1000, places=4), spaced=st.booleans())
def test_a_percentage_and_its_fraction_are_one_number(percent: object, spaced: bool) -> None:
    sign = " %" if spaced else "%"
    assert assumptions({"baseline": f"{percent}{sign}"}).baseline == float(f"{percent}e-2")


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=30)))
def test_whatever_is_said_is_read_or_refused(said: dict[str, str]) -> None:
    try:
        answer: object = assumptions(said)
    except InvalidPlan as refused:
        answer = str(refused)
    assert isinstance(answer, (Assumptions, str))
    assert answer != ""


def test_what_is_not_said_is_as_of_an_experiment_that_says_nothing() -> None:
    request = plan_request(assumptions({**SOUND, "weights": "80, 10%,10"}))
    assert request == PlanRequest(
        units_a_day=1000.0, baseline=0.03, events=0.03, weights=(0.8, 0.1, 0.1), comparisons=2
    )
    assert (request.method, request.alpha, request.power, request.wait_days) == ("anytime", 0.05, 0.8, 7)


def test_a_window_is_waited_for_in_whole_days() -> None:
    waits = [
        plan_request(assumptions({**SOUND, "window": text})).wait_days
        for text in ("30 minutes", "24 hours", "25 hours")
    ]
    assert waits == [1, 1, 2]
