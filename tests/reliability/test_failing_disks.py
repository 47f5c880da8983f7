"""Whatever a disk refuses, at whichever write: a request is told 503, a command one line, the supervisor goes on."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.failing_disk import ERRORS, STEPS, failing
from servers.one_worker import SECRET, OneWorker
from worlds.catalog_folders import BANNER, Shop

from app.cli import main as command_line
from app.keys.audit import Actor, Audit, line_of
from app.keys.listed import KeysKeeper
from app.processes.upkeep import Upkeep
from app.runtime.data_directory import DataDirectory
from experiments.catalog.overrides import Order
from kit.files import UNWRITTEN

ROOT = Path(__file__).parents[2]
WRITES = {
    *("replace_file", "create_file", "write_file", "append_to", "extend_file", "keep_file", "temporary_file"),
    *(
        "recording",
        "copy_file",
        "link_file",
        "FilesToKeep",
        "Ballast",
        "private_folder",
        "make_folder",
        "locked",
        "take_lock",
    ),
}
START = "a start that is refused in one line: tests/app/cli/test_cli.py"
WRITER = "the writer waits, and is started again: tests/events/writer/test_log_disk_full.py"
STORE = "the store is tried again: tests/events/store/test_disk_full.py"
ANALYSIS = "an answer of the analysis: tests/reliability/test_failing_disks_of_people.py"
REPEATED = "repeated work, which logs and goes on: tests/kit/test_tasks.py"
TRAINING = "a training that fails, the former model serves: tests/reliability/test_failing_disks_of_people.py"
PEOPLE = "a form, or a link of a survey: tests/reliability/test_failing_disks_of_people.py"
BACKUP = "a backup that says so and ends with 1: tests/app/backup"
DEMO = "the demo's own files"
# Each module that writes, and where what its disk refuses is met. One that is not here fails: it must be met first.
MET: dict[str, str] = {
    "app/backup/last_run.py": BACKUP,
    "app/backup/making.py": BACKUP,
    "app/backup/manifest.py": BACKUP,
    "app/backup/restoring.py": BACKUP,
    "app/backup/stream.py": BACKUP,
    "app/demo/run.py": DEMO,
    "app/demo/start.py": DEMO,
    "app/http/access.py": START,
    "app/identity/preview_links.py": "request",
    "app/identity/visitor_ids.py": START,
    "app/keys/audit.py": "request",
    "app/keys/changing.py": "command",
    "app/keys/listed.py": "supervisor",
    "app/keys/uses.py": REPEATED,
    "app/management/products.py": "request",
    "app/people/file.py": "command",
    "app/processes/upkeep.py": "supervisor",
    "app/reports/shares.py": "request",
    "app/runtime/data_directory.py": START,
    "app/runtime/format.py": START,
    "app/serving/sockets.py": START,
    "app/setup/site.py": "command",
    "app/surveys/links.py": PEOPLE,
    "app/webhooks/outbox.py": REPEATED,
    "events/deletes/tombstones.py": ANALYSIS,
    "events/log/copying.py": BACKUP,
    "events/parts/digests.py": WRITER,
    "events/parts/ledger.py": WRITER,
    "events/parts/manifest.py": WRITER,
    "events/parts/sealing.py": WRITER,
    "events/privacy/journal.py": ANALYSIS,
    "events/store/embedded.py": STORE,
    "events/store/recovery.py": STORE,
    "events/tallies/evaluations.py": REPEATED,
    "events/tallies/refused_events.py": REPEATED,
    "events/writer/lease.py": WRITER,
    "events/writer/decoding.py": WRITER,
    "events/writer/rest.py": BACKUP,
    "experiments/catalog/overrides.py": "request",
    "experiments/catalog/publisher.py": "supervisor",
    "experiments/definitions/schema.py": "command",
    "experiments/drafts/keeping.py": "request",
    "recommender/model/artefact.py": TRAINING,
    "recommender/model/product_feed.py": "request",
    "recommender/publishing/publish.py": TRAINING,
}


def writers(root: Path) -> set[str]:
    """The modules of the product that call what writes."""
    found: set[str] = set()
    for package in ("app", "events", "experiments", "recommender"):
        for path in (root / package).rglob("*.py"):
            calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            if any(isinstance(called, ast.Name) and called.id in WRITES for called in calls):
                found.add(path.relative_to(root).as_posix())
    return found


def test_each_module_that_writes_is_listed_with_where_a_refusal_is_met() -> None:
    assert writers(ROOT) == MET.keys()


def test_a_module_that_writes_and_is_not_listed_is_found(tmp_path: Path) -> None:
    for package in ("app", "events", "experiments", "recommender"):
        (tmp_path / package).mkdir()
    (tmp_path / "app" / "new.py").write_text("def keep(path):\n    replace_file(path, b'')\n")
    assert writers(tmp_path) == {"app/new.py"}


REQUESTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "preview": (
        "POST",
        "/v1/experiments/banner/preview",
        {"json": {"variant": "threshold", "url": "https://a.example/"}},
    ),
    "share": ("POST", "/v1/experiments/banner/shares", {"json": {}}),
    "products": ("PUT", "/v1/products", {"content": b'{"product_id": "a"}\n'}),
    "pause": ("POST", "/v1/experiments/banner/pause", {"json": {}}),
    "resume": ("POST", "/v1/experiments/paused/resume", {"json": {}}),
}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    with OneWorker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_told_503_and_when_to_come_again(worker: OneWorker, name: str, step: str, number: int) -> None:
    method, path, body = REQUESTS[name]
    (worker.settings.data / "secrets" / "previews.key").unlink(missing_ok=True)
    with worker.client(SECRET) as client, failing(number, step, worker.settings.data) as refused:
        answer = client.request(method, path, **body)  # type: ignore[arg-type]
    if not refused:  # nothing of it is written at this step
        assert answer.status_code < 300, answer.text
        return
    assert answer.status_code in (202, 503), answer.text
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] not in {"unexpected_error", "analysis_failed"}


COMMANDS: dict[str, tuple[str, ...]] = {
    "pause": ("pause", "banner"),
    "resume": ("resume", "paused"),
    "people": ("people", "add", "ada@shop.example", "--role", "viewer"),
    "keys": ("keys", "new", "backend", "--scopes", "track"),
    "preview": ("preview", "banner:threshold"),
    "new": ("new", "another"),
}


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_one_line_and_ends_with_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    step: str,
    number: int,
) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER, paused=BANNER.replace("key: banner", "key: paused").replace("running", "paused"))
    monkeypatch.setenv("RESONATE_DATA", str(shop.data))
    monkeypatch.setenv("RESONATE_DEFINITIONS", str(shop.definitions))
    monkeypatch.setenv("RESONATE_KEYS", str(tmp_path / "keys.yaml"))
    monkeypatch.setattr("sys.argv", ["resonate", *COMMANDS[name]])
    with failing(number, step, tmp_path) as refused, pytest.raises(SystemExit) as ended:
        command_line.main()
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if not refused:  # nothing of it is written at this step
        assert ended.value.code == 0
    elif ended.value.code:
        assert ended.value.code == 1
        assert said.strip()
    else:  # a pause is done all the same, and says what it lacks
        assert (name, "nothing there says who told" in said) == ("pause", True)


@pytest.mark.parametrize("number", ERRORS, ids=os.strerror)
@pytest.mark.parametrize("step", STEPS)
def test_the_supervisor_names_it_and_goes_on(tmp_path: Path, step: str, number: int) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER)
    notes: dict[str, str | None] = {}

    def note(code: str, named: str | None) -> None:
        notes[code] = named

    audit = Audit(shop.data)
    shop.keeper.note = note
    keys_file = tmp_path / "keys.yaml"
    keys_file.write_text("keys: []\n")
    keys_file.chmod(0o600)
    keys = KeysKeeper(keys_file, shop.data, iter(range(1_000)).__next__)
    keys.boot()
    upkeep = Upkeep(tmp_path / "uploads", audit, note, iter(range(1_000)).__next__)
    directory = DataDirectory(shop.data)
    with failing(number, step, tmp_path) as refused:
        shop.obey(Order("banner", "pause"))
        shop.edit(BANNER + "name: Another\n")
        upkeep.put(directory.address_file, b"{}")
        audit.follow(line_of(Actor("system", "test"), "pause", "banner"))
        keys_file.write_text("keys: []\nuser_tokens: []\n")
        for _ in range(3):
            keys.poll()
        upkeep.look()
        served = shop.keeper.catalog.experiments["banner"]
        assert (served.status, bool(refused)) == ("paused", True)
        assert (notes["catalogue_not_kept"], notes["files_not_kept"]) == ("", "run")
    for _ in range(20):
        shop.keeper.poll()
    upkeep.put(directory.address_file, b"{}")
    upkeep.look()
    assert notes == {
        "catalogue_not_kept": None,
        "files_not_kept": None,
        "audit_not_kept": None,
        "definitions_missing": None,
    }
    assert shop.new_keeper().boot().experiments["banner"].status == "paused"


def test_each_error_has_words_and_what_ends_it() -> None:
    assert all("; " in words for words in UNWRITTEN.values())
