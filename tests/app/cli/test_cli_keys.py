"""Keys made, listed and revoked by command: the file keeps what else stands in it, and the audit has who did it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers.one_worker import OneWorker
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.cli.output import Refused
from app.keys.audit import Audit, AuditLine, Wanted
from app.keys.file import read_keys
from app.keys.listed import KeysKeeper
from app.keys.named import FollowedKeys

Resonate = Callable[..., Result]
D = "sha256:" + "a" * 64
WRITTEN = f"""\
# keys of the shop; ask Jana before you add one
user_tokens: []
keys:
    # the tag
    - {{name: shop-web, class: publishable, digest: "{D}"}}
    -   name: analyst   # leaves in June
        class: secret
        digest: "sha256:{"b" * 64}"
# the end
"""


@pytest.fixture
def resonate(tmp_path: Path) -> Resonate:
    environment = {
        "RESONATE_KEYS": str(tmp_path / "keys.yaml"),
        "RESONATE_DATA": str(tmp_path / "data"),
        "RESONATE_DEFINITIONS": str(tmp_path / "definitions"),
    }

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=environment | more)

    return run


def made(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    assert isinstance(result.exception, Refused), result.output
    return str(result.exception)


def lines(data: Path) -> list[AuditLine]:
    return Audit(data).page(None, 1_000, Wanted())[0]


def test_a_new_key_is_shown_once_and_its_digest_kept(tmp_path: Path, resonate: Resonate) -> None:
    first = made(resonate("keys", "new", "backend", "--scopes", "track,evaluate", "--reason", "the new shop", "--json"))
    web = made(
        resonate(
            "keys", "new", "web", "--class", "publishable", "--origins", "https://a.example", "--site", "sk",
            "--expires", "2027-06-01", "--json",
        )
    )  # fmt: skip
    file = tmp_path / "keys.yaml"
    listed = read_keys(file.read_bytes()).keys
    assert [key.name for key in listed] == ["backend", "web"]
    assert listed[0].digest == hashlib.sha256(first["key"].encode()).hexdigest()
    assert (listed[0].scopes, listed[0].kind) == (("evaluate", "track"), "secret")
    assert (listed[1].site, listed[1].origins, listed[1].expires) == ("sk", ("https://a.example",), 1811808000.0)
    assert (first["key"][:3], web["key"][:3]) == ("sk_", "pk_")
    assert first["key"] not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    [line, _] = lines(tmp_path / "data")
    assert (line.act, line.subject, line.actor.kind, line.reason) == ("key.new", "backend", "cli", "the new shop")


def test_what_else_stands_in_the_file_stays(tmp_path: Path, resonate: Resonate) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(WRITTEN)
    file.chmod(0o640)
    made(resonate("keys", "new", "ops", "--json"))
    assert [key.name for key in read_keys(file.read_bytes()).keys] == ["shop-web", "analyst", "ops"]
    assert file.stat().st_mode & 0o777 == 0o640
    assert resonate("keys", "revoke", "ops").exit_code == 0
    assert file.read_text() == WRITTEN
    assert resonate("keys", "revoke", "analyst").exit_code == 0
    assert file.read_text() == WRITTEN.replace(WRITTEN[WRITTEN.index("    -   name") : WRITTEN.index("# the end")], "")
    assert resonate("keys", "revoke", "shop-web").exit_code == 0
    assert read_keys(file.read_bytes()).keys == ()
    made(resonate("keys", "new", "again", "--json"))
    assert [key.name for key in read_keys(file.read_bytes()).keys] == ["again"]


def test_a_list_at_the_left_edge_is_continued_there(tmp_path: Path, resonate: Resonate) -> None:
    (tmp_path / "keys.yaml").write_text(f'keys:\n- {{name: a, class: secret, digest: "{D}"}}\nuser_tokens: []\n')
    made(resonate("keys", "new", "b", "--json"))
    assert [key.name for key in read_keys((tmp_path / "keys.yaml").read_bytes()).keys] == ["a", "b"]
    assert resonate("keys", "revoke", "a").exit_code == 0
    assert [key.name for key in read_keys((tmp_path / "keys.yaml").read_bytes()).keys] == ["b"]


@pytest.mark.parametrize("empty", ["keys: []\n", "keys:   # none\n", "# nothing", "keys: null"])
def test_the_first_key_of_a_file(tmp_path: Path, resonate: Resonate, empty: str) -> None:
    (tmp_path / "keys.yaml").write_text(empty)
    made(resonate("keys", "new", "a", "--json"))
    assert [key.name for key in read_keys((tmp_path / "keys.yaml").read_bytes()).keys] == ["a"]


def test_a_list_that_no_command_can_change_is_left_and_said(tmp_path: Path, resonate: Resonate) -> None:
    text = (
        f'keys: [{{name: a, class: secret, digest: "{D}"}}, {{name: b, class: secret, digest: "sha256:{"b" * 64}"}}]\n'
    )
    (tmp_path / "keys.yaml").write_text(text)
    assert "add this to it by hand: - {name: c" in refusal(resonate("keys", "new", "c"))
    assert "delete it from line 1" in refusal(resonate("keys", "revoke", "a"))
    assert (tmp_path / "keys.yaml").read_text() == text
    assert lines(tmp_path / "data") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "shop-web"), "there is a key shop-web already"),
        (("new", "x", "--class", "publishable", "--scopes", "steer"), "steer is of secret keys"),
        (("new", "x", "--scopes", "red_results"), "did you mean read_results?"),
        (("new", "x", "--expires", "soon"), "it must be a day such as 2027-06-01"),
        (("new", "a b"), "a name has 1 to 64 letters"),
        (("revoke", "analyts"), "there is no key analyts, did you mean analyst?"),
        (("new", "x", "--reason", "r" * 501), "--reason has 501 characters"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_changed(
    tmp_path: Path, resonate: Resonate, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "keys.yaml").write_text(WRITTEN)
    assert said in refusal(resonate("keys", *arguments))
    assert (tmp_path / "keys.yaml").read_text() == WRITTEN
    assert lines(tmp_path / "data") == []


def test_without_a_file_it_is_said_which_setting_names_it(resonate: Resonate) -> None:
    assert "RESONATE_KEYS names no file" in refusal(resonate("keys", "list", RESONATE_KEYS=""))


def test_a_line_that_cannot_be_written_leaves_the_file_as_it_is(tmp_path: Path, resonate: Resonate) -> None:
    (tmp_path / "keys.yaml").write_text(WRITTEN)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "audit").write_text("in the way")
    assert "the audit line cannot be written" in refusal(resonate("keys", "new", "x"))
    assert (tmp_path / "keys.yaml").read_text() == WRITTEN


def test_a_running_service_takes_the_change_and_tells_it_once(tmp_path: Path, resonate: Resonate) -> None:
    (tmp_path / "keys.yaml").write_text("keys: []\n")
    with OneWorker(tmp_path, keys=tmp_path / "keys.yaml") as worker:
        key = made(resonate("keys", "new", "ops", "--json"))["key"]
        assert worker.key_list is not None
        worker.key_list.poll()
        worker.app.cold.state.resources.keys.take_up()
        with worker.client(key) as client:
            assert client.get("/v1/keys").status_code == 200
            told = client.get("/v1/audit", params={"subject": "ops"}).json()["lines"]
    assert [(line["act"], line["actor"]["kind"]) for line in told] == [("key.new", "cli")]
    listed = json.loads(resonate("keys", "list", "--json").stdout)["keys"]
    assert [each["name"] for each in listed] == ["ops"]
    assert "ops" in resonate("keys", "list").stdout


def test_what_a_hand_changed_meanwhile_is_told_as_the_hands(tmp_path: Path, resonate: Resonate) -> None:
    file, data = tmp_path / "keys.yaml", tmp_path / "data"
    file.write_text("keys: []\n")
    keeper = KeysKeeper(file, data)
    keeper.boot()
    file.write_text(WRITTEN)
    made(resonate("keys", "new", "ops", "--json"))
    keeper.boot()
    followed = FollowedKeys(data)
    followed.poll(0.0)
    assert [key.name for key in followed.in_force] == ["shop-web", "analyst", "ops"]
    told = {(line.act, line.subject, line.actor.kind) for line in lines(data)}
    assert ("key.new", "analyst", "file") in told
    assert ("key.new", "ops", "cli") in told
