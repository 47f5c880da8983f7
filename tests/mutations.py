"""Planted faults, each of which must turn a test red: a gate that cannot fail is no gate.

    python tests/mutations.py [NAME …]

Each mutation is made in a copy of the repository, never in the repository itself; its tests run there. The copy has the
repository's node_modules, and of a fault in the tag's source its tag is built anew. Prints a line for each and ends
with 1 unless all turned red. docs/reliability.md has the list with what was measured.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from oracles.proving import PLANTED
from planted.answers import ANSWERS
from planted.backups import BACKUPS
from planted.consent import CONSENT
from planted.customers import CUSTOMERS
from planted.decisions import DECISIONS, refusals
from planted.delivery import DELIVERY
from planted.dialects import DIALECTS
from planted.disks import DISKS
from planted.drafts import DRAFTS
from planted.experience import EXPERIENCE
from planted.experiments import EXPERIMENTS
from planted.fault import Mutation
from planted.formats import FORMATS
from planted.guides import GUIDES
from planted.intake import INTAKE
from planted.keys import KEYS
from planted.limits import LIMITS
from planted.packages import PACKAGES
from planted.pages import PAGES
from planted.people import PEOPLE
from planted.privacy import PRIVACY
from planted.probes import PROBES
from planted.publishing import PUBLISHING
from planted.refusals import ARRIVALS
from planted.reports import REPORTS
from planted.rooms import ROOMS
from planted.scripts import SCRIPTS
from planted.service import SERVICE
from planted.stores import STORES
from planted.surveys import SURVEYS
from planted.tag import TAG
from planted.trust import TRUST
from planted.visitors import VISITORS
from planted.watching import WATCHING
from planted.webhooks import WEBHOOKS

REPOSITORY = Path(__file__).parents[1]
LEFT_OUT = (".git", ".venv", "data", "demo-data", "node_modules", "__pycache__", ".hypothesis", ".ruff_cache")
TAG_SOURCE = "app/tag/source/"
LONGEST_SECONDS = 170.0

MUTATIONS: Mapping[str, Mutation] = {
    **SERVICE,
    **STORES,
    **DECISIONS,
    **TRUST,
    **FORMATS,
    **KEYS,
    **PRIVACY,
    **BACKUPS,
    **ANSWERS,
    **GUIDES,
    **CONSENT,
    **CUSTOMERS,
    **VISITORS,
    **TAG,
    **SCRIPTS,
    **PUBLISHING,
    **PROBES,
    **LIMITS,
    **DIALECTS,
    **INTAKE,
    **ARRIVALS,
    **PAGES,
    **ROOMS,
    **PEOPLE,
    **EXPERIENCE,
    **SURVEYS,
    **EXPERIMENTS,
    **DELIVERY,
    **REPORTS,
    **DISKS,
    **PACKAGES,
    **DRAFTS,
    **WATCHING,
    **WEBHOOKS,
    **dict(refusals()),
}


def misplaced(mutation: Mutation) -> list[str]:
    """The edits whose text does not stand exactly once in its file: the code moved on, the mutation must follow."""
    return [
        f"{edit.file}: {edit.before!r}"
        for edit in mutation.edits
        if (REPOSITORY / edit.file).read_text().count(edit.before) != 1
    ]


def turns_red(mutation: Mutation) -> str | None:
    """The test that failed with the fault in place and why, or None: the gate would have let it through."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "resonate"
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (Path(folder) / "shared").symlink_to(REPOSITORY.parent / "shared")
        (copy / "node_modules").symlink_to(REPOSITORY / "node_modules")
        for edit in mutation.edits:
            path = copy / edit.file
            path.write_text(path.read_text().replace(edit.before, edit.after))
        if any(edit.file.startswith(TAG_SOURCE) for edit in mutation.edits):
            subprocess.run(["node", "scripts/build-tag.mjs"], cwd=copy, check=True)
        try:
            return _failure(copy, mutation.tests)
        finally:
            _end_all_of(copy)


def _failure(copy: Path, tests: Sequence[str]) -> str | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "--hypothesis-profile", PLANTED, *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "400", "TESTS_VAIN_SECONDS": "60"}
    try:
        ran = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{tests[0]} (hung)"
    failed = [line.partition(" ")[2] for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if ran.returncode not in (0, 1) or (ran.returncode == 1 and not failed):
        raise RuntimeError(ran.stdout + ran.stderr)
    return failed[0] if failed else None


def _end_all_of(copy: Path) -> None:
    """A fault may leave processes behind: those that work in the copy, which is nobody else's."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(copy):
                process.kill()


def main(names: Sequence[str]) -> int:
    """Runs the chosen mutations, or all."""
    survived = 0
    if unknown := sorted({*names} - {*MUTATIONS}):
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(MUTATIONS)}")
    for name in names or MUTATIONS:
        began = time.monotonic()
        red = turns_red(MUTATIONS[name])
        survived += red is None
        outcome = f"red    {red}" if red else "GREEN  nothing noticed it"
        print(f"{name:20} {time.monotonic() - began:5.0f} s  {outcome}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
