"""What a page tells of its visitor is, in a real browser, what the vectors say that the service tells too."""

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.page_scripts import SOURCE
from selenium.webdriver import Chrome
from servers.shop_pages import shop_pages
from worlds.tag_pages import page, visit

from app.demo.shop import serving
from experiments.targeting.attributes import AGENT_FAMILIES

pytestmark = pytest.mark.browser
VECTORS = json.loads((Path(__file__).parents[1] / "worlds" / "page_attributes.json").read_text())
ASKED = """
const [vectors, families, done] = arguments;
import("/attributes.js").then((page) => {
  const agents = (agent) => page.ofAgent(agent, families);
  const how = { addresses: page.ofAddress, referrers: page.ofReferrer, agents };
  done(Object.entries(how).map(([kind, tell]) => vectors[kind].map(({ of }) => JSON.stringify(tell(of)))));
});
"""


def test_chromium_tells_what_the_vectors_say(chromium: Chrome) -> None:
    with serving(SOURCE, {}) as pages:
        chromium.get(f"{pages}/generated/")
        told: list[list[Any]] = chromium.execute_async_script(ASKED, VECTORS, AGENT_FAMILIES)
    for kind, found in zip(("addresses", "referrers", "agents"), told, strict=True):
        assert [json.loads(each) for each in found] == [case["told"] for case in VECTORS[kind]], kind


def test_a_page_knows_the_country_that_the_proxy_tells_of_it(chromium: Chrome, start_service) -> None:
    slovak = (
        "key: slovak\nstatus: running\n"
        "variants: [{key: control, weight: 0}, {key: new, weight: 1, payload: {title: Dobrý deň}}]\n"
        "audience: {where: {country: SK}}\ngoal: purchase_rate\n"
    )
    files = {"slovak.yaml": slovak, "shop.yaml": "privacy: {default_consent: personal}\n"}
    told = {"RESONATE_COUNTRY_HEADER": "CF-IPCountry", "RESONATE_TRUSTED_PROXIES": "127.0.0.0/8"}
    slot = '<h1 data-resonate="slovak" data-resonate-text="title">Hello</h1>'
    with shop_pages(start_service(files, **told).url, {"/": page(slot)}) as pages:
        for country, seen in (("SK", "Dobrý deň"), ("CZ", "Hello")):
            pages.adds["cf-ipcountry"] = country
            chromium.execute_cdp_cmd("Network.clearBrowserCache", {})
            visit(chromium, pages)
            assert chromium.execute_script("return document.querySelector('h1').textContent") == seen
