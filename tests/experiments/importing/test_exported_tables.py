"""Tables as spreadsheets and statistics programs export them say what a plain one says, and tell how they were read."""

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from events.engines.tables import Table, parquet_bytes
from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.importing.request import ImportFailed, import_request
from experiments.importing.table import import_table

UNITS = 40
CHANCE = random.Random(4)
MONEY = [round(CHANCE.lognormvariate(5, 2), 2) for _ in range(UNITS)]
BOUGHT = [CHANCE.random() < 0.4 for _ in range(UNITS)]
ARMS = ["control" if n % 2 else "b" for n in range(UNITS)]
METRICS = ("revenue=mean:revenue", "bought=proportion:bought")


def imported(folder: Path, content: str | bytes, metrics: tuple[str, ...] = METRICS, **options: Any) -> Readout:
    path = folder / options.pop("file", "t.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    asked = {"experiment": "x", "unit": "unit", "variant": "arm", "metrics": metrics, **options}
    return import_table(path, import_request(**asked))


def said(readout: Readout) -> tuple[object, ...]:
    """All that a readout says of its metrics."""
    return tuple(readout_json(readout)["metrics"])


def notices(readout: Readout) -> list[str]:
    return [check.detail for check in readout.health.checks]


def lines(header: str, row: Any, sign: str = ",") -> list[str]:
    cells = [(f"u{n:03}", ARMS[n], row(MONEY[n]), BOUGHT[n]) for n in range(UNITS)]
    return [header.replace(",", sign), *(sign.join(map(str, cell)) for cell in cells)]


def german(money: float) -> str:
    return f"{money:,.2f}".translate(str.maketrans(",.", ".,"))


HEADER = "unit,arm,revenue,bought"
PLAIN = "\n".join(lines(HEADER, str)) + "\n"
SEMICOLONS = "\r\n".join(lines(HEADER, german, ";")).replace("True", "WAHR").replace("False", "FALSCH") + "\r\n"
EXPORTS: dict[str, tuple[str | bytes, int]] = {  # name → the file, and how many notices it gets
    "lines that end in CR LF": (PLAIN.replace("\n", "\r\n"), 0),
    "lines that end in CR": (PLAIN.replace("\n", "\r"), 0),
    "lines that end in both": (PLAIN.replace("\n", "\r\n", 7), 0),
    "no line end at the end": (PLAIN.rstrip("\n"), 0),
    "empty lines": (PLAIN.replace("\nu007", "\n\n\nu007") + "\n\n", 0),
    "empty rows": (PLAIN + ",,,\n,,,\n", 0),
    "empty columns": ("\n".join(line + ",," for line in PLAIN.splitlines()), 0),
    "a comma at the end of each row": (PLAIN.replace("\n", ",\n").replace(f"{HEADER},", HEADER), 0),
    "a line of blanks": (PLAIN + "   \n", 0),
    "spaces around the names": (PLAIN.replace(HEADER, " unit , arm,revenue , bought"), 0),
    "everything in quotes": ("\n".join(f'"{line}"'.replace(",", '","') for line in PLAIN.splitlines()), 0),
    "a title above": ("Report of January\n\n" + PLAIN, 1),
    "comments above": ("# -----\n# All users, by day\n# -----\n\n" + PLAIN, 1),
    "a mark of UTF-8": (b"\xef\xbb\xbf" + PLAIN.encode(), 0),
    "UTF-16, as Excel calls Unicode text": (PLAIN.replace(",", "\t").encode("utf-16"), 0),
    "UTF-16 of the other end": (b"\xfe\xff" + PLAIN.encode("utf-16-be"), 0),
    "Windows-1252": (PLAIN.replace(HEADER, HEADER + ",Größe").encode("cp1252").replace(b"True", b"True,\xe4").replace(
        b"False", b"False,"), 1),
    "packed": (gzip.compress(PLAIN.encode()), 0),
    "German Excel": (SEMICOLONS, 1),
    "German Excel, with what it says of itself": ("sep=;\r\n" + SEMICOLONS, 2),
    "Google Sheets, formatted": ("\n".join(lines(HEADER, lambda money: f'"${money:,.2f}"')).upper().replace(
        HEADER.upper(), HEADER).replace("CONTROL", "control").replace(",B,", ",b,").replace("\nU", "\nu"), 1),
    "euros behind": ("\n".join(lines(HEADER, lambda money: f"{german(money)} €", "\t")), 1),
    "Swiss thousands": ("\n".join(lines(HEADER, lambda money: f"{money:,.2f}".replace(",", "'"))), 0),
    "French thousands": ("\n".join(lines(HEADER, lambda money: f"{money:,.2f}".translate(
        str.maketrans(",.", "\u202f,")), ";")), 1),
    "pandas, with its index": ("\n".join(
        f"{n - 1 if n else ''},{line}" for n, line in enumerate(PLAIN.splitlines())), 0),
    "R, write.csv": ("\n".join(
        f'"{n or ""}","{line}"'.replace(",", '","').replace('""', '"') for n, line in enumerate(PLAIN.splitlines())
    ).replace('"True"', "TRUE").replace('"False"', "FALSE").replace('"","unit', '"","unit'), 0),
    "R, write.table": (PLAIN.replace(",", " ").replace("True", "TRUE").replace("False", "FALSE"), 0),
    "1 and 0": (PLAIN.replace("True", "1").replace("False", "0"), 0),
    "yes and no": (PLAIN.replace("True", "Yes").replace("False", " no "), 0),
    "sí and no": (PLAIN.replace("True", "sí").replace("False", "no"), 0),
    "percents": (PLAIN.replace("True", "100%").replace("False", "0%"), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_says_what_the_plain_table_says(name: str, tmp_path: Path) -> None:
    content, told = EXPORTS[name]
    found = imported(tmp_path, content)
    assert said(found) == said(imported(tmp_path, PLAIN))
    assert len(notices(found)) == told


def test_a_notice_shows_how_a_number_was_read(tmp_path: Path) -> None:
    assert notices(imported(tmp_path, EXPORTS["German Excel"][0])) == [
        f"Column revenue: '{german(MONEY[0])}' was read as {MONEY[0]}."
    ]
    assert "Windows-1252" in notices(imported(tmp_path, EXPORTS["Windows-1252"][0]))[0]
    assert notices(imported(tmp_path, EXPORTS["a title above"][0])) == [
        "Row 3 names the columns; what stands above it was left out."
    ]


def test_a_table_of_texts_in_parquet_is_read_as_well(tmp_path: Path) -> None:
    columns = {"unit": range(UNITS), "arm": ARMS, "revenue": [german(money) for money in MONEY], "bought": BOUGHT}
    found = imported(tmp_path, parquet_bytes(Table({name: [*cells] for name, cells in columns.items()})), file="t.pq")
    assert said(found) == said(imported(tmp_path, PLAIN))


def test_a_point_parts_thousands_where_the_other_columns_have_decimal_commas(tmp_path: Path) -> None:
    cells = ["u0;a;3,5;1.250", "u1;b;4,5;2.500", "u2;a;2;1.000", "u3;b;1;500"]
    content = "\n".join(["unit;arm;price;points", *cells])
    found = imported(tmp_path, content, ("price=mean:price", "points=mean:points"))
    assert [arm.value for arm in found.metric("points").arms] == [1125.0, 1500.0]
    assert "Column points: '1.250' was read as 1250." in notices(found)


def test_the_decimal_sign_that_is_said_holds_for_every_column(tmp_path: Path) -> None:
    content = "unit,arm,v\nu0,a,1.250\nu1,b,2.500\nu2,a,1.000\nu3,b,500\n"
    values = {
        sign: [arm.value for arm in imported(tmp_path, content, ("m=mean:v",), decimal=sign).metrics[0].arms]
        for sign in (None, ".", ",")
    }
    assert values == {None: [1.125, 251.25], ".": [1.125, 251.25], ",": [1125.0, 1500.0]}


money = st.integers(-(10**11), 10**11).map(lambda cents: cents / 100)


@settings(max_examples=examples(25), deadline=None)
@given(
    values=st.lists(money, min_size=4, max_size=12),
    decimal=st.sampled_from([".", ","]),
    group=st.sampled_from(["", "'", " ", "\u00a0", "the other"]),
    around=st.sampled_from(["{}", "€ {}", "{} €", "USD {}", "{} zł", "-", "({})"]),
)
def test_however_amounts_are_written_they_are_the_same_amounts(
    values: list[float], decimal: str, group: str, around: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Unless two readings are possible, which is asked for."""
    folder = tmp_path_factory.mktemp("written")
    parted = {"the other": "," if decimal == "." else "."}.get(group, group)

    def written(value: float) -> str:
        text = f"{abs(value):,.2f}".replace(".", "#").replace(",", parted).replace("#", decimal)
        if value >= 0:
            return f'"{around.format(text)}"' if around not in ("-", "({})") else f'"{text}"'
        return f'"({text})"' if around == "({})" else f'"{text}-"' if around == "-" else f'"-{around.format(text)}"'

    def table(cells: list[str]) -> str:
        return "\n".join(["unit,arm,v", *(f"u{n},{'ab'[n % 2]},{cell}" for n, cell in enumerate(cells))])

    plain = imported(folder, table([repr(value) for value in values]), ("m=mean:v",))
    found = imported(folder, table([written(value) for value in values]), ("m=mean:v",))
    assert said(found) == said(plain)


@pytest.mark.parametrize("word", ["", "NA", "n/a", "NULL", "-", "NaN", "None", "#N/A", "  "])
@pytest.mark.parametrize("missing", ["drop", "0"])
def test_missing_cells_are_left_out_or_count_as_nothing(word: str, missing: str, tmp_path: Path) -> None:
    rows = [f"u{n},{'ab'[n % 2]},{word if n % 3 == 0 else n}" for n in range(30)]
    kept = [row for n, row in enumerate(rows) if n % 3]
    zero = [row if n % 3 else row.rpartition(",")[0] + ",0" for n, row in enumerate(rows)]
    found = imported(tmp_path, "\n".join(["unit,arm,v", *rows]), ("m=mean:v",), missing=missing)
    right = imported(tmp_path, "\n".join(["unit,arm,v", *(kept if missing == "drop" else zero)]), ("m=mean:v",))
    assert said(found) == said(right)
    assert found.health.excluded.missing == (10 if missing == "drop" else None)


def test_a_missing_covariate_is_no_history(tmp_path: Path) -> None:
    """Whether it is empty, a word, or what pandas writes."""
    chance = random.Random(2)
    cells = [(n, chance.gauss(10, 3), chance.gauss(0, 1)) for n in range(80)]
    tables = [
        "\n".join(["unit,arm,v,x", *(f"u{n},{'ab'[n % 2]},{x + e},{word if n % 5 == 0 else x}" for n, x, e in cells)])
        for word in ("", "n/a", "NaN")
    ]
    found = [said(imported(tmp_path, table, ("m=mean:v",), covariates=["m=x"])) for table in tables]
    assert found[0] == found[1] == found[2]
    assert found[0][0]["comparisons"][0]["cuped"]


def test_not_a_number_in_parquet_is_missing_though_the_file_does_not_tell(tmp_path: Path) -> None:
    values = [float(n) if n % 3 else float("nan") for n in range(30)]
    columns = {"unit": [*range(30)], "arm": ["a", "b"] * 15, "v": values}
    table = parquet_bytes(Table(columns))
    with pytest.raises(ImportFailed, match=r"row 1: 'nan' in column v is no number \(10 such rows\)"):
        imported(tmp_path, table, ("m=mean:v",), file="t.parquet")
    found = imported(tmp_path, table, ("m=mean:v",), file="t.parquet", missing="drop")
    assert [arm.units for arm in found.metrics[0].arms] == [10, 10]
    assert found.metrics[0].arms[0].value == pytest.approx(sum(n for n in range(0, 30, 2) if n % 3) / 10)
