"""The decision is a function of the answer: a second reader of the public JSON comes to the same one."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, judged, speaks
from oracles.public_reader import disagreements, row_disagreements, series_disagreements
from worlds.drawn_readouts import answered, world
from worlds.drawn_shops import asked
from worlds.readout_studies import DAY, START

from experiments.answers.encoding import plain, readout_json, timeseries_json
from experiments.answers.readout import Readout
from experiments.catalog.calendar import Calendar, calendar_of
from experiments.definitions.model import Experiment
from experiments.readout.study import ReadoutQuery
from experiments.readout.tables import comparison_rows
from experiments.statistics.estimate import Caveat, NoEstimate
from kit.time import moment_of

NEVER = NoEstimate(Caveat.NOT_A_TEST)
FEW = 0.004
ACTIONS = ("ship", "roll_back", "keep_running", "inconclusive", "not_started", "unhealthy")
VERDICTS = ("wins", "loses", "violated", "safe", "withdrawn", "shut")


def contradictions(readout: Readout, defined: Experiment, calendar: Calendar) -> list[str]:
    """What contradicts the answer: in itself, in its series and in the rows of the list of all experiments."""
    answer, rows = readout_json(readout), plain(comparison_rows(readout, defined, calendar))
    beside = [*series_disagreements(answer, timeseries_json(readout)), *row_disagreements(answer, rows)]
    return [*disagreements(answer), *beside]


@speaks(
    ship=FEW, roll_back=FEW, keep_running=0.1, inconclusive=0.05, not_started=FEW, unhealthy=FEW,
    wins=FEW, loses=FEW, violated=FEW, safe=FEW, withdrawn=FEW, shut=0.1,
)  # fmt: skip
@settings(max_examples=examples(500))
@given(st.integers(0, 2**62))
def test_drawn_answers_follow_from_their_own_numbers(seed: int) -> None:
    drawn = world(seed)
    readout, _ = answered(drawn)
    assert contradictions(readout, drawn.study.experiment, drawn.study.calendar) == []
    compared = [each for metric in readout.metrics for each in metric.comparisons]
    said = {readout.decision.action, *(each.verdict for each in compared)}
    said |= {"withdrawn" for each in compared if "no_longer_supported" in each.reasons}
    said |= {"shut" for each in compared if not each.gate.open}
    for name in (*ACTIONS, *VERDICTS):
        judged(1 if name in said else NEVER, name)


@settings(max_examples=examples(5))
@given(st.integers(0, 2**62))
def test_answers_of_the_engine_follow_from_their_own_numbers(seed: int) -> None:
    """Three moments of one log by each method, five in the whole proof: 60 answers, then 2,000."""
    chance = random.Random(seed)
    moments = [
        moment_of(START + round(chance.uniform(-0.5, 24) * 24) * DAY // 24) for _ in range(3 if examples(1) == 1 else 5)
    ]
    with TemporaryDirectory() as folder:
        for readouts in asked(Path(folder), seed).values():
            defined = readouts.archive.latest().experiments["banner"]
            for at in moments:
                found = readouts.read("banner", ReadoutQuery(at=at))
                assert contradictions(found, defined, calendar_of(defined, None, ())) == []
