"""Links to reports by people: who may make them, that they open, and that they end when they are taken back."""

import html
import re
from collections.abc import Iterator

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, running

BANNER = "free-shipping-banner"
ADDRESS = re.compile(r'<a href="([^"]*/share/[^"]*)">')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("shop"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="1") as service:
        yield service


@pytest.fixture
def editor(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "editor") as visitor:
        yield visitor


def made(editor: Visitor, **fields: str) -> httpx.Response:
    return editor.post("/dashboard/shares/new", "/dashboard/shares", **({"experiment": BANNER, "days": "7"} | fields))


def kept(shop: Service) -> list[dict[str, str]]:
    with shop.client() as client:
        return client.get("/v1/shares").json()["shares"]


def test_an_editor_makes_a_link_that_is_shown_once_opens_without_signing_in_and_ends(
    shop: Service, editor: Visitor
) -> None:
    answer = made(editor, reason="for the board")
    assert answer.status_code == 200
    [address] = [html.unescape(each) for each in ADDRESS.findall(answer.text)]
    assert address.startswith(f"{shop.url}/share/")
    assert httpx.get(address, timeout=70).status_code == 200
    [link] = kept(shop)
    assert (link["experiment"], link["by"]) == (BANNER, "person editor@shop.example")
    assert address not in editor.get("/dashboard/shares").text
    ended = editor.post("/dashboard/shares/take-back", "/dashboard/shares", id=link["id"])
    assert (ended.status_code, ended.headers["location"]) == (303, "/dashboard/shares")
    assert httpx.get(address, timeout=70).status_code == 404
    with shop.client() as client:
        lines = client.get("/v1/audit", params={"actor": "editor@shop.example", "subject": BANNER}).json()["lines"]
    assert [(line["act"], line["actor"]["kind"], line["reason"]) for line in lines] == [
        ("share", "person", "for the board"),
        ("unshare", "person", None),
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"days": "0"}, "1 to 365 days"),
        ({"days": "366"}, "1 to 365 days"),
        ({"days": "\u0663"}, "1 to 365 days"),
        ({"experiment": "<script>"}, "No link was made"),
        ({"at": "tomorrow"}, "is not a moment"),
        ({"at": "2999-01-01"}, "lies in the future"),
        ({"reason": "r" * 501}, "No link was made"),
    ],
)
def test_what_cannot_be_made_is_said_on_the_page_and_is_not_made(
    shop: Service, editor: Visitor, fields: dict[str, str], said: str
) -> None:
    before = kept(shop)
    answer = made(editor, **fields)
    assert answer.status_code in (400, 404)
    assert said in answer.text
    assert "<script>" not in answer.text
    assert kept(shop) == before


def test_the_page_of_an_experiment_leads_to_its_report_and_to_a_link_who_may_make_one(
    shop: Service, editor: Visitor
) -> None:
    page, report = f"/dashboard/experiments/{BANNER}", f'href="/dashboard/experiments/{BANNER}/report'
    share = f'href="/dashboard/shares?experiment={BANNER}"'
    shown = until(lambda: text if report in (text := editor.get(page).text) else "", "the result is computed")
    assert share in shown
    assert f"<option selected>{BANNER}</option>" in editor.get(f"/dashboard/shares?experiment={BANNER}").text
    frozen = until(
        lambda: text if report in (text := editor.get(f"{page}?phase=0&at=2026-01-20").text) else "", "so is this look"
    )
    assert f'{report}?at=2026-01-20&amp;phase=0"' in frozen
    with signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        shown = until(lambda: text if report in (text := viewer.get(page).text) else "", "the result is computed")
        assert "/dashboard/shares" not in shown


def test_a_viewer_reads_the_report_and_makes_no_links(shop: Service) -> None:
    with signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        report = viewer.get(f"/dashboard/experiments/{BANNER}/report")
        assert report.status_code == 200
        assert "<h1>" in report.text
        assert viewer.get("/dashboard/shares").status_code == 403
        answer = viewer.post("/dashboard/shares/new", "/dashboard/settings", experiment=BANNER, days="7")
        assert answer.status_code == 403
        assert "viewer" in answer.text
        assert viewer.post("/dashboard/shares/take-back", "/dashboard/settings", id="x").status_code == 403
    with Visitor(shop.url) as stranger:
        assert stranger.get(f"/dashboard/experiments/{BANNER}/report").status_code == 303


def test_a_link_that_is_not_there_is_not_taken_back(editor: Visitor) -> None:
    answer = editor.post("/dashboard/shares/take-back", "/dashboard/shares", id="no-such-link")
    assert answer.status_code == 404
    assert "Nothing was taken back" in answer.text


@pytest.mark.parametrize(("field", "written"), [("days", "400"), ("at", "2126-01-01T00:00:00Z"), ("at", "yesterday")])
def test_what_is_wrong_stands_beside_the_field_and_what_was_written_is_kept(
    editor: Visitor, field: str, written: str
) -> None:
    answer = made(editor, **{"reason": "for the board", field: written})
    assert answer.status_code == 400
    assert f'name="{field}" aria-invalid="true" aria-describedby="{field}-wrong"' in answer.text
    assert f'value="{written}"' in answer.text
    assert 'value="for the board"' in answer.text
