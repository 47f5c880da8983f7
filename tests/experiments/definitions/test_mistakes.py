"""Every mistake of the corpus is answered with its exact lines: file, line, what is wrong, what would be right."""

from pathlib import Path

import pytest
from worlds.definition_mistakes import Mistake, mistakes

from experiments.definitions.folder import read_folder, read_sources

CORPUS = mistakes()


@pytest.mark.parametrize("mistake", CORPUS, ids=[mistake.name for mistake in CORPUS])
def test_a_mistake_is_answered_with_these_lines(mistake: Mistake) -> None:
    reading = read_sources({name: text.encode() for name, text in mistake.files.items()})
    assert [str(error) for error in reading.errors] == list(mistake.errors)
    assert reading.content is None


def test_the_corpus_is_wide_and_says_everything_once() -> None:
    assert len(CORPUS) >= 60
    assert len({mistake.name for mistake in CORPUS}) == len(CORPUS)


def test_all_mistakes_of_all_files_come_at_once() -> None:
    files: dict[str, str] = {}
    expected: list[str] = []
    for number, mistake in enumerate(CORPUS):
        text = mistake.files.get("banner.yaml")
        if text and len(mistake.files) == 1 and "key: banner\n" in text:
            files[f"banner-{number}.yaml"] = text.replace("key: banner\n", f"key: banner-{number}\n")
            expected += [line.replace("banner.yaml", f"banner-{number}.yaml", 1) for line in mistake.errors]
    reading = read_sources({name: text.encode() for name, text in files.items()})
    assert len(files) > 60
    assert sorted(str(error) for error in reading.errors) == sorted(expected)


def test_a_file_that_is_too_large_is_told_by_its_own_size(tmp_path: Path) -> None:
    (tmp_path / "banner.yaml").write_text("key: banner\n" + "# long\n" * 100_000)
    [error] = read_folder(tmp_path).errors
    assert str(error) == "banner.yaml:1: 700,012 bytes, a definition file may have 256,000"
