"""The decision is a table: every row of it."""

from dataclasses import replace

import pytest

from experiments.readout.decision import Motive, Schedule, VariantEvidence, decide

RUNNING = Schedule("enrolling", closed_days=10, days_left=18, min_days=7, over=False, early=True)
EARLY = replace(RUNNING, closed_days=3, days_left=25)
OVER = Schedule("enrolling", closed_days=28, days_left=0, min_days=7, over=True, early=False)
STOPPED = Schedule("ended", closed_days=10, days_left=6, min_days=7, over=False, early=True, waits="Windows are open.")
CLOSED = replace(STOPPED, state="closed", days_left=0, over=True, waits=None)
WINS = VariantEvidence("b", [("sales", "wins")], expected_loss=0.001)
LOSES = VariantEvidence("b", [("sales", "loses")])
UNCLEAR = VariantEvidence("b", [("sales", "unclear")])


def variant(**changes: object) -> VariantEvidence:
    return VariantEvidence(**({"variant": "b", "goals": [("sales", "wins")]} | changes))


@pytest.mark.parametrize(
    ("evidence", "schedule", "action", "variant"),
    [
        ([WINS], RUNNING, "ship", "b"),
        ([WINS], EARLY, "keep_running", None),
        ([WINS], OVER, "ship", "b"),
        ([LOSES], RUNNING, "roll_back", "b"),
        ([LOSES], EARLY, "roll_back", "b"),
        ([UNCLEAR], RUNNING, "keep_running", None),
        ([UNCLEAR], OVER, "inconclusive", None),
        ([variant(guardrails=[("refunds", "violated")])], RUNNING, "roll_back", "b"),
        ([variant(guardrails=[("refunds", "unclear")])], RUNNING, "ship", "b"),
        ([variant(guardrails=[("refunds", "unclear")], blocking=["refunds"])], RUNNING, "keep_running", None),
        ([variant(blocked=[Motive("response_rates_differ", "Fewer answer.")])], RUNNING, "keep_running", None),
        ([variant(goals=[("sales", "wins"), ("nps", "loses")])], RUNNING, "keep_running", None),
        ([variant(goals=[("sales", "unclear"), ("nps", "wins")])], RUNNING, "keep_running", None),
        ([WINS, variant(variant="c", expected_loss=0.0001)], RUNNING, "ship", "c"),
        ([WINS, VariantEvidence("c", [("sales", "loses")])], RUNNING, "ship", "b"),
        ([UNCLEAR, VariantEvidence("c", [("sales", "loses")])], RUNNING, "roll_back", "c"),
        ([UNCLEAR], STOPPED, "keep_running", None),
        ([UNCLEAR], CLOSED, "inconclusive", None),
        ([WINS], replace(STOPPED, closed_days=3), "ship", "b"),
        ([LOSES], STOPPED, "roll_back", "b"),
        ([UNCLEAR], replace(EARLY, first_exposed=False), "keep_running", None),
        ([UNCLEAR], replace(CLOSED, first_exposed=False), "inconclusive", None),
    ],
)
def test_the_table_of_decisions(
    evidence: list[VariantEvidence], schedule: Schedule, action: str, variant: str | None
) -> None:
    found = decide(evidence, schedule, alarm=False)
    assert (found.action, found.variant) == (action, variant)
    assert found.because
    assert found.codes
    assert all(not told[0].islower() and told.endswith(".") for told in found.because)


def test_a_sample_ratio_mismatch_outranks_everything() -> None:
    found = decide([WINS], RUNNING, alarm=True)
    assert (found.action, found.variant) == ("unhealthy", None)


def test_shipping_before_the_plan_is_over_says_that_the_estimate_is_inflated() -> None:
    assert "stopped_early_estimate_inflated" in decide([WINS], RUNNING, alarm=False).codes
    assert "stopped_early_estimate_inflated" not in decide([WINS], OVER, alarm=False).codes


def test_days_left_are_those_that_have_still_to_be_waited_for() -> None:
    assert decide([UNCLEAR], RUNNING, alarm=False).days_left == 18
    assert decide([UNCLEAR], STOPPED, alarm=False).days_left == 6
    assert decide([UNCLEAR], CLOSED, alarm=False).days_left == 0


def test_an_early_stop_is_not_called_the_end_of_the_plan() -> None:
    assert decide([UNCLEAR], STOPPED, alarm=False).because == ("Windows are open.",)
    assert decide([UNCLEAR], CLOSED, alarm=False).because == ("Nobody is enrolled any more and no goal won or lost.",)
    assert decide([UNCLEAR], OVER, alarm=False).because == ("The plan is over and no goal won or lost.",)
