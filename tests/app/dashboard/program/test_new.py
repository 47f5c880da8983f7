"""From an empty form to a draft that is served, on a service of two workers: what is refused loses nothing typed."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import OneWorker
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, write_definitions
from worlds.filled_shops import FILES, HOSTILE

from app.dashboard.saying import GLUE
from app.keys.audit import Actor, Audit, Wanted
from experiments.drafts.form import MOST_CONDITIONS, MOST_GUARDRAILS, MOST_VARIANTS
from experiments.drafts.keeping import text_digest

NEW = "/dashboard/new"
WRONG = re.compile(r'<span class="wrong" id="([^"]+)-wrong">([^<]+)</span>')
SMALLEST = {"v0_key": "control", "v1_key": "offer", "v1_payload": "text: 10 % off", "goal": "purchase_rate"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("drafted")
    service = Service(root / "data", write_definitions(root / "definitions", FILES), {"RESONATE_WORKERS": "2"})
    try:
        yield service.start()
    finally:
        service.end()


@pytest.fixture(scope="module")
def ada(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "editor", "ada@shop.example") as visitor:
        yield visitor


@pytest.fixture
def folder(shop: Service) -> Path:
    return shop.definitions


def wrong(html: str) -> dict[str, str]:
    """What is said beside fields."""
    return {name: unescape(text).replace(GLUE, " ") for name, text in WRONG.findall(html)}


def value(html: str, name: str) -> str:
    found = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"|<textarea id="{name}"[^>]*>\n([^<]*)<', html)
    assert found is not None, name
    return unescape(found[1] if found[1] is not None else found[2])


def test_a_draft_that_passes_the_check_is_a_file_and_is_there_when_its_page_opens(
    shop: Service, ada: Visitor, folder: Path
) -> None:
    fields = {"key": "ten-off", "name": "10 % off", "owner": "ada@shop.example", **SMALLEST}
    answer = ada.post(f"{NEW}/save", page=NEW, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/experiments/ten-off")
    opened = ada.get("/dashboard/experiments/ten-off")
    assert (opened.status_code, "Edit the draft" in opened.text) == (200, True)
    text = (folder / "ten-off.yaml").read_text()
    assert "status: draft" in text
    assert "payload: {text: 10 % off}" in text
    (line,) = [
        each for each in Audit(shop.data).page(None, 1_000, Wanted(frozenset(["ten-off"])))[0] if each.act == "draft"
    ]
    assert (line.actor, line.before, line.after["file"]) == (Actor("person", "ada@shop.example"), None, "ten-off.yaml")


def test_what_is_wrong_stands_beside_its_field_in_the_words_of_the_check_and_nothing_is_written(
    shop: Service, ada: Visitor, folder: Path
) -> None:
    fields = {**SMALLEST, "key": "wrong-one", "goal": "purchase_rat", "traffic": "120%", "v1_weight": "much"}
    for act, status in (("check", 200), ("save", 409)):
        answer = ada.post(f"{NEW}/{act}", page=NEW, **fields)
        assert answer.status_code == status
        said = wrong(answer.text)
        assert said["goal"] == 'unknown metric "purchase_rat", did you mean "purchase_rate"?'
        assert {"traffic", "v1_weight"} <= said.keys()
        assert {name: value(answer.text, name) for name in fields} == fields
    assert not (folder / "wrong-one.yaml").exists()
    (folder / "wrong-one.yaml").write_text(unescape(re.search(r"<pre[^>]*><code>(.*?)</code>", answer.text, re.S)[1]))  # type: ignore[index]
    try:

        def told() -> bool:
            page = unescape(ada.get("/dashboard").text).replace(GLUE, " ")
            return all(text in page for text in said.values())

        until(told, "the mistakes of the file are told in the same words", tell=shop.told)
    finally:
        (folder / "wrong-one.yaml").unlink()
    until(lambda: "wrong-one" not in ada.get("/dashboard").text, "the mistakes are gone", tell=shop.told)


def test_a_key_that_is_taken_or_leads_elsewhere_is_refused_with_what_was_typed(ada: Visitor, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for key in ("banner", "shop", "../ten", "a/b", "Ten", "", "x" * 101):
        answer = ada.post(f"{NEW}/save", page=NEW, key=key, name="Kept", **SMALLEST)
        assert answer.status_code == 409, key
        assert "key" in wrong(answer.text), key
        assert (value(answer.text, "name"), value(answer.text, "v1_payload")) == ("Kept", "text: 10 % off")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_of_editors_who_save_the_same_key_at_once_one_succeeds_and_nobody_loses_anything(
    shop: Service, folder: Path
) -> None:
    def save(number: int) -> tuple[int, str]:
        with signed_in_visitor(shop.url, shop.data, "editor", f"editor-{number}@shop.example") as editor:
            answer = editor.post(f"{NEW}/save", page=NEW, key="at-once", name=f"Of {number}", **SMALLEST)
            return answer.status_code, answer.text

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(save, range(4)))
    assert sorted(status for status, _ in answers) == [303, 409, 409, 409]
    for number, (status, html) in enumerate(answers):
        if status == 303:
            assert f"name: Of {number}\n" in (folder / "at-once.yaml").read_text()
        else:
            assert value(html, "name") == f"Of {number}"


def test_a_draft_is_opened_again_and_saved_over_what_a_page_wrote_alone(ada: Visitor, folder: Path) -> None:
    ada.post(f"{NEW}/save", page=NEW, key="again", name="First", **SMALLEST)
    page = ada.get(f"{NEW}?draft=again").text
    seen = re.search(r'name="seen" value="(\w+)"', page)
    assert seen is not None
    told = {"draft": "again", "seen": seen[1], "key": "elsewhere", **SMALLEST}  # the key of a file stays
    assert value(page, "name") == "First"
    assert ada.post(f"{NEW}/save", page=NEW, name="Second", **told).status_code == 303
    assert "name: Second\n" in (folder / "again.yaml").read_text()
    assert not (folder / "elsewhere.yaml").exists()
    unchanged = {**told, "name": "Second", "seen": text_digest((folder / "again.yaml").read_text())}
    assert ada.post(f"{NEW}/save", page=NEW, **unchanged).status_code == 303
    late = ada.post(f"{NEW}/save", page=NEW, name="Third", **told)
    assert (late.status_code, value(late.text, "name")) == (409, "Third")
    assert "saved another version of again.yaml" in late.text
    (folder / "again.yaml").write_text((folder / "again.yaml").read_text() + "# by hand\n")
    by_hand = ada.get(f"{NEW}?draft=again").text
    assert "changed by hand" in by_hand
    assert "formaction" in by_hand
    assert f'formaction="{NEW}/save"' not in by_hand


@pytest.mark.parametrize("key", ["banner", "draft"])
def test_a_file_that_no_page_wrote_is_shown_and_never_written(ada: Visitor, folder: Path, key: str) -> None:
    before = (folder / f"{key}.yaml").read_text()
    page = ada.get(f"{NEW}?draft={key}").text
    assert "was not written by a page" in page
    assert f"{NEW}/save" not in page
    answer = ada.post(f"{NEW}/save", page=NEW, draft=key, seen="x", name="Mine now", **SMALLEST)
    assert answer.status_code == 409
    assert (folder / f"{key}.yaml").read_text() == before


def test_the_folder_that_cannot_be_written_offers_the_download(ada: Visitor, shop: Service, folder: Path) -> None:
    fields = {"key": "read-only", "name": "Kept", **SMALLEST}
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_text("no folder")  # whoever runs the tests may write anywhere
    try:
        refused = ada.post(f"{NEW}/save", page=NEW, **fields)
        assert refused.status_code == 409
        assert value(refused.text, "name") == "Kept"
        file = ada.post(f"{NEW}/download", page=NEW, **fields)
    finally:
        folder.unlink()
        aside.rename(folder)
    assert file.headers["content-disposition"] == 'attachment; filename="read-only.yaml"'
    assert "\nkey: read-only " in file.text


def test_a_form_of_a_megabyte_is_a_page_that_says_so(ada: Visitor) -> None:
    for size in (300_000, 1_000_000):
        answer = ada.post(f"{NEW}/check", page=NEW, key="large", v0_payload="x" * size)
        assert (answer.status_code, "<h1" in answer.text) == (413, True)


def test_a_field_with_thousands_of_mistakes_names_ten_of_them(ada: Visitor) -> None:
    answer = ada.post(f"{NEW}/check", page=NEW, key="large", v0_key="control", v0_payload="a: 1\n" * 20_000)
    assert answer.status_code == 200
    said = wrong(answer.text)["v0_payload"]
    assert said.startswith('line 2: "a" stands twice (first in line 1), keep one; line 3: ')
    assert said.endswith('line 11: "a" stands twice (first in line 1), keep one; 19989 more')


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_texts_are_text_on_the_page_and_in_the_file(ada: Visitor, hostile: str) -> None:
    fields = dict.fromkeys(
        ("name", "owner", "hypothesis", "v0_payload", "goal", "c0_name", "c0_value", "layer"), hostile
    )
    answer = ada.post(f"{NEW}/check", page=NEW, key="hostile", **{**fields, "draft": "", "get": hostile})
    assert answer.status_code == 200
    assert answer.text.count("<script") == 1
    assert "<img" not in answer.text


def test_a_plan_of_the_calculator_is_in_the_form(ada: Visitor) -> None:
    html = ada.get(f"{NEW}?metric=purchase_rate&lift=0.05&days=28&method=planned&looks=4&weights=90,10").text
    assert {name: value(html, name) for name in ("goal", "mde", "days", "looks", "v0_weight", "v1_weight")} == {
        "goal": "purchase_rate", "mde": "5%", "days": "28", "looks": "4", "v0_weight": "90", "v1_weight": "10"
    }  # fmt: skip


def test_who_only_looks_is_offered_no_form(shop: Service, folder: Path) -> None:
    with signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        assert viewer.get(NEW).status_code == 403
        assert NEW not in viewer.get("/dashboard").text
        assert viewer.post(f"{NEW}/save", key="viewers", **SMALLEST).status_code == 403
    assert not (folder / "viewers.yaml").exists()


def test_a_check_that_cannot_be_asked_loses_nothing_and_nothing_is_written(
    worker: OneWorker, signed_in_as: Any
) -> None:
    editor: Visitor = signed_in_as("editor")  # of a worker whose analysis is away
    for act in ("check", "save"):
        answer = editor.post(f"{NEW}/{act}", page=NEW, key="away", name="Kept", **SMALLEST)
        assert (answer.status_code, value(answer.text, "name")) == (503, "Kept")
        assert "could not be checked now" in answer.text
    assert not (worker.settings.definitions / "away.yaml").exists()


def test_a_form_with_every_row_is_a_small_page(ada: Visitor) -> None:
    fields = {f"v{row}_key": f"variant-{row}" for row in range(MOST_VARIANTS)}
    fields |= {f"c{row}_name": "device" for row in range(MOST_CONDITIONS)}
    fields |= {f"g{row}_metric": "refund_rate" for row in range(MOST_GUARDRAILS)}
    answer = ada.post(f"{NEW}/check", page=NEW, key="large", **fields)
    assert (answer.status_code, wrong(answer.text)["g1_harm"].startswith("is missing")) == (200, True)
    assert len(answer.text.encode()) <= 60_000
