"""The tag in Firefox: one visitor is assigned, sees the variant, counts, is measured, buys, and then refuses."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from servers.javascript import REPOSITORY, node
from servers.patience import HUNG_SECONDS, until
from servers.service import PUBLISHABLE_KEY
from servers.shop_pages import PREFIX, shop_pages
from worlds.tag_pages import OPEN, page, rows

from app.tag.library import TagLines

pytestmark = [pytest.mark.browser, pytest.mark.firefox]
JOURNEY = Path(__file__).parent / "firefox_journey.mjs"
FILES = {
    "banner.yaml": "key: banner\nstatus: running\nvariants: [{key: control, weight: 0, payload: {title: Welcome}}, "
    "{key: new, payload: {title: Sale}}]\ngoal: engaged_time\n",
    **OPEN,
}
SLOT = '<h1 data-resonate="banner" data-resonate-text="title">Hello</h1>'


def test_a_visitor_of_firefox_is_shown_counted_measured_and_forgotten(start_service) -> None:
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        pytest.skip("no Firefox: `make test-tools` installs it by apt as root")
    site = start_service(FILES)
    line = TagLines.of(PREFIX, PUBLISHABLE_KEY).script
    with shop_pages(site.url, {"/": page(SLOT, line), "/next": page("", line)}) as pages:
        ran = subprocess.run(
            [node(), str(JOURNEY)], input=json.dumps({"page": f"{pages.url}/", "binary": binary}), cwd=REPOSITORY,
            capture_output=True, text=True, timeout=2 * HUNG_SECONDS, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3_000:]
        told = json.loads(ran.stdout)
    assert told["ready"] == {"ok": True, "cause": None}
    assert told["shown"] == ["Sale", "banner:new", "visible"]
    assert told["cookie"] == f"resonate_id={told['id']}"
    assert told["refused"] == [None, "", 0, 0]
    kinds = {"page", "exposure", "engagement", "track"}
    until(lambda: {row["type"] for row in rows(site)} >= kinds, "all that happened is stored", tell=site.told)
    stored = rows(site)
    assert {row["visitor_id"] for row in stored} == {told["id"]}
    [exposure] = [row for row in stored if row["type"] == "exposure"]
    assert (exposure["experiment"], exposure["variant"], exposure["forged"]) == ("banner", "new", False)
    [order] = [row for row in stored if row.get("event") == "Order Completed"]
    assert (order["order_id"], order["value"], order["currency"]) == ("o-1", 49.9, "EUR")
    in_focus, waited = told["engaged"]
    assert in_focus
    beats = [row for row in stored if row["type"] == "engagement"]
    assert beats[-1]["properties"]["final"]
    assert waited - 100 <= max(row["engaged_ms"] for row in beats)
