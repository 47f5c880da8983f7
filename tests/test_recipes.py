"""Every recipe is true: its files pass the check, its calls are answered and its visitors see what it says."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from servers.patience import HUNG_SECONDS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY
from worlds.recipes import GUIDES, RECIPES, ROOM, files_of, steps_of

from experiments.catalog.check import check_folder

NAMES = {
    *("headline-by-path", "banner-by-cart-value", "exit-intent-by-country", "price-by-user", "e-mail", "chat"),
    *("guarded-checkout", "ramp-by-dates", "two-exclusive-tests", "redirect", "recommendation-strategy"),
}
HELPDESK = "helpdesk"  # no experiment: it maps the events of others
WITH_CALLS = [name for name in RECIPES if steps_of(name)]


def contains(answer: Any, part: Any) -> bool:
    """Whether an answer has all that is said of it."""
    if isinstance(part, dict):
        return isinstance(answer, dict) and all(name in answer and contains(answer[name], part[name]) for name in part)
    return answer == part


def documents(text: str) -> list[Any]:
    """The JSON documents that a text has, one behind the other."""
    found: list[Any] = []
    rest = text.strip()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def test_the_recipes_are_these_and_each_is_short() -> None:
    assert set(RECIPES) | {HELPDESK} == NAMES | {HELPDESK}
    assert {name for name in NAMES if len(GUIDES[name].splitlines()) > 80} == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_files_of_a_recipe_pass_the_check(name: str, tmp_path: Path) -> None:
    for file, text in files_of(name).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    result = check_folder(tmp_path, datetime.now(UTC))
    assert result.errors == ()
    assert result.experiments >= 1


def test_a_mistake_in_a_recipe_is_seen(tmp_path: Path) -> None:
    [(file, text)] = files_of("headline-by-path").items()
    (tmp_path / file).write_text(text.replace("- control ", "- question "), encoding="utf-8")
    assert check_folder(tmp_path, datetime.now(UTC)).errors


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: `make test-tools` installs it by apt as root")
@pytest.mark.parametrize("name", WITH_CALLS)
def test_the_calls_of_a_recipe_are_answered_as_it_says(name: str, start_service) -> None:
    service = start_service(files_of(name), RESONATE_WORKERS="1")
    named = {"SERVICE": service.url, "PUBLISHABLE_KEY": PUBLISHABLE_KEY, "SECRET_KEY": SECRET_KEY}
    for call, promised in steps_of(name):
        done = subprocess.run(
            ["sh", "-ec", call],
            env=os.environ | named,
            capture_output=True,
            text=True,
            timeout=HUNG_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{call}\n{done.stdout}{done.stderr}"
        assert '"rejected"' not in done.stdout, done.stdout
        if promised is not None:
            answers, parts = documents(done.stdout), documents(promised)
            assert len(answers) == len(parts)
            for answer, part in zip(answers, parts, strict=True):
                assert contains(answer, part), f"{answer}\n{part}"


def test_every_recipe_has_a_visitor() -> None:
    """Those without calls have their test in a browser."""
    in_pages = (Path(__file__).parent / "browser/test_recipes.py").read_text(encoding="utf-8")
    opened = set(re.findall(r'recipe\("([\w-]+)"', in_pages))
    assert opened | set(WITH_CALLS) >= NAMES
    assert ROOM.is_dir()
