"""What the documents name is there: every file, every module, every stop of a journey."""

import re
import subprocess
from pathlib import Path

import pytest
from screenshots import PICTURES

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("app", "benchmarks", "docs", "events", "examples", "experiments", "kit", "recommender", "scripts", "tests")
FILES = {f"/{file.relative_to(REPOSITORY)}" for name in FOLDERS for file in (REPOSITORY / name).rglob("*.*")}
FILES |= {f"/{file.name}" for file in REPOSITORY.iterdir()}
DOCUMENTS = sorted(name.removeprefix("/") for name in FILES if name.endswith(".md"))
FILE = re.compile(r"(?<![\w/.-])(?:\.\./)*((?:[\w.-]+/)*[\w-]+\.(?:js|lock|lua|md|py|sh|sql))\b")
MODULE = re.compile(rf"(?<![\w/.-])((?:{'|'.join(FOLDERS)})(?:\.(?!md\b)[a-z_]\w*)+)\b(?!/)")
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?!https?:|mailto:)([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
STOP = re.compile(r"`([\w/]+\.py)` → `([\w.]+)`(?: → `([\w.]+)`)?")


def missing(text: str) -> list[str]:
    """The files and modules that a text names and that are nowhere; a file may go by the end of its path."""
    files = [name for name in FILE.findall(text) if not any(file.endswith(f"/{name}") for file in FILES)]
    named = [name for name in MODULE.findall(text) if not name.endswith(".md")]
    modules = [name for name in named if f"/{'/'.join(name.split('.'))}.py" not in FILES]
    return [*files, *(name for name in modules if f"/{'/'.join(name.split('.')[:-1])}.py" not in FILES)]


def undefined(text: str) -> list[str]:
    """The stops whose file does not define them."""
    stops = [(file, name) for file, *names in STOP.findall(text) for name in names if name]
    parts = [(file, part) for file, name in stops for part in name.split(".")]
    return [f"{file} {part}" for file, part in parts if not defines((REPOSITORY / file).read_text(), part)]


def defines(code: str, name: str) -> bool:
    return re.search(rf"^ *(?:async )?(?:def|class) {name}\b", code, re.MULTILINE) is not None


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(BLOCK.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def dead_links(name: str) -> list[str]:
    """The links of a document that lead to no file, or to no heading of one."""
    found: list[str] = []
    for link in LINK.findall(BLOCK.sub("", (REPOSITORY / name).read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


def pictures(name: str) -> list[Path]:
    """The pictures that a document shows, wherever they are."""
    return [(REPOSITORY / name).parent / shown for shown in PICTURE.findall((REPOSITORY / name).read_text())]


def test_every_picture_that_a_document_shows_is_there_and_small_and_no_other_is() -> None:
    shown = {file.resolve() for name in DOCUMENTS for file in pictures(name)}
    made = {file.resolve() for file in (REPOSITORY / "docs/images").glob("*")}
    assert made == shown
    assert 0 < len(made) <= 12
    for file in made:
        head = file.read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert (int.from_bytes(head[16:20]), file.stat().st_size <= 150_000) == (1_200, True), file.name


def test_the_pictures_are_those_that_are_made() -> None:
    assert {f"{name}.png" for name in PICTURES} == {file.name for file in (REPOSITORY / "docs/images").glob("*")}


def test_what_is_kept_and_no_text_is_a_picture_or_the_sample_of_a_format() -> None:
    """So that what some tool left in the folder is in no commit."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("no repository: nobody says what is kept")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    kept = [REPOSITORY / name for name in listed.split("\0") if name]
    binary = {path.relative_to(REPOSITORY).as_posix() for path in kept if path.is_file() and b"\0" in path.read_bytes()}
    assert {name for name in binary if not name.startswith(("docs/images/", "tests/worlds/formats/"))} == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_and_module_that_a_document_names_is_there(name: str) -> None:
    assert missing((REPOSITORY / name).read_text()) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_to_a_file_and_to_a_heading_of_it(name: str) -> None:
    assert dead_links(name) == []


def test_an_anchor_is_made_of_its_heading_as_where_it_is_read() -> None:
    text = "# What is `read`, and what not?\n## People, roles: sessions\n```\n# no heading\n```\n"
    assert anchors(text) == {"what-is-read-and-what-not", "people-roles-sessions"}


def test_every_stop_of_a_journey_is_defined_where_it_is_said_to_be() -> None:
    text = (REPOSITORY / "docs/journeys.md").read_text()
    assert len(STOP.findall(text)) > 30
    assert undefined(text) == []


def test_a_name_that_leads_nowhere_is_seen() -> None:
    text = "`events/store/salvage.py`, [why](docs/because.md), `python -m benchmarks.nothing`, `app/main.py`, kit.files"
    assert missing(text) == ["events/store/salvage.py", "docs/because.md", "benchmarks.nothing"]
    assert undefined("`app/main.py` → `create_app` → `nowhere`") == ["app/main.py nowhere"]
