"""Results as lines: whatever the width, each number is there whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.said_readouts import said_readout

from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.wording.figures import count_text, difference_text, lift_text
from experiments.wording.printed import COLUMNS, DROPPED, footnotes, metric_lines, table_lines, wrapped
from experiments.wording.sentences import worded


def numbers_of(readout: Readout) -> list[str]:
    """What the columns of the tables stand for, as it is said."""
    found: list[str] = []
    for metric in readout_json(readout)["metrics"]:
        quantity, currency = metric["quantity"], metric.get("currency") or ""
        for judged in metric["comparisons"]:
            if metric["effect_scale"] != "points" and judged["lift"] is not None:
                found.append(lift_text(judged["lift"], signed=True))
            found.append(difference_text(judged["difference"], quantity, currency, signed=True))
            found.append(count_text(judged["arms"][1]["units"]))
            found.append(judged["verdict"])
    return found


@given(seed=st.integers(0, 10**9), width=st.integers(40, 200))
@settings(max_examples=examples(60))
def test_every_number_is_there_whole_whatever_the_width(seed: int, width: int) -> None:
    readout = worded(said_readout(seed))
    lines = [line for metric in readout_json(readout)["metrics"] for line in metric_lines(metric, width)]
    for number in numbers_of(readout):
        assert any(number in line for line in lines), (number, width)


def test_columns_move_below_their_row_in_the_order_that_is_stated() -> None:
    row = ["threshold", "1,234", "9.3 %", "+4.6 %", "+0.4 points", "−2.1 % … +11.3 %", "0.31", "0.31", "unclear"]
    kept = {width: table_lines(COLUMNS, [row], width, DROPPED) for width in (40, 60, 80, 100)}
    assert kept[100][0].split() == " ".join(COLUMNS).split()
    assert "units" not in kept[80][0]
    assert kept[80][2] == "    units: 1,234"
    assert all(len(line) <= width for width, lines in kept.items() for line in lines)
    gone = [name for name in DROPPED if name not in kept[40][0].split("  ")]
    assert gone == list(DROPPED[: len(gone)])


def test_no_line_parts_a_number_from_its_unit() -> None:
    for width in range(20, 60):
        lines = wrapped("with threshold the purchase rate is 9.3 % against 8.9 %, 4.6 % higher", width)
        assert not any(line.strip().startswith("%") for line in lines)


@pytest.mark.parametrize("code", ["few_events", "no_longer_supported"])
def test_a_code_that_occurs_is_explained_below(code: str) -> None:
    judged = {"reasons": [code, code]}
    readout = {"metrics": [{"comparisons": [judged]}]}
    assert list(footnotes(readout, {code: "So it is."}, 80)) == [f"  {code.replace('_', ' ')}: So it is."]
