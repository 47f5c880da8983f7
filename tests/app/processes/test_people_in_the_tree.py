"""People in the whole tree of processes: the first link of each start, and sessions that end in every worker."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, running
from typer.testing import CliRunner

from app.cli.main import app

HERO = "key: hero\nstatus: running\nvariants: [control, b]\ngoal: purchase_rate\n"
SETTINGS = "/dashboard/settings"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, {"hero.yaml": HERO}, RESONATE_WORKERS="2") as service:
        yield service


def printed_links(shop: Service) -> list[str]:
    return re.findall(r"^Sign in: (\S+)$", shop.log_text(), re.MULTILINE)


def fresh_look(shop: Service, visitor: Visitor) -> int:
    """What a page answers on a connection of its own, which may be another worker's."""
    with Visitor(shop.url) as again:
        again.client.cookies.update(visitor.client.cookies)
        return again.get(SETTINGS).status_code


def test_each_start_prints_a_link_until_somebody_has_signed_in(shop: Service) -> None:
    [first] = printed_links(shop)
    assert first.startswith(f"{shop.url}/dashboard/sign-in?token=")
    assert shop.stop() == 0
    shop.start()
    second = printed_links(shop)[1]
    with Visitor(shop.url) as visitor:
        for link, status in ((first, 403), (second, 303)):
            form = {"token": link.partition("token=")[2], "form": "f", "email": "ada@shop.example"}
            assert visitor.post_as_is("/dashboard/sign-in", **form).status_code == status
        assert visitor.get("/dashboard").status_code == 200
        assert shop.stop() == 0
        shop.start()
        assert len(printed_links(shop)) == 2
        assert visitor.get("/dashboard").status_code == 200  # sessions outlive the service


def test_by_command_a_session_ends_in_every_worker(shop: Service) -> None:
    environment = {"RESONATE_DATA": str(shop.data)}
    with signed_in_visitor(shop.url, shop.data, "admin"), signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        assert {fresh_look(shop, viewer) for _ in range(12)} == {200}
        words = ["people", "role", "viewer@shop.example", "editor"]
        assert CliRunner().invoke(app, words, env=environment).exit_code == 0
        assert {fresh_look(shop, viewer) for _ in range(12)} == {303}
