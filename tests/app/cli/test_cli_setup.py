"""A shop is set up by five answers, and the doctor finds what is wrong with it: each line with what ends it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.patience import VAIN_SECONDS
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.cli.output import Refused
from app.cli.setup import say_row
from app.keys.file import read_keys
from app.setup.calls import RunningService
from app.setup.files import members, variables

Resonate = Callable[..., Result]
SITE = ("--site", "https://shop.example", "--yes")


@pytest.fixture
def resonate(tmp_path: Path) -> Resonate:
    environment = {"RESONATE_DATA": str(tmp_path / "data"), "RESONATE_DEFINITIONS": str(tmp_path / "definitions")}

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=environment | more)

    return run


def init(resonate: Resonate, folder: Path, *arguments: str) -> dict[str, Any]:
    result = resonate("init", *arguments, "--folder", str(folder), "--json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def test_safe_answers_make_a_shop_that_starts_and_checks(resonate: Resonate, tmp_path: Path) -> None:
    told = init(resonate, tmp_path, *SITE, "--address", "https://shop.example/r/x7", "--hosts", "www.shop.example")

    settings = variables((tmp_path / "resonate.env").read_text())
    assert settings == {
        "RESONATE_PUBLIC_URL": "https://shop.example/r/x7",
        "RESONATE_TRUSTED_PROXIES": "127.0.0.1",
        "RESONATE_ORIGINS": "https://shop.example,https://www.shop.example",
        "RESONATE_KEYS": "keys.yaml",
    }
    shop = members((tmp_path / "definitions" / "shop.yaml").read_text(), "shop.yaml")
    assert shop == {
        "timezone": "UTC", "currency": "EUR", "cookie_domain": "shop.example",
        "privacy": {"default_consent": "none"}, "tag": {"hosts": ["shop.example", "www.shop.example"]},
    }  # fmt: skip
    assert resonate("check").exit_code == 0
    assert set(told["keys"]) == {"pages", "backend", "analysts", "doctor"}
    listed = {key.name: key for key in read_keys((tmp_path / "keys.yaml").read_bytes()).keys}
    assert listed["pages"].kind == "publishable"
    assert set(listed["doctor"].scopes) == {"read_results", "export", "track"}
    tag = told["lines"]["On every page, in its head"]
    assert f'src="https://shop.example/r/x7/resonate.js?key={told["keys"]["pages"]}" data-consent="ask"' in tag
    assert "visibility:hidden" in tag
    assert not any(key in (tmp_path / "keys.yaml").read_text() for key in told["keys"].values())


def test_run_again_it_changes_only_what_is_asked(resonate: Resonate, tmp_path: Path) -> None:
    first = init(resonate, tmp_path, *SITE, "--address", "https://shop.example/r/x7")
    shop = tmp_path / "definitions" / "shop.yaml"
    shop.write_text("# ours\n" + shop.read_text() + "secure_salt: pepper\n")
    before = {file: file.read_text() for file in (shop, tmp_path / "resonate.env", tmp_path / "keys.yaml")}

    assert init(resonate, tmp_path, "--yes")["changed"] == []
    assert {file: file.read_text() for file in before} == before

    again = init(resonate, tmp_path, "--yes", "--currency", "CHF")

    assert again["changed"] == [str(shop)]
    assert again["keys"] == {}
    assert shop.read_text() == before[shop].replace("currency: EUR", "currency: CHF")
    assert first["keys"]["pages"] in again["lines"]["On every page, in its head"]


def test_what_somebody_wrote_and_nobody_asked_about_stays(resonate: Resonate, tmp_path: Path) -> None:
    shop, settings, keys = tmp_path / "definitions" / "shop.yaml", tmp_path / "resonate.env", tmp_path / "own.yaml"
    shop.parent.mkdir()
    (tmp_path / "kept").mkdir()
    written = "cookie_domain: example\nprivacy: {default_consent: personal}\ntag: {hosts: [old.shop.example]}\n"
    (tmp_path / "kept" / "shop.yaml").write_text(written.replace("{", "\n  ").replace("}", ""))
    shop.symlink_to(tmp_path / "kept" / "shop.yaml")
    origins = "http://localhost:3000,https://shop.example,https://old.shop.example"
    settings.write_text(f"export RESONATE_ORIGINS={origins}\nRESONATE_KEYS=own.yaml\n")

    told = init(resonate, tmp_path, *SITE, "--hosts", "none")

    assert shop.is_symlink()
    known = members(shop.read_text(), "shop.yaml")
    assert (known["cookie_domain"], known["privacy"]) == ("example", {"default_consent": "personal"})
    assert variables(settings.read_text())["RESONATE_ORIGINS"] == "https://shop.example,http://localhost:3000"
    assert settings.read_text().startswith("export ")
    assert {key.name for key in read_keys(keys.read_bytes()).keys} == set(told["keys"])
    assert not (tmp_path / "keys.yaml").exists()


def test_keys_that_cannot_be_read_are_told_of_before_anything_is_written(resonate: Resonate, tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("keys: [{name: torn")
    result = resonate("init", *SITE, "--folder", str(tmp_path))
    assert isinstance(result.exception, Refused)
    assert "keys.yaml" in str(result.exception)
    assert not any((tmp_path / name).exists() for name in ("resonate.env", "definitions"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name the shop's address"),
        (("--site", "shop.example"), "is no address such as https://shop.example"),
        (("--site", "https://shop.example", "--timezone", "Europe/Berln"), "did you mean Europe/Berlin?"),
        (("--site", "https://shop.example", "--proxies", "the proxy"), "is no address or network"),
        (("--site", "https://shop.example", "--consent", "maybe"), "is none of ask, measure, personal"),
    ],
)
def test_an_answer_that_cannot_be_used_writes_nothing(
    resonate: Resonate, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = resonate("init", "--yes", "--folder", str(tmp_path), *arguments)
    assert isinstance(result.exception, Refused)
    assert said in str(result.exception)
    assert not any((tmp_path / name).exists() for name in ("resonate.env", "keys.yaml", "definitions"))


def test_questions_are_asked_of_who_can_answer_and_enter_takes_what_is_safe(tmp_path: Path) -> None:
    answering, terminal = pty.openpty()
    os.write(answering, b"https://shop.example/r/x7\n\nwww.shop.example\nmeasure\n\n\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    command = [sys.executable, "-P", "-m", "app.cli.main", "init", "--site", "https://shop.example"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], env=kept | {"RESONATE_DATA": str(tmp_path / "data")}, stdin=terminal,
        capture_output=True, text=True, timeout=VAIN_SECONDS, cwd=Path(__file__).parents[3], check=False,
    )  # fmt: skip
    os.close(answering)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("[") >= 6, "each question has what Enter takes"
    shop = members((tmp_path / "definitions" / "shop.yaml").read_text(), "shop.yaml")
    assert (shop["privacy"], shop["currency"]) == ({"default_consent": "measure"}, "EUR")
    settings = variables((tmp_path / "resonate.env").read_text())
    assert settings["RESONATE_PUBLIC_URL"] == "https://shop.example/r/x7"
    assert settings["RESONATE_TRUSTED_PROXIES"] == "127.0.0.1"
    assert 'data-consent="measure"' in done.stdout


def examined(service: Service, *arguments: str, key: str = SECRET_KEY) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-P", "-m", "app.cli.main", "doctor", "--url", service.url, "--json", *arguments]
    environment = service.environment() | {"RESONATE_DOCTOR_KEY": key}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=VAIN_SECONDS,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_service_that_is_well_sends_and_reads_back_every_dialect_in_no_readout(service: Service) -> None:
    code, told = examined(service, "--send")

    wrong = [line for line in told["lines"] if not line["ok"]]
    assert (code, wrong) == (0, [])
    sent = [line["found"] for line in told["lines"] if line["check"] == "sent"]
    assert {line.partition(":")[0] for line in sent} == {"segment", "growthbook", "pixel", "ga4"}
    assert all("read back from the export" in line for line in sent)
    with service.client() as client:
        listed = client.get("/v1/events").json()["events"]
        rows = [json.loads(line) for line in client.get("/v1/export/events").text.splitlines()]
    assert [each["event"] for each in listed] == []
    assert len(rows) == len(sent)
    assert all(row["quarantined"] for row in rows)


def test_what_is_wrong_has_its_remedy_and_exit_code_1(start_service: StartService) -> None:
    service = start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="1", RESONATE_PUBLIC_URL="https://shop.example/r/x7")
    headers = {"authorization": f"Bearer {PUBLISHABLE_KEY}"}
    for _ in range(30):
        httpx.post(f"{service.url}/v1/track", json={"event": "Order Completed"}, headers=headers)
    bulk = {"context": {"targetingKey": "v-1", "resonate.consent": "personal"}}
    with httpx.Client(base_url=service.url, headers=headers) as page:
        for number in range(100):
            bulk["context"]["targetingKey"] = f"v-{number}"
            assert page.post("/ofrep/v1/evaluate/flags", json=bulk).status_code == 200

    code, told = examined(service)

    wrong = {line["check"]: line for line in told["lines"] if not line["ok"]}
    assert code == 1
    assert "30 of 30 were refused" in wrong["library"]["remedy"]
    assert "evaluated in the last day (ofrep_bulk 100), exposed 0 times" in wrong["exposures"]["found"]
    assert "Experiment Viewed" in wrong["exposures"]["remedy"]
    assert "consent_not_chosen" in wrong["ready"]["found"]
    assert "name the shop's origins" in wrong["origins"]["remedy"]
    assert all(line["remedy"] for line in wrong.values())


def test_a_key_that_may_not_and_an_address_that_is_none_are_said(service: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "app.cli.main", "doctor", "--url"]
    environment = {**os.environ, "RESONATE_DATA": str(tmp_path), "RESONATE_DOCTOR_KEY": PUBLISHABLE_KEY}
    for url, said in ((service.url, "give a secret key with the scopes"), ("http://127.0.0.1:9", "cannot be reached")):
        done = subprocess.run(
            [*command, url], env=environment, capture_output=True, text=True, timeout=VAIN_SECONDS,
            cwd=Path(__file__).parents[3], check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert said in done.stderr


def test_what_arrives_is_seen_once_and_at_once(service: Service) -> None:
    def click(_: float) -> None:
        httpx.post(
            f"{service.url}/v1/track", json={"event": "Clicked", "anonymousId": "v-1"},
            headers={"authorization": f"Bearer {PUBLISHABLE_KEY}"},
        )  # fmt: skip

    click(0)
    with RunningService(service.url, SECRET_KEY) as watched:
        with service.client() as client:
            assert client.get("/v1/export/events").text.count("Clicked") == 1
        arriving = watched.arriving(click)
        first, second = next(arriving), next(arriving)
    assert (first["event"], second["event"]) == ("Clicked", "Clicked")
    assert first["message_id"] != second["message_id"]


def test_what_an_event_calls_itself_steers_no_terminal_and_ends_no_watching(capsys: pytest.CaptureFixture[str]) -> None:
    for library in ("\x1b]0;owned\x07", {"name": 5}, {"name": "\x9b2J"}, [1]):
        row = {"received_at": 0, "type": "track", "event": "\x1b[2Jgone\r", "context": {"library": library}}
        say_row(row, as_json=False)
    told = capsys.readouterr().out
    assert told.count("gone") == told.count("\n") == 4
    assert not {"\x1b", "\x9b", "\x07", "\r"} & {*told}
