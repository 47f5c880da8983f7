"""The log's folder is built and listed by the rooms that keep it; everybody else is given what it holds."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
KEEPERS = ("events/parts/", "events/deletes/", "events/writer/", "events/log/")
READ_PAST_THE_READER = {"events/engines/duckdb.py", "events/privacy/person.py"}
TOUCHES_THE_FOLDER = re.compile(
    r"/ (\"log\"|_?LOG\b)|_LOG\b.*= \"log\"|"
    r"(?<!def )\b(FolderListing|PartListing|date_folders?|live_parts|PartName|survey)\("
)


def touching(texts: dict[str, str]) -> set[str]:
    return {place for place, text in texts.items() if not place.startswith(KEEPERS) and TOUCHES_THE_FOLDER.search(text)}


def test_only_the_keepers_of_the_log_build_or_list_its_paths() -> None:
    folders = ("app", "events", "experiments", "kit", "recommender")
    paths = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")]
    texts = {str(path.relative_to(REPOSITORY)): path.read_text() for path in paths}
    assert len(texts) > 100
    assert touching(texts) <= READ_PAST_THE_READER


def test_a_path_that_is_built_elsewhere_is_seen() -> None:
    planted = ['folder = data / "log"', "parts = live_parts(folder)", "FolderListing(folder).files()", "data / LOG"]
    assert touching({f"app/{number}.py": text for number, text in enumerate(planted)}) == {
        f"app/{number}.py" for number in range(len(planted))
    }
