"""Every column of every flat table has its sentence, the one of the glossary where a JSON answer has it too."""

from collections.abc import Sequence

import pytest

from app.analysis import calls, overview
from app.glossary.columns import COLUMNS_ALONE, column_notes, unit_notes
from app.glossary.entries import descriptions
from experiments.program import holdout, report
from experiments.readout import tables

TABLES = {
    "ComparisonReadout": tables.NAMES,
    "ComparisonRow": tables.SUMMARY,
    "ProgramRow": report.COLUMNS,
    "ExperimentSummary": overview.COLUMNS,
    "KpiReadout": calls.EXPERIENCE_COLUMNS,
    "MetricReadout": holdout.COLUMNS,
}


@pytest.mark.parametrize(("kind", "names"), TABLES.items())
def test_every_column_has_its_sentence(kind: str, names: Sequence[str]) -> None:
    notes = column_notes(names, kind)
    assert list(notes) == list(names)
    assert [name for name, note in notes.items() if not note.endswith(".")] == []


def test_a_column_of_a_type_is_explained_as_that_type_says() -> None:
    assert column_notes(["day"], "ExperimentSummary") == {"day": "How many days of its plan have closed."}
    assert column_notes(["lift"], "ComparisonRow") == {"lift": descriptions()["lift"]}


def test_no_column_is_explained_beside_the_glossary() -> None:
    assert COLUMNS_ALONE.keys() & descriptions().keys() == set()


def test_a_column_of_units_says_of_which_metric_and_when_it_is() -> None:
    notes = unit_notes(["unit", "exposed_at", "rate_denominator_before"])
    assert notes["unit"] == "The id of the unit: a visitor or a user."
    assert notes["rate_denominator_before"] == (
        "Of the metric or dimension rate: what it is divided by of this unit from before the exposure; "
        "a metric's is in its own unit."
    )
