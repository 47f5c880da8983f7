"""Every mistake in what variants change on pages is answered by `resonate check`, at its line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from worlds.definition_mistakes import PAGES, Mistake, mistakes

from experiments.catalog.check import check_folder
from experiments.definitions.folder import read_sources
from experiments.page.redirects import address_mistake_of

CORPUS = mistakes(PAGES)
NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("mistake", CORPUS, ids=[mistake.name for mistake in CORPUS])
def test_a_mistake_is_answered_with_these_lines_and_is_served_all_the_same(mistake: Mistake, tmp_path: Path) -> None:
    for name, text in mistake.files.items():
        (tmp_path / name).write_text(text)
    result = check_folder(tmp_path, NOW)
    assert [str(error) for error in result.errors] == list(mistake.errors)
    assert not result.passed
    assert read_sources({name: text.encode() for name, text in mistake.files.items()}).errors == ()


@pytest.mark.parametrize(
    "address",
    ["////evil.example/x", "///evil.example", "/\\/evil.example", "https:////evil.example", "/\t//evil.example"],
)
def test_however_many_slashes_stand_before_a_host_it_is_that_host(address: str) -> None:
    mistake = address_mistake_of(address, ["shop.example"])
    assert mistake is not None
    assert mistake.startswith("evil.example is no host of the shop")
