"""What the tag decides in the page is what the service decides: by the published vectors, and visitor by visitor."""

import json
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from servers.service import PUBLISHABLE_KEY, Service
from servers.shop_pages import shop_pages
from worlds.tag_pages import LINE, page, visit

pytestmark = pytest.mark.browser
SOURCE = Path(__file__).parents[2] / "app" / "tag" / "source"
MODULES = """
<script>var BARE = false, WHOLE = true; // as the build says of what follows the payload</script>
<script type=module>
  import { assigned, position, ranges } from "/source/assign.js";
  import { meets as holds } from "/source/conditions.js";
  import { rarely } from "/source/operators.js";
  import { core } from "/source/settings.js";
  core.rarely = rarely;
  const meets = (...given) => { try { return holds(...given); } catch { return false; } }; // as `assigned` does
  window.tag = { assigned, position, ranges, meets };
</script>
"""
# UTF-16, which no published case tells from UTF-8
UNICODE = [("exp", "é", 2, 0.976), ("exp", "😀", 2, 0.7506)]
VISITORS = 520
DESIGNS = {
    "shop.yaml": "privacy: {default_consent: personal}\n",
    "holdouts.yaml": "q1-global: {share: 10%}\n",
    "segments.yaml": "tea: {where: {tea: {$in: [green, black, null]}}}\n",
    "plain.yaml": "variants: [control, a, b]\nlayer: {name: front, share: [0%, 55%]}\n",
    "part.yaml": "variants: [{key: control, weight: 5}, {key: a, weight: 3}]\nphase: 3\nholdouts: [q1-global]\n"
    "traffic: 37%\n",
    "other-half.yaml": "variants: [control, b]\nlayer: {name: front, share: [55%, 100%]}\n",
    "asked.yaml": "variants: [old, new]\naudience: {segments: [tea], where: {cart: {$lt: 50}, "
    "$or: [{name: {$regex: '^é'}}, {vip: true}]}}\n",
    "versioned.yaml": "variants: [control, new]\n"
    "audience: {where: {build: {$vgte: 1.10.0}, tags: {$all: [x], $size: {$gt: 1}}}}\n",
    "of-users.yaml": "unit: user\nvariants: [control, new]\n"
    "audience: {where: {user_id: {$ne: nobody}, cart: {$exists: true}}}\n",
    "paused.yaml": "status: paused\nvariants: [first, second]\n",
    "shipped.yaml": "status: stopped\nvariants: [old, new]\naudience: {where: {tea: green}}\n"
    "decision: {outcome: shipped, variant: new}\n",
}
FILES = {
    name: text if name in ("shop.yaml", "holdouts.yaml", "segments.yaml")
    else f"key: {name[:-5]}\ngoal: purchase_rate\n{'' if 'status' in text else 'status: running' + chr(10)}{text}"
    for name, text in DESIGNS.items()
}  # fmt: skip
NAMED = (("été", "1.9.3", ["x"]), (None, "1.10.0-rc1", ["x", 2]), ("eté", 2, "x"), ("é" * 2_000, None, []))
ATTRIBUTES = [
    {"tea": tea, "cart": cart, "name": name, "vip": vip, "build": build, "tags": tags}
    for tea in ("green", "mint", None)
    for cart, vip in ((0, True), (49.9, False), ("12", None), (None, True), (200, "yes"))
    for name, build, tags in (
        ("été", "1.9.3", ["x"]),
        (None, "1.10.0-rc1", ["x", 2]),
        ("eté", 2, "x"),
        ("é" * 2_000, None, []),
    )
]
VISIT = """
const [attributes, visitors, done] = arguments;
(async () => {
  const answers = [];
  for (let number = 0; number < visitors; number++) {
    await resonate.reset();
    const user = number % 3 ? ["ü", "😀", "u-"][number % 3] + number : null;
    if (user) await resonate.identify(user);
    const told = attributes[number % attributes.length];
    resonate.attributes(told);
    const decided = Object.fromEntries(KEYS.map((key) => [key, resonate.variant(key)]));
    answers.push({ id: resonate.id, user, told, decided });
  }
  done(answers);
})();
"""


@pytest.fixture
def vectors(shared: Path) -> dict[str, list[Any]]:
    return json.loads((shared / "vectors" / "growthbook-cases.json").read_text())


def test_hashes_ranges_and_conditions_are_those_of_the_published_cases(
    chromium: Chrome, vectors: dict[str, list[Any]]
) -> None:
    sources = {f"/source/{each.relative_to(SOURCE)}": each.read_text() for each in SOURCE.rglob("*.js")}
    with shop_pages("", {"/": MODULES, **sources}) as pages:
        chromium.get(pages.url)
        WebDriverWait(chromium, 20).until(lambda browser: browser.execute_script("return !!window.tag"))

        def called(function: str, given: list[list[Any]]) -> list[Any]:
            return chromium.execute_script(f"return arguments[0].map((each) => tag.{function}(...each))", given)

        hashed = [case for case in (*vectors["hash"], *UNICODE) if case[2] == 2]
        assert called("position", [[seed, value] for seed, value, *_ in hashed]) == [case[3] for case in hashed]
        # What the service publishes has whole weights and a coverage from 0 to 1.
        shared = [case for case in vectors["getBucketRange"] if (case[1][2] or 0) and 0 <= case[1][1] <= 1]
        shared = [case for case in shared if len(case[1][2]) == case[1][0] and abs(sum(case[1][2]) - 1) < 0.02]
        found = called("ranges", [[weights, coverage] for _, (_, coverage, weights), _ in shared])
        assert [pytest.approx(pair) for ranges in found for pair in ranges] == [
            pair for case in shared for pair in case[2]
        ]
        conditions = [case for case in vectors["evalCondition"] if len(case) == 4 or not case[4]]
        met = called("meets", [[attributes, condition] for _, condition, attributes, *_ in conditions])
    told = {case[0]: case[3] for case, answer in zip(conditions, met, strict=True) if answer != case[3]}
    assert (len(hashed), len(shared) > 3, len(conditions) > 200, told) == (9, True, True, {})


def test_the_built_tag_and_ofrep_agree_on_every_visitor_and_experiment(chromium: Chrome, start_service) -> None:
    service: Service = start_service(FILES)
    keys = [name[:-5] for name in FILES if "key:" in FILES[name]]
    with shop_pages(service.url, {"/": page("", LINE)}) as pages:
        visit(chromium, pages)
        chromium.set_script_timeout(120)
        answers = chromium.execute_async_script(f"const KEYS = {json.dumps(keys)};{VISIT}", ATTRIBUTES, VISITORS)
    differences, drawn = [], set()
    with service.client(PUBLISHABLE_KEY) as client:
        for each in answers:
            context = {
                "targetingKey": each["id"],
                **each["told"],
                **({"user_id": each["user"]} if each["user"] else {}),
            }
            flags = client.post("/ofrep/v1/evaluate/flags", json={"context": context}).json()["flags"]
            for flag in flags:
                tag, said = each["decided"][flag["key"]], flag.get("metadata", {})
                told = (tag["variant"], tag["payload"], tag["in_experiment"], tag["because"])
                because = said.get("because") or ("disabled" if flag["reason"] == "DISABLED" else None)
                if told != (flag["variant"], flag["value"], flag["reason"] == "SPLIT", because):
                    differences.append((each["id"], each["told"], told, flag))
                drawn.add((flag["key"], tag["variant"], tag["because"]))
    assert differences == []
    assert len(answers) == len({each["id"] for each in answers}) == VISITORS
    assert {because for _, _, because in drawn} == {None, "audience", "holdout", "layer", "traffic", "unit", "disabled"}
    assert len(drawn) >= 20
