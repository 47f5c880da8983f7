"""The demo's crowd is drawn from a seed: the same visitors do the same, however fast they come, and the sentence that
the demo promises about them is true.
"""

import asyncio
import inspect
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records
from worlds.catalog_folders import catalog_in
from worlds.readout_studies import HOUR, START, Shop, readouts

from app.cli.service import demo
from app.demo import crowd as crowds
from app.demo.crowd import Crowd
from app.demo.run import BANNER, SHOP
from app.demo.shop import TRUE_LIFT, SimulatedPerson, read_products
from events.authority import Authority
from experiments.assignment.assign import assign
from experiments.statistics.arms import pair, proportion_arm
from experiments.statistics.comparison import Question, answer_at
from experiments.statistics.estimate import Interval
from kit.tasks import Tasks

PRODUCTS = read_products(SHOP / "products.csv")
DEFINITIONS = {file.name: file.read_text() for file in (SHOP / "definitions").iterdir()}
SEED = inspect.signature(demo).parameters["seed"].default
CATALOG = catalog_in(Path(str(SHOP / "definitions")))
POPULAR = [{"product_id": product.product_id, "position": place} for place, product in enumerate(PRODUCTS[:6], 1)]
GIVEN_BY_THE_SERVICE = {"message_id", "network", "time"}
NOBODY = httpx.AsyncClient()  # that a crowd is drawn for without being sent anywhere


def drawn(seed: int) -> Crowd:
    return Crowd(NOBODY, NOBODY, PRODUCTS, seed)


async def sent(root: Path, seed: int, visits_per_second: float) -> list[dict[str, Any]]:
    """What the store holds of the pasts of 20 people and the visits of the first 40, as far as no clock is in it."""
    names = {drawn(seed).visitor(number).visitor_id for number in range(40)}
    finished, all_there = set[str](), asyncio.Event()

    class Noted(Crowd):
        async def _visit(self, visitor: SimulatedPerson) -> None:
            await super()._visit(visitor)
            finished.add(visitor.visitor_id)
            if names <= finished:
                all_there.set()

    with OneWorker(root, DEFINITIONS) as worker:
        page, backend = (
            httpx.AsyncClient(base_url=worker.url, headers={"authorization": f"Bearer {key}"}, timeout=60)
            for key in (PUBLISHABLE, SECRET)
        )
        async with page, backend:
            crowd = Noted(page, backend, PRODUCTS, seed, places=asyncio.Semaphore(40))  # no crowd on a slow machine
            await crowd.remember(20)
            async with Tasks() as tasks:
                tasks.start(partial(crowd.keep_visiting, visits_per_second), "the crowd")
                await asyncio.wait_for(all_there.wait(), 120)
            assert crowd.failures == 0
        stored = [record for record in records(worker) if record["visitor_id"] in names]
    told = [{name: each[name] for name in each if name not in GIVEN_BY_THE_SERVICE} for each in stored]
    return sorted(told, key=repr)


@pytest.mark.anyio
async def test_the_same_seed_sends_the_same_visitors_who_do_the_same_at_any_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowds, "LONGEST_STAY_SECONDS", 0.02)
    slow, fast = await sent(tmp_path / "slow", SEED, 60), await sent(tmp_path / "fast", SEED, 2_000)
    assert slow == fast
    assert {record.get("event") for record in slow} >= {"Experiment Viewed", "Order Completed"}
    assert {record["authority"] for record in slow if record.get("event") == "Order Completed"} == {Authority.BACKEND}
    assert {record.get("variant") for record in slow} >= {"control", "threshold"}


@given(st.integers(), st.integers(0, 100_000))
def test_a_visitor_does_not_depend_on_who_came_before(seed: int, number: int) -> None:
    page = {"experiments": {BANNER: {"payload": {"banner": "Free shipping"}}}, "recommendations": {}}
    crowd = drawn(seed)
    crowd.deeds(crowd.visitor(number + 1), page)
    visitor = drawn(seed).visitor(number)
    assert crowd.visitor(number) == visitor != drawn(seed + 1).visitor(number)
    assert crowd.deeds(crowd.visitor(number), page) == drawn(seed).deeds(visitor, page)


def visited(seed: int, visitors: int) -> list[tuple[str, str, bool]]:
    """Who saw which variant of the banner, and whether they bought; everybody is recommended the same products."""
    crowd, told = drawn(seed), list[tuple[str, str, bool]]()
    shown = {crowds.SLOT: {"recommendation_id": "popular", "items": POPULAR}}
    for visitor in map(crowd.visitor, range(visitors)):
        assigned = assign(CATALOG.full.compiled[BANNER], visitor.visitor_id, {"device": visitor.device}, START / 1e6)
        page = {"experiments": {BANNER: {"payload": assigned.payload}}, "recommendations": shown}
        events = {event["event"] for event in crowd.deeds(visitor, page)}
        told.append((visitor.visitor_id, assigned.variant, "Order Completed" in events))
    return told


@pytest.mark.parametrize("visitors", [600, 2_400, 9_600])
def test_the_readout_of_the_demos_crowd_holds_the_truth(visitors: int, tmp_path: Path) -> None:
    shop = Shop()
    for number, (visitor, variant, bought) in enumerate(visited(SEED, visitors)):
        shop.expose(visitor, variant, START + number, experiment=BANNER)
        if bought:
            shop.buy(visitor, START + HOUR + number)
    [purchases] = [
        metric
        for metric in readouts(tmp_path, shop.records, 1, DEFINITIONS).read(BANNER).metrics
        if metric.role == "goal"
    ]
    [compared] = purchases.comparisons
    assert isinstance(compared.ci, Interval)
    assert compared.ci.contains(TRUE_LIFT)


def test_intervals_over_the_crowds_of_many_seeds_hold_the_truth_as_often_as_they_say() -> None:
    crowds_drawn, missed = 40, 0
    for seed in range(crowds_drawn):
        bought = {
            name: [each for _, variant, each in visited(seed, 1_000) if variant == name]
            for name in ("control", "threshold")
        }
        arms = [proportion_arm(len(buyers), sum(buyers)) for buyers in bought.values()]
        interval = answer_at(pair(*arms), Question(), "fixed", 0.05).ci
        assert isinstance(interval, Interval)
        missed += not interval.contains(TRUE_LIFT)
    assert missed / crowds_drawn <= 0.05 + 3 * (0.05 * 0.95 / crowds_drawn) ** 0.5
