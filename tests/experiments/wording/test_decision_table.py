"""The table of decisions in docs/statistics.md, run: each row's example is what its case is said as."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from worlds.said_readouts import banner, compared, told

from experiments.answers.readout import Readout, Worth
from experiments.readout.decision import NOBODY, Motive, Schedule, VariantEvidence, decide
from experiments.statistics.arms import Gate
from experiments.statistics.estimate import Caveat, Interval
from experiments.statistics.sample_ratio import Balance
from experiments.wording.sentences import sentences

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
RUNNING = Schedule("enrolling", closed_days=22, days_left=6, min_days=7, over=False, early=True)
OVER = replace(RUNNING, closed_days=28, days_left=0, over=True, early=False)
OPEN = VariantEvidence("threshold", [("purchase rate", "unclear")])
WINS = VariantEvidence("threshold", [("purchase rate", "wins")])
WON = compared(0.089, 0.097, (0.021, 0.161), verdict="wins")
LOST = compared(0.089, 0.081, (-0.151, -0.031), verdict="loses")
UNCLEAR = compared(0.089, 0.0931, (-0.021, 0.113))
CLOSED = replace(UNCLEAR, gate=Gate(False, Caveat.FEW_EVENTS, 5.0, 10, 140))
REFUNDS = told(
    compared(0.039, 0.047, (0.08, 0.33), verdict="violated"), metric="refund_rate", title="refund rate", want="down",
    role="secondary", type="ratio", noun="refunds",
)  # fmt: skip
MONEY = Worth(1650.0, Interval(-900.0, 4_200.0), "revenue_per_visitor", "threshold", "As ever.", currency="EUR")
ORDERS = Worth(960.0, Interval(190.0, 1_730.0), "purchase_rate", "threshold", "As ever.", unit="orders")


def cases() -> dict[str, Readout]:
    """A readout for each row, by the words of its first two columns."""
    harms = [replace(OPEN, variant=name, goals=[("purchase rate", "loses")]) for name in ("threshold", "percent")]
    refunds = [replace(OPEN, guardrails=[("refund rate", "violated")])]
    waits = Motive("not_begun", "It starts on 20 December 2026, 14:05 UTC: nobody is assigned before.")
    running = decide([OPEN], RUNNING, alarm=False)
    never = decide([OPEN], replace(OVER, state="ended", first_exposed=False), alarm=False)
    mismatch = replace(
        banner(decide([WINS], OVER, alarm=True), told(WON)).health,
        srm=Balance(0.0001, 0.0001, True, (0.5, 0.5), (5_123, 4_700)),
    )
    not_begun = replace(running, action="not_started", because=(waits.sentence,), codes=(waits.code,))
    return {
        "not_started": banner(not_begun, told(UNCLEAR)),
        "unhealthy": banner(decide([WINS], OVER, alarm=True), told(WON), health=mismatch),
        "roll_back, a guardrail": banner(decide(refunds, RUNNING, alarm=False), told(UNCLEAR), REFUNDS),
        "roll_back, the goal": banner(decide([harms[0]], RUNNING, alarm=False), told(LOST)),
        "roll_back, several": banner(decide(harms, RUNNING, alarm=False), told(LOST)),
        "ship": banner(decide([WINS], OVER, alarm=False), told(WON), worth=ORDERS),
        "ship, early": banner(decide([WINS], RUNNING, alarm=False), told(WON)),
        "inconclusive": banner(decide([OPEN], OVER, alarm=False), told(UNCLEAR), worth=MONEY),
        "inconclusive, nobody": banner(never, told(UNCLEAR)),
        "keep_running": banner(running, told(UNCLEAR)),
        "keep_running, the gate": banner(running, told(CLOSED)),
        "keep_running, nobody": banner(decide([OPEN], replace(RUNNING, first_exposed=False), alarm=False), told()),
    }


def rows() -> list[tuple[str, str]]:
    """Action and example of each row of the table."""
    table = PAGE.read_text(encoding="utf-8").partition("| action | when | for example |")[2].partition("\n\n")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return [(action.replace("`", ""), example.strip("*")) for action, _, example in found]


def test_the_page_has_every_case_and_no_other() -> None:
    assert [action for action, _ in rows()] == list(cases())
    assert {action.partition(",")[0] for action, _ in rows()} == {each.decision.action for each in cases().values()}


@pytest.mark.parametrize(("action", "example"), rows())
def test_each_row_of_the_table_says_what_its_case_is_said_as(action: str, example: str) -> None:
    readout = cases()[action]
    assert readout.decision.action == action.partition(",")[0]
    assert sentences(readout).top == example


def test_reasons_are_whole_sentences_and_codes_stand_beside_them() -> None:
    for readout in cases().values():
        decision = readout.decision
        assert decision.codes
        assert all(re.fullmatch(r"[A-Z0-9].*\.", text) and "_" not in text for text in decision.because)
    assert decide([OPEN], replace(RUNNING, first_exposed=False), alarm=False).because == (NOBODY.sentence,)
