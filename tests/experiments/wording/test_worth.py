"""What a decision is worth a month."""

from dataclasses import replace

import pytest
from worlds.said_readouts import banner, compared, told

from experiments.answers.readout import Decision, Readout, Worth
from experiments.statistics.arms import Gate
from experiments.statistics.estimate import Caveat
from experiments.wording.sentences import worth_sentence
from experiments.wording.worth import Traffic, worth_of

TRAFFIC = Traffic(units=2_800, days=28, everybody=5_600.0)  # half of the traffic takes part
SHIP = Decision("ship", "threshold", 0, ("So.",), ("goal_wins",))
WON = told(compared(0.08, 0.10, (0.05, 0.45), verdict="wins"))
REVENUE = told(
    compared(4.0, 4.2, (-0.02, 0.12)), metric="revenue_per_visitor", title="revenue per visitor", role="secondary",
    type="mean", quantity="money", currency="EUR",
)  # fmt: skip


def test_the_worth_is_the_difference_times_the_units_of_a_month_at_full_traffic() -> None:
    worth = worth_of(banner(SHIP, WON), TRAFFIC, "EUR")
    assert isinstance(worth, Worth)
    assert worth.per_month == pytest.approx(0.02 * 5_600 / 28 * 30)
    assert (worth.ci.low, worth.ci.high) == (pytest.approx(0.05 * 0.08 * 6_000), pytest.approx(0.45 * 0.08 * 6_000))
    assert (worth.unit, worth.currency, worth.metric, worth.variant) == ("orders", None, "purchase_rate", "threshold")
    assert worth_sentence(worth) == "Worth between 24 and 216 more orders a month if the effect stays."
    assert worth.assumption.startswith("6,000 visitors a month, all of whom see threshold, as the last 28 closed days")


def test_money_outranks_the_goal_and_its_interval_may_hold_nothing() -> None:
    worth = worth_of(banner(SHIP, WON, REVENUE), TRAFFIC, "EUR")
    assert isinstance(worth, Worth)
    assert (worth.metric, worth.currency, worth.unit) == ("revenue_per_visitor", "EUR", None)
    assert worth_sentence(worth) == "Worth between −€480 and +€2,880 a month if the effect stays."


def test_what_is_lost_is_said_as_fewer() -> None:
    lost = told(compared(0.10, 0.08, (-0.36, -0.04), verdict="loses"))
    worth = worth_of(banner(replace(SHIP, action="roll_back"), lost), TRAFFIC, "EUR")
    assert isinstance(worth, Worth)
    assert worth_sentence(worth) == "Worth between 24 and 216 fewer orders a month if the effect stays."


CLOSED = told(compared(0.08, 0.10, (0.05, 0.45), gate=Gate(False, Caveat.FEW_EVENTS, 2.0, 10, 8)))


@pytest.mark.parametrize(
    ("readout", "traffic", "why"),
    [
        (banner(replace(SHIP, action="keep_running"), WON), TRAFFIC, "once there is a decision"),
        (banner(replace(SHIP, action="unhealthy"), WON), TRAFFIC, "once there is a decision"),
        (banner(SHIP, replace(WON, type="ratio")), TRAFFIC, "of each visitor"),
        (banner(SHIP, replace(WON, post_hoc=True)), TRAFFIC, "frozen design"),
        (banner(replace(SHIP, action="inconclusive"), CLOSED), TRAFFIC, "Too little"),
        (banner(SHIP, WON), Traffic(0, 0, 0.0), "cannot be said"),
    ],
    ids=["undecided", "unhealthy", "ratio", "post hoc", "gate", "no day"],
)
def test_where_nothing_is_said_of_the_worth_there_is_a_reason(readout: Readout, traffic: Traffic, why: str) -> None:
    told_why = worth_of(readout, traffic, "EUR")
    assert isinstance(told_why, str)
    assert why in told_why
    assert told_why.endswith(".")
