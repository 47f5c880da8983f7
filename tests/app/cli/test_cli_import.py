"""`resonate import` from the command line: what it refuses, and what a person reads of what it takes."""

import json
import subprocess
import sys
from pathlib import Path

from servers.patience import VAIN_SECONDS

ORDERS = """Bestellungen im Januar;;;
;;;
Kunde;Gruppe;Umsatz;Gerät
k1;control;3,48 €;phone
k2;b;1.003,20 €;desk
k3;control;n/a;phone
k3;b;7,00 €;phone
k4;control;5,00 €;desk
k5;b;1,00 €;phone
k5;b;2,00 €;phone
"""


def imported(folder: Path, *options: str, metric: str = "umsatz=mean:Umsatz") -> subprocess.CompletedProcess[str]:
    table = folder / "orders.csv"
    table.write_bytes(ORDERS.encode("cp1252"))
    columns = ("--experiment", "shop", "--unit", "Kunde", "--variant", "Gruppe", "--metric", metric)
    command = [sys.executable, "-P", "-m", "app.cli.main", "import", str(table), *columns, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False)


def test_all_that_is_wrong_is_told_on_standard_error(tmp_path: Path) -> None:
    refused = imported(tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        "row 6: 'n/a' in column Umsatz is no number (1 such row); "
        "drop them with --missing drop, or count them as --missing 0",
        "2 units stand in more than one row (4 rows; k3, k5), 1 of them in both groups; "
        "say --duplicates first, last, sum or drop, or --events if each row is an event",
    ]


def test_what_a_request_lacks_is_told_at_once(tmp_path: Path) -> None:
    refused = imported(tmp_path, "--method", "planned", "--alpha", "5", metric="umsatz=maen:Umsatz")
    assert refused.returncode == 1
    assert [line.partition(" ")[0] for line in refused.stderr.splitlines()] == ["method", "alpha", "metric"]


def test_a_person_reads_how_the_table_was_taken_and_each_level(tmp_path: Path) -> None:
    done = imported(tmp_path, "--missing", "0", "--events", "--dimension", "Gerät")
    assert done.returncode == 0, done.stderr
    for said in (
        "left out: 1 in several groups",
        "The file orders.csv is no UTF-8 (byte 0xe4 in row 3): it was read as Windows-1252",
        "Row 3 names the columns; what stands above it was left out.",
        "Column Umsatz: '3,48 €' was read as 3.48.",
        "umsatz, Gerät desk (exploratory)",
        "umsatz, Gerät phone (exploratory)",
    ):
        assert said in " ".join(done.stdout.split())


def test_a_machine_reads_the_same(tmp_path: Path) -> None:
    done = imported(tmp_path, "--missing", "drop", "--duplicates", "last", "--json")
    found = json.loads(done.stdout)
    assert [(arm["variant"], arm["units"], arm["value"]) for arm in found["metrics"][0]["arms"]] == [
        ("control", 2, 4.24),
        ("b", 2, 502.6),
    ]
    excluded = found["health"]["excluded"]
    assert (excluded["missing"], excluded["both_groups"]) == (
        1,
        1,
    )  # k3, though one of its rows went for lack of a number
