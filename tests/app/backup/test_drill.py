"""The lines of docs/backup.md do what they say."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.writing import record
from servers.patience import VAIN_SECONDS
from servers.service import write_definitions
from worlds.event_log import received, write_log

from app.backup.making import make_backup
from app.runtime.settings import load_settings
from events.deletes.erased_rows import tombstone
from events.privacy.journal import ErasureJournal
from experiments.catalog.publisher import CatalogKeeper

DOCUMENT = Path(__file__).parents[3] / "docs" / "backup.md"


def lines_of(heading: str) -> str:
    """The first lines for a shell below a heading, as they stand there."""
    found = re.search(rf"^## {heading}\n.*?^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A backup of three events, after which one of the three people was erased."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    (tmp_path / "backups").mkdir()
    write_log(data, received([record(f"m-{number}", f"v-{number}") for number in range(3)]))
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    CatalogKeeper(definitions, data, lambda: datetime.now(UTC)).boot()
    journal = ErasureJournal(elsewhere / "erasures.ndjson")
    journal.prepare(data)
    settings = {"RESONATE_DATA": str(data), "RESONATE_ERASURE_JOURNAL": str(journal.path)}
    make_backup(load_settings(settings), tmp_path / "backups" / "2026-11-29")
    journal.append([tombstone("visitor", "v-1", {0: 1 << 62}, 1)])
    return tmp_path


def run(place: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """What these lines come to in `place`, where nothing is set and the folders of the document are."""
    here = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    environment["PATH"] = f"{here}:{environment['PATH']}"
    return subprocess.run(
        ["sh", "-e", "-c", re.sub(r"(?<=[ \"=])/(backups|drill|elsewhere|etc)\b", rf"{place}/\1", lines)],
        env=environment, cwd=place, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False,
    )  # fmt: skip


def test_the_drill_says_how_many_events_came_back(place: Path) -> None:
    done = run(place, lines_of("The drill"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "2"
    assert "1 ids were erased since" in done.stdout


def test_the_line_for_cron_makes_the_backup_of_the_day(place: Path) -> None:
    """Its file of variables is the one that systemd and containers read too, so nothing in it is exported."""
    (place / "backups" / "2026-11-29").rename(place / "elsewhere" / "2026-11-29")
    (place / "data").rename(place / "elsewhere" / "data")  # where nobody looks who is not told
    (place / "etc").mkdir()
    (place / "etc" / "resonate.env").write_text(f"RESONATE_DATA={place}/elsewhere/data\n")
    command = lines_of("Nightly").split(None, 5)[5].replace(r"\%", "%")  # as cron hands it to the shell
    done = run(place, command)
    assert done.returncode == 0, done.stderr
    (made,) = (place / "backups").glob("*/manifest.json")
    assert datetime.strptime(made.parent.name, "%Y-%m-%d").replace(tzinfo=UTC) <= datetime.now(UTC)
