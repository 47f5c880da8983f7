"""The guides are served as they were written; what a list or a guide leads to is answered."""

import re
from pathlib import Path

import pytest
from servers.one_worker import OneWorker

from app.management.guides import guides, text_of

DOCS = Path(__file__).parents[3] / "docs"
LINK = re.compile(r"\]\((?:https?://[^/)]+)?(/[^)\s]*)\)")


def test_every_guide_is_served_as_markdown_and_listed_once_with_its_first_sentence(worker: OneWorker) -> None:
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    with worker.client(None) as client:
        listed = client.get("/llms.txt")
        assert listed.headers["content-type"] == "text/plain; charset=utf-8"
        paths = LINK.findall(listed.text)
        assert {path.removeprefix("/guides/") for path in paths if path.startswith("/guides/")} == written
        assert len(paths) == len(set(paths)) == len(written) + 2
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            if path.endswith(".md"):
                assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
                assert answer.text.startswith("# "), path
    lines = [line for line in listed.text.splitlines() if "/guides/" in line]
    assert [line for line in lines if not re.fullmatch(r"- \[[^]]{5,}\]\(\S+\): .{15,400}", line)] == []
    assert listed.text.startswith("# Resonate\n\n> ")


@pytest.mark.parametrize("name", guides())
def test_what_a_guide_leads_to_is_a_guide_or_elsewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", re.sub(r"`[^`\n]*`", "", text_of(name))):
        place = (DOCS / name).parent / target
        assert "://" in target or (place.is_file() and place.suffix == ".md"), target


def test_a_link_out_of_the_guides_becomes_its_words() -> None:
    assert "](images/" in (DOCS / "dashboard.md").read_text()
    assert "](images/" not in text_of("dashboard")
    assert "](glossary.md)" in text_of("dashboard")


def test_what_is_no_guide_is_refused_and_names_one(worker: OneWorker) -> None:
    with worker.client(None) as client:
        refused = client.get("/guides/statistic.md")
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_guide")
        assert "did you mean statistics?" in refused.json()["detail"]
        for path in ("/guides/..%2F..%2FREADME.md", "/guides/%2Fetc%2Fpasswd.md", "/guides/decisions.md", "/guides/"):
            assert client.get(path).status_code == 404, path
