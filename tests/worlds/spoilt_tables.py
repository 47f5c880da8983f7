"""Tables as people send them, each with what is wrong with it and the sentence that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

HEADER: Final = "unit,arm,revenue\n"


def rows(*cells: object) -> str:
    """A table with these cells in the column `revenue`, units u0, u1, … in the variants a and b in turns."""
    return HEADER + "".join(f"u{index},{'ab'[index % 2]},{cell}\n" for index, cell in enumerate(cells))


@dataclass(frozen=True)
class Spoilt:
    """A file, what is asked of it, and everything that the refusal says, a line per fault."""

    name: str
    content: str | bytes
    said: Sequence[str]
    metrics: Sequence[str] = ("m=mean:revenue",)
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    file: str = "t.csv"

    @property
    def bytes(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.encode()


MISSING: Final = "drop them with --missing drop, or count them as --missing 0"
CORRECT: Final = "correct it, or leave the cell empty and say --missing drop"
REPEATED: Final = HEADER + "v17,a,1\nv40,a,2\nv17,a,3\nv41,b,1\nv41,a,1\nv40,a,2\nv1,b,3\nv41,b,7\nv2,b,1\nv17,a,0\n"
DUPLICATES: Final = "say --duplicates first, last, sum or drop, or --events if each row is an event"
DATES: Final = "spreadsheets make dates of numbers such as 3.4: format the column as number and save again"
COUNTS: Final = {"metrics": ("s=proportion:conversions/visitors",), "options": {"unit": None, "counts": True}}

CELLS: Final = [
    Spoilt(
        "missing words",
        rows(1, "n/a", 3, "NA", "", "null", "-"),
        [f"row 3: 'n/a' in column revenue is no number (5 such rows); {MISSING}"],
    ),
    Spoilt(
        "an empty cell",
        rows(1, 2, "", 4),
        [f"row 4: an empty cell in column revenue is no number (1 such row); {MISSING}"],
    ),
    Spoilt(
        "words",
        rows(1, "abc", 3, "x y"),
        [f"row 3: 'abc' in column revenue is no number (2 such rows); {CORRECT}"],
    ),
    Spoilt(
        "a unit of measure",
        rows("3 kg", 2, 3, 4),
        [f"row 2: '3 kg' in column revenue is no number (1 such row); {CORRECT}"],
    ),
    Spoilt(
        "words among numbers",
        rows(1, 2.5, "yes", 3),
        [f"row 4: 'yes' in column revenue is no number, as the others are (1 such row); {CORRECT}"],
    ),
    Spoilt(
        "numbers that became dates",
        rows(1, "3. Apr", 2.5, "Apr-26"),
        [f"row 3: '3. Apr' in column revenue is a date, no number (2 such rows); {DATES}"],
    ),
    Spoilt(
        "mixed dates",
        rows("2026-01-03", "03.01.2026", "1/3/26", "2026-01-03 10:00:00"),
        [f"row 2: '2026-01-03' in column revenue is a date, no number (4 such rows); {DATES}"],
    ),
    Spoilt(
        "times",
        rows("0:03:45", 2, 3, "12:30"),
        ["row 2: '0:03:45' in column revenue is a time, no number (2 such rows); write it in seconds"],
    ),
    Spoilt(
        "a formula that failed",
        rows(1, "#DIV/0!", 3, "#VALUE!"),
        [
            "row 3: '#DIV/0!' in column revenue is an error of the spreadsheet, no number (2 such rows); "
            "mend its formula and save again"
        ],
    ),
    Spoilt(
        "infinity",
        rows(1, "inf", 3, 4),
        [f"row 3: 'inf' in column revenue is no finite number (1 such row); {CORRECT}"],
    ),
    Spoilt(
        "a number beyond all bounds",
        rows(1, "1e400", 3, 4),
        [f"row 3: '1e400' in column revenue is no finite number (1 such row); {CORRECT}"],
    ),
    Spoilt(
        "a proportion that counts",
        rows(0, 1, 2, 3, 1),
        [
            "row 4: '2' in column revenue is neither 0 nor 1, neither yes nor no (2 such rows); "
            "for the mean of such a column write mean:revenue"
        ],
        metrics=["m=proportion:revenue"],
    ),
    Spoilt(
        "decimal commas and points",
        rows('"3,48"', "1.5", "0", '"1,5"'),
        [
            "row 2: '3,48' in column revenue has a decimal comma (2 such rows), '1.5' a decimal point (1); "
            "write them alike"
        ],
    ),
    Spoilt(
        "commas that may be either",
        rows('"3,480"', '"1,555"', "0", "7"),
        [
            "row 2: '3,480' in column revenue can be 3480 or 3.480 (2 such rows); "
            "say --decimal . for 3480, --decimal , for 3.480"
        ],
    ),
    Spoilt(
        "another decimal sign than was said",
        rows('"3,48"', "1.5", '"2,5"', "7"),
        ["row 3: '1.5' in column revenue does not fit --decimal , (1 such row); correct it"],
        options={"decimal": ","},
    ),
    Spoilt(
        "two currencies",
        rows("€ 3.48", '"$ 1,003.48"', "7", "8 €"),
        ["row 3: '$ 1,003.48' in column revenue is in USD, others in EUR (1 such row); convert them to one currency"],
    ),
    Spoilt(
        "some percents",
        rows("3.4%", "5 %", "6%", "0.07"),
        ["row 2: '3.4%' in column revenue has a percent sign (3 such rows), '0.07' has none (1); write them alike"],
    ),
    Spoilt(
        "a covariate of words",
        "unit,arm,revenue,before\nu0,a,1,2\nu1,b,2,none of it\nu2,a,3,\nu3,b,4,NA\n",
        [f"row 3: 'none of it' in column before is no number (1 such row); {CORRECT}"],
        options={"covariates": ["m=before"]},
    ),
]

LINES: Final = [
    Spoilt("nothing at all", "", ["t.csv is empty"]),
    Spoilt("a header alone", HEADER, ["t.csv has no rows below its header"]),
    Spoilt(
        "no header",
        "u0,a,1\nu1,b,2\nu2,a,3\n",
        [
            "t.csv has no column 'unit', no column 'arm', no column 'revenue'; row 1 names u0, a, 1; "
            "the first row must name the columns"
        ],
    ),
    Spoilt(
        "another name",
        rows(1, 2, 3, 4).replace("revenue", "Revenue ").replace("unit", "uid"),
        ["t.csv has no column 'unit', no column 'revenue' (did you mean 'Revenue'?); row 1 names uid, arm, Revenue"],
    ),
    Spoilt(
        "a column twice",
        "unit,arm,revenue,revenue\nu0,a,1,1\nu1,b,2,2\n",
        ["column 'revenue' stands twice (cells 3 and 4 of a row); rename one of them"],
    ),
    Spoilt(
        "a cell too many",
        rows(1, 2) + "\nu2,a,3,14\nu3,b,4\nu4,a,1,9\n",
        [
            "row 5: 4 cells where the header has 3 (2 such rows); put quotes around a cell that holds ',', "
            "such as a number with a decimal comma"
        ],
    ),
    Spoilt(
        "a row cut short",
        rows(1, 2, 3) + "u3,",
        [
            "row 5: 2 cells where the header has 3 (1 such row); the row is cut short, "
            "or a cell holds a line end without quotes"
        ],
    ),
    Spoilt(
        "row names without a name",
        '"unit";"arm";"revenue"\n"1";"u1";"a";1\n"2";"u2";"b";2\n"3";"u3";"a";3\n',
        [
            "row 2: 4 cells where the header has 3 (3 such rows); the column of row names has no name: "
            "write the table without them (R: row.names = FALSE)"
        ],
    ),
    Spoilt(
        "a quote that stays open",
        rows(1, 2) + 'u2,"a,3\nu3,b,4\n',
        ['row 4: a quote is opened and not closed, or a cell goes on after it; write a quote inside a cell twice ("")'],
    ),
    Spoilt(
        "two files in one",
        rows(1, 2, 3) + HEADER + "u8,a,1\n",
        [
            "row 5: the header stands here once more (1 such row); two tables were put together: remove the row",
        ],
    ),
    Spoilt(
        "sums below the table",
        rows(1, 2, 3, 4) + "Total,,10\n",
        ["row 6: an empty cell in column arm is no variant (1 such row); 'Total' is a row of sums: remove it"],
    ),
    Spoilt(
        "a spreadsheet",
        b"PK\x03\x04\x14\x00\x06\x00",
        ["t.xlsx is a spreadsheet (xlsx, ods) or a zip archive: save it as CSV"],
        file="t.xlsx",
    ),
    Spoilt(
        "an old spreadsheet, renamed",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ["t.csv is a spreadsheet of old Excel (xls): save it as CSV"],
    ),
    Spoilt("no text", b"unit,arm\x00\x01\x02", ["t.csv holds zero bytes, so that it is no text: save it as CSV UTF-8"]),
    Spoilt(
        "no text in any encoding",
        rows(1, 2).encode() + b"\x81\x8d,a,1\n",
        ["t.csv is neither UTF-8 nor UTF-16 nor Windows-1252 text: save it as CSV UTF-8"],
    ),
    Spoilt(
        "half a Parquet file",
        b"PAR1\x00\x00",
        ["t.parquet is no Parquet file that can be read; is it whole?"],
        file="t.parquet",
    ),
]

GROUPS: Final = [
    Spoilt(
        "variants that differ in capitals",
        HEADER + "u0,Blue,1\nu1,blue,2\nu2,Blue,3\nu3,red,4\nu4,blue ,4\n",
        ["variants 'Blue' (2 rows) and 'blue' (1) and 'blue ' (1) differ only in capitals or spaces; write them alike"],
    ),
    Spoilt("one variant", HEADER + "u0,a,1\nu1,a,2\n", ["t.csv has 1 variant (a) in column 'arm'; a test needs two"]),
    Spoilt(
        "no variant in some rows",
        HEADER + "u0,a,1\nu1,NULL,2\nu2,b,3\nu3,,4\n",
        [
            "row 3: 'NULL' in column arm is no variant (2 such rows); "
            "fill it in, or leave such rows out with --missing drop"
        ],
    ),
    Spoilt(
        "the wrong column as variant",
        HEADER + "".join(f"u{n},g{n:03},1\n" for n in range(200)),
        [
            "column 'arm' holds more than 50 different values (g000, g001, g002, …); "
            "name the column of the variant with --variant"
        ],
    ),
    Spoilt(
        "a control that is not there",
        rows(1, 2, 3, 4),
        [
            "control 'A' is no value of column 'arm', did you mean 'a'?; it has a, b",
            "weights name 'c', which is no variant; there are a, b",
            "weights leave out 'b'; name every variant: a, b",
        ],
        options={"control": "A", "weights": "a=1,c=1"},
    ),
    Spoilt(
        "units in several rows",
        REPEATED,
        [f"3 units stand in more than one row (8 rows; v17, v40, v41), 1 of them in both groups; {DUPLICATES}"],
    ),
    Spoilt(
        "ids that a spreadsheet cut short",
        HEADER + "1.23457E+12,a,1\n1.23457E+12,a,2\n2.34567E+12,b,3\n8.8E+11,b,1\n",
        [
            "1 unit stands in more than one row (2 rows; 1.23457E+12); 1.23457E+12 was cut short by a spreadsheet: "
            "export the ids as text"
        ],
    ),
    Spoilt(
        "units that are none",
        HEADER + "null,a,1\nnull,b,2\nu2,a,3\nu3,b,1\n",
        [
            "1 unit stands in more than one row (2 rows; null), 1 of them in both groups; "
            "'null' is no unit: leave its rows out"
        ],
    ),
    Spoilt(
        "no unit in some rows",
        HEADER + "u0,a,1\n,b,2\nu2,a,3\nu3,b,1\n",
        [
            "row 3: an empty cell in column unit is no unit (1 such row); "
            "fill it in, or leave such rows out with --missing drop"
        ],
    ),
    Spoilt(
        "a covariate that changes",
        "unit,arm,revenue,before\nu0,a,1,2\nu1,b,2,4\nu0,a,3,3\nu3,b,4,1\n",
        [
            "row 2: unit u0 has several values in column before; "
            "a covariate is what a unit brought before: the same in all of its rows"
        ],
        options={"covariates": ["m=before"], "events": True},
    ),
    Spoilt(
        "a dimension with a level each",
        "unit,arm,revenue,city\n" + "".join(f"u{n},{'ab'[n % 2]},1,c{n:03}\n" for n in range(200)),
        ["dimension 'city' has more than 100 levels (c000, c001, c002, …); put them into few classes first"],
        options={"dimensions": ["city"]},
    ),
    Spoilt(
        "more conversions than visitors",
        "arm,visitors,conversions\na,100,3\nb,5,70\nb,90,2.5\n",
        [
            "row 4: '2.5' in column conversions is no count (1 such row); write whole numbers from 0",
            "row 3: '70' conversions are more than there are visitors (1 such row); "
            "is s=proportion:visitors/conversions meant?",
        ],
        **COUNTS,
    ),
]

TABLES: Final = [*CELLS, *LINES, *GROUPS]
