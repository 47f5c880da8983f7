"""Orders at the command line leave their lines too; a resume waits for its line, a pause does not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from worlds.catalog_folders import BANNER, Shop

from app.cli.main import app
from app.cli.output import Refused
from app.keys.audit import Actor, Audit, AuditLine, Wanted
from experiments.catalog.files import CatalogPaths
from experiments.catalog.overrides import read_overrides

Resonate = Callable[..., Result]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    found = Shop(tmp_path)
    found.boot(banner=BANNER)
    return found


@pytest.fixture
def resonate(shop: Shop) -> Resonate:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env={"RESONATE_DATA": str(shop.data)})

    return run


def lines(shop: Shop) -> list[AuditLine]:
    return Audit(shop.data).page(None, 100, Wanted())[0]


def status(shop: Shop) -> str:
    override = read_overrides(CatalogPaths(shop.data)).get("banner")
    return "as written" if override is None else override.status


def test_an_order_is_kept_with_who_gave_it_and_why(shop: Shop, resonate: Resonate) -> None:
    paused = resonate("pause", "banner", "--reason", "broken")
    assert (paused.exit_code, paused.output) == (
        0, "banner is paused from the next start on: no service runs on this data directory\n"
    )  # fmt: skip
    assert resonate("resume", "banner").exit_code == 0
    first, second = lines(shop)
    assert (first.act, first.subject, first.reason, first.actor) == (
        "pause", "banner", "broken", Actor.at_the_command_line()
    )  # fmt: skip
    assert (second.before, second.after) == ({"status": "paused"}, {"status": "running"})
    assert isinstance(resonate("pause", "none").exception, Refused)
    assert isinstance(resonate("pause", "banner", "--reason", "r" * 501).exception, Refused)
    assert (len(lines(shop)), status(shop)) == (2, "running")


def test_a_resume_waits_for_its_line_and_a_pause_does_not(shop: Shop, resonate: Resonate) -> None:
    (shop.data / "audit").write_text("in the way")
    paused = resonate("pause", "banner")
    assert (paused.exit_code, status(shop)) == (0, "paused")
    assert "nothing there says who told banner to pause" in paused.output
    assert "the audit line cannot be written" in str(resonate("resume", "banner").exception)
    assert status(shop) == "paused"


def test_a_preview_link_is_made_at_the_command_line_and_kept_in_the_audit(shop: Shop, resonate: Resonate) -> None:
    made = resonate("preview", "banner:control", "--url", "https://shop.example/", "--days", "1", "--reason", "look")
    assert made.exit_code == 0
    assert made.output.startswith("https://shop.example/?resonate_preview=")
    (line,) = lines(shop)
    assert (line.act, line.subject, line.after["variant"], line.reason) == ("preview", "banner", "control", "look")
    for wrong in ("banner", "banner:none", "none:control"):
        assert isinstance(resonate("preview", wrong).exception, Refused)
    assert len(lines(shop)) == 1
