"""What is wrong with a table is told with its row, its value and the remedy, and all of it at once."""

from pathlib import Path

import pytest
from worlds.spoilt_tables import CELLS, TABLES, Spoilt, rows

from experiments.importing.request import ImportFailed, import_request
from experiments.importing.table import import_table


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
    assert [word for word in ("duckdb", "varchar", "invalid input", "csv error", "null_padding") if word in told] == []


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
