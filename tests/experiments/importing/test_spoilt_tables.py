"""What is wrong with a table is told with its row, its value and the remedy, and all of it at once."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.spoilt_tables import CELLS, TABLES, Spoilt, rows

from experiments.importing.request import ImportFailed, import_request
from experiments.importing.table import import_table

ENGINE = ("duckdb", "varchar", "invalid input", "csv error", "null_padding", "binder error", "conversion error")


def refusal(folder: Path, spoilt: Spoilt) -> str:
    path = folder / spoilt.file
    path.write_bytes(spoilt.bytes)
    asked = {"experiment": "x", "unit": "unit", "variant": "arm", "metrics": spoilt.metrics, **spoilt.options}
    with pytest.raises(ImportFailed) as refused:
        import_table(path, import_request(**asked))
    return str(refused.value)


@pytest.mark.parametrize("spoilt", TABLES, ids=lambda spoilt: spoilt.name)
def test_a_spoilt_table_is_refused_with_row_value_and_remedy(spoilt: Spoilt, tmp_path: Path) -> None:
    assert refusal(tmp_path, spoilt).splitlines() == spoilt.said


def test_there_are_forty_of_them() -> None:
    assert len({spoilt.name for spoilt in TABLES}) >= 40


@pytest.mark.parametrize("spoilt", TABLES, ids=lambda spoilt: spoilt.name)
def test_no_refusal_holds_a_word_of_the_engine(spoilt: Spoilt, tmp_path: Path) -> None:
    told = refusal(tmp_path, spoilt).lower()
    assert [word for word in ENGINE if word in told] == []


@pytest.mark.parametrize("spoilt", CELLS, ids=lambda spoilt: spoilt.name)
@pytest.mark.parametrize("above", ["", "Orders of January;all shops\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_row_is_the_line_of_the_file(spoilt: Spoilt, above: str, end: str, tmp_path: Path) -> None:
    """Below a title, with blank lines and a cell of two lines before it, and however lines end."""
    header, _, body = spoilt.bytes.decode().partition("\n")
    cells = header.count(",") - 1
    early = f'"a\nunit",a{",1" * cells}\n\n\nsecond,b{",1" * cells}\n'
    content = (above + header + "\n" + early + body).replace("\n", end)
    moved = 5 + above.count("\n")
    told = refusal(tmp_path, Spoilt(spoilt.name, content, (), spoilt.metrics, spoilt.options)).splitlines()
    assert [line.partition(":")[0] for line in told] == [
        f"row {int(said.split(':')[0].removeprefix('row ')) + moved}" for said in spoilt.said
    ]


def test_everything_is_told_at_once_ten_faults_and_how_many_more(tmp_path: Path) -> None:
    names = [f"m{n}" for n in range(13)]
    header = ",".join(["unit", "arm", *names])
    content = f"{header}\nu0,a{',1' * 13}\nu1,B{',x' * 13}\nu2,b{',1' * 13}\n"
    told = refusal(tmp_path, Spoilt("many", content, (), [f"{name}=mean:{name}" for name in names])).splitlines()
    assert len(told) == 11
    assert told[9].startswith("row 3: 'x' in column m9 is no number")
    assert told[10] == "and 4 more faults"


def test_faults_of_lines_columns_and_groups_stand_together(tmp_path: Path) -> None:
    content = rows(1, "abc", "n/a", 4) + "u7,A,1\nu8,b,1,2\nu9,a\nu0,b,2\n"
    told = refusal(tmp_path, Spoilt("all", content, (), ["m=mean:revenue", "n=mean:profit"], {"control": "c"}))
    for part in ("no column 'profit'", "row 7: 4 cells", "row 8: 2 cells", "row 4: 'n/a'", "row 3: 'abc'"):
        assert part in told
    for part in ("'A' (1 row) and 'a' (2) differ", "control 'c' is no value", "1 unit stands in more than one row"):
        assert part in told


def test_what_makes_no_fault_of_its_own_has_none(tmp_path: Path) -> None:
    """A row that does not fit is told once, not again for each cell that it lacks."""
    told = refusal(tmp_path, Spoilt("short", rows(1, 2, 3) + "u3,b\n", ()))
    assert len(told.splitlines()) == 1


nasty = st.sampled_from([*'",;\n\r\t\\#-=ü\u00a0', "'", '""', "\r\n", "1e999", "$c"])
spoiling = st.lists(st.tuples(st.integers(0, 400), nasty, st.booleans()), max_size=6)


@settings(max_examples=examples(40), deadline=None)
@given(spoiling=spoiling, encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]), cut=st.integers(0, 3))
def test_whatever_happens_to_a_table_it_is_read_or_refused_in_our_words(
    spoiling: list[tuple[int, str, bool]], encoding: str, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = rows(*(f"{n}.5" for n in range(30)))
    for place, added, instead in spoiling:
        place %= len(text)
        text = text[:place] + added + text[place + instead :]
    path = tmp_path_factory.mktemp("spoilt") / "t.csv"
    path.write_bytes(text.encode(encoding)[: -cut or None])
    asked = import_request(experiment="x", unit="unit", variant="arm", metrics=["m=mean:revenue"], missing="drop")
    try:
        told = ""
        import_table(path, asked)
    except ImportFailed as refused:
        told = str(refused)
    assert [word for word in ENGINE if word in told.lower()] == []
