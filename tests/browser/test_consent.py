"""Who refuses in a real browser: no byte of them in cookies, storage, the log, the store, the export or metrics."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, Service
from worlds.tag_pages import OPEN

from app.demo.shop import serving

pytestmark = pytest.mark.browser
PAGES = Path(__file__).parent / "pages"
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0}, threshold]\n"
    "goal: purchase_rate\n",
    **OPEN,
}
STORED = "return JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}])"


@pytest.fixture
def pages(site: Service) -> Iterator[str]:
    with serving(PAGES, {"service": site.url, "key": PUBLISHABLE_KEY}) as address:
        yield address


def visit(browser: Chrome, pages: str, consent: str, mark: str) -> dict[str, Any]:
    """What the page was answered; then the visitor has gone."""
    browser.get(f"{pages}/consent.html?consent={consent}&mark={mark}")
    WebDriverWait(browser, 20).until(lambda browser: browser.title == "done")
    answers = browser.execute_script("return window.answers")
    assert json.loads(browser.execute_script(STORED))[1:] == [{}, {}]
    browser.get("about:blank")
    return answers


def rows(site: Service) -> list[dict[str, Any]]:
    with site.client() as backend:
        answer = backend.get("/v1/export/events", params={"limit": 10_000})
    return [json.loads(line) for line in answer.text.splitlines()]


def holding(site: Service, mark: str) -> list[str]:
    """The files that hold a mark, Parquet decoded, and the log."""
    found = ["log"] if mark in site.log_text() else []
    for path in (path for path in site.data.rglob("*") if path.is_file()):
        decoded = pyarrow.parquet.read_table(path).to_pylist() if path.suffix == ".parquet" else []
        if mark.encode() in path.read_bytes() or mark in json.dumps(decoded, default=str):
            found.append(str(path))
    return found


def test_who_refuses_leaves_no_byte_and_who_comes_after_is_stored(chromium: Chrome, site: Service, pages: str) -> None:
    answers = visit(chromium, pages, "none", "canary")
    assert answers["made"]["visitor_id"] is None
    shown = answers["page"]["experiments"]["banner"]
    assert (shown["variant"], shown["exposure"]) == ("control", "refused")
    assert answers["flag"]["variant"] == "control"
    assert chromium.execute_cdp_cmd("Storage.getCookies", {})["cookies"] == []
    later = visit(chromium, pages, "measure", "plover")
    assert later["page"]["experiments"]["banner"]["variant"] == "threshold"
    until(lambda: any(row.get("event") == "Left" for row in rows(site)), "the beacon of who came after is there")
    found = rows(site)
    with site.client() as backend:
        metrics = backend.get("/metrics").text
    site.results("banner")
    site.stop()
    assert holding(site, "canary") == []
    assert "canary" not in json.dumps(found) + metrics
    assert holding(site, "plover") != []
    assert {(row["visitor_id"], row.get("user_id"), row["consent"]) for row in found if row["type"] != "refused"} == {
        ("plover", None, "measure")
    }
    assert holding(site, "u-plover") == holding(site, "@shop.example") == []
