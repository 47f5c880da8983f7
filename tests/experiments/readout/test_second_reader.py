"""The decision is a function of the answer: a second reader of the public JSON comes to the same one."""

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, judged, speaks
from oracles.public_reader import disagreements, row_disagreements, series_disagreements
from worlds.drawn_readouts import answered, world

from experiments.readout.encoding import plain, readout_json, timeseries_json
from experiments.readout.tables import comparison_rows
from experiments.statistics.estimate import Caveat, NoEstimate

NEVER = NoEstimate(Caveat.NOT_A_TEST)
FEW = 0.004


@speaks(
    ship=FEW, roll_back=FEW, keep_running=0.1, inconclusive=0.05, not_started=FEW, unhealthy=FEW,
    wins=FEW, loses=FEW, violated=FEW, safe=FEW, withdrawn=FEW, shut=0.1,
)  # fmt: skip
@settings(max_examples=examples(500))
@given(st.integers(0, 2**62))
def test_drawn_answers_follow_from_their_own_numbers(seed: int) -> None:
    readout, _ = answered(world(seed))
    answer = readout_json(readout)
    assert disagreements(answer) == []
    assert series_disagreements(answer, timeseries_json(readout)) == []
    assert row_disagreements(answer, plain(comparison_rows(readout))) == []
    compared = [each for metric in answer["metrics"] for each in metric["comparisons"]]
    said = {answer["decision"]["action"], *(each["verdict"] for each in compared)}
    said |= {"withdrawn" for each in compared if "no_longer_supported" in each["reasons"]}
    said |= {"shut" for each in compared if not each["gate"]["open"]}
    for name in (*ACTIONS, *VERDICTS):
        judged(1 if name in said else NEVER, name)


ACTIONS = ("ship", "roll_back", "keep_running", "inconclusive", "not_started", "unhealthy")
VERDICTS = ("wins", "loses", "violated", "safe", "withdrawn", "shut")
