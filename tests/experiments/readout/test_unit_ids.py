"""A readout names visitor ids that anybody guesses, and says the share of those that were issued here."""

import uuid
from pathlib import Path

import pytest
from worlds.readout_studies import GOAL, START, Shop, readouts

from events.authority import Authority
from experiments.answers.health import Health
from experiments.readout.tables import flat_rows


def health_with(folder: Path, strangers: list[str], of: int = 100, **fields: object) -> Health:
    """Of a study with so many visitors of random ids but for these."""
    shop, rows = Shop(), [str(uuid.UUID(int=n * 7919 << 64)) for n in range(of - len(strangers))]
    for number, visitor in enumerate([*rows, *strangers]):
        shop.expose(visitor, ("control", "b")[number % 2], **fields)
    shop.add("identify", rows[0], START + 1, user_id="a-user-of-the-shop")
    return readouts(folder, shop.records, 30, GOAL).read("banner").health


def named(health: Health) -> bool:
    return "visitor_ids_guessable" in {check.code for check in health.checks}


@pytest.mark.parametrize(
    ("strangers", "guessable"),
    [
        (["17", "v-18"], True),
        (["ann@shop.example", "bob@shop.example"], True),
        (["a-user-of-the-shop", "user_12345"], True),
        (["17"], False),  # one of a hundred is not over 1 %
        (["GA1.2.1041222912.1617634321", "k3v9xq7b1c2m"], False),
        (["v1.UTEApZgDZTUGOFWH_NBDUA.OjZvjBZvm8czgzj6", "v1.UTEBkeaxUKac8HwUyuoppQ.-wkk3hq0DvvnhT4t"], False),
    ],
)
def test_ids_that_anybody_guesses_are_named(tmp_path: Path, strangers: list[str], guessable: bool) -> None:
    assert named(health_with(tmp_path, strangers)) is guessable


def test_of_few_visitors_and_of_backends_nothing_is_said(tmp_path: Path) -> None:
    assert not named(health_with(tmp_path / "few", ["1", "2"], of=99))
    assert not named(health_with(tmp_path / "backend", ["1", "2"], authority=Authority.BACKEND))


def test_the_share_of_issued_ids_is_told_by_variant(tmp_path: Path) -> None:
    shop = Shop()
    for number in range(8):
        shop.expose(f"visitor-{number}-{number}", ("control", "b")[number % 2], issued=number in (0, 1, 2))
    found = readouts(tmp_path, shop.records, 30, GOAL).read("banner")
    told = found.health.authority.by_variant
    assert {arm: trust.units_issued for arm, trust in told.items()} == {"control": 0.5, "b": 0.25}
    assert set(flat_rows(found).columns["units_issued"]) == {0.5, 0.25}
