"""What a page tells of its visitor is, in a real browser, what the vectors say that the service tells too."""

import json
from pathlib import Path
from typing import Any

import pytest
from oracles.page_scripts import SOURCE
from selenium.webdriver import Chrome

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
