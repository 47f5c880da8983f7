"""A readout of a redirect says when visitors are lost on the way to the other page."""

from pathlib import Path

import pytest
from worlds.readout_studies import GOAL, START, Shop, readouts

SECOND = 1_000_000
REDIRECT = {
    "banner.yaml": "key: banner\nstatus: running\ngoal: purchase_rate\naudience: {where: {path: /old}}\n"
    "variants: [control, {key: b, payload: {changes: [{redirect: /new}]}}]\n"
}


def shop(arrive: dict[str, int], seconds: int = 2, units: int = 300) -> Shop:
    """Of the units of each arm so many per hundred have a page so many seconds after their exposure."""
    found = Shop()
    for number in range(units):
        for variant, share in arrive.items():
            visitor, at = f"{variant}-{number}", START + number * 60 * SECOND
            found.expose(visitor, variant, at)
            if number % 100 < share:
                found.add("page", visitor, at + seconds * SECOND)
            found.add("page", visitor, at - 5 * SECOND)  # the page before
            found.add("page", visitor, at + 600 * SECOND)  # came back later
    return found


def lost(tmp_path: Path, world: Shop, files: dict[str, str]) -> list[str]:
    readout = readouts(tmp_path, world.records, 3, files).read("banner")
    return [check.detail for check in readout.health.checks if check.code == "redirect_lost"]


@pytest.mark.parametrize(("b", "seconds", "told"), [(98, 2, 0), (80, 2, 1), (80, 31, 0)])
def test_arms_of_a_redirect_in_which_other_shares_arrive_are_named(
    b: int, seconds: int, told: int, tmp_path: Path
) -> None:
    found = lost(tmp_path, shop({"control": 98, "b": b}, seconds), REDIRECT)
    assert len(found) == told
    assert told == 0 or found[0].startswith(
        "A page follows within 30 s of the exposure for 98 % in control, 80 % in b (p < 0.0001): "
    )


@pytest.mark.parametrize(("page", "told"), [("https://shop.example/old", 0), ("https://shop.example/", 1)])
def test_who_stays_has_arrived_though_their_page_is_told_to_be_a_little_older(
    page: str, told: int, tmp_path: Path
) -> None:
    world = Shop()  # a page event and an exposure come in two requests, and each is as old as its own request says
    for number in range(300):
        at, old = START + number * 60 * SECOND, "https://shop.example/old"
        world.expose(f"c{number}", "control", at, url=old)
        world.add("page", f"c{number}", at - SECOND // 50, url=page)
        world.expose(f"b{number}", "b", at, url=old)
        world.add("page", f"b{number}", at + SECOND, url="https://shop.example/new")
    assert len(lost(tmp_path, world, REDIRECT)) == told


def test_an_experiment_that_leads_nowhere_is_not_asked(tmp_path: Path) -> None:
    assert lost(tmp_path, shop({"control": 98, "b": 50}), GOAL) == []


def test_what_is_lost_withholds_the_ship(tmp_path: Path) -> None:
    readout = readouts(tmp_path, shop({"control": 98, "b": 80}).records, 3, REDIRECT).read("banner")
    assert [check.withholds_ship for check in readout.health.checks if check.code == "redirect_lost"] == [True]
