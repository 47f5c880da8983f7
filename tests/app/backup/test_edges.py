"""What somebody else put into a data directory or into a backup, and a restore that fails at its end."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from oracles.writing import record
from servers.patience import HUNG_SECONDS
from worlds.event_log import received, write_log

from app.backup.making import BackupRefused, make_backup
from app.backup.manifest import MANIFEST, BackupUnusable, check_backup, read_backup
from app.backup.restoring import RestoreRefused, restore_backup
from app.runtime.format import FormatRefused, check_user, check_whole
from app.runtime.settings import Settings, load_settings

KILLED = """
import os, sys
from pathlib import Path
from app.backup.restoring import restore_backup
left, rename = [*range(int(sys.argv[3]))], Path.rename
Path.rename = lambda path, to: (left.pop(), rename(path, to))[1] if left else os._exit(9)
restore_backup(Path(sys.argv[1]), Path(sys.argv[2]), [], lambda done, total: None)
"""


def untold(done: int, total: int) -> None:
    """Nobody looks at how far it is."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a data directory that no service uses."""
    data = tmp_path / "data"
    data.mkdir()
    write_log(data, received([record("m-1", "v-1")]))
    return load_settings({"RESONATE_DATA": str(data)})


@pytest.mark.parametrize("name", ["data/{}", "data/./up/../{}", "data/up//up", "data/up/", "data/u\0p", "./data/up"])
def test_a_name_in_a_manifest_leads_nowhere_but_into_the_directory(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    backup, outside = tmp_path / "backup", tmp_path / "outside"
    make_backup(settings, backup)
    name = name.format(outside)
    told = msgspec.json.decode((backup / MANIFEST).read_bytes())
    told["files"][name] = next(iter(told["files"].values()))
    (backup / MANIFEST).write_bytes(msgspec.json.encode(told))
    with pytest.raises(RestoreRefused, match="which is no file of a backup"):
        restore_backup(backup, tmp_path / "restored", [], untold)
    with pytest.raises(BackupUnusable, match="which is no file of a backup"):
        check_backup(backup, untold)
    assert not outside.exists()
    assert not (tmp_path / "restored").exists()


def test_what_is_written_there_is_not_written_outside(settings: Settings, tmp_path: Path) -> None:
    """By the manifest's own digest, the file of the backup itself, at the path that a name hides."""
    backup, outside = tmp_path / "backup", tmp_path / "outside"
    make_backup(settings, backup)
    told = msgspec.json.decode((backup / MANIFEST).read_bytes())
    own = next(name for name in told["files"] if name.startswith("data/log/"))
    hidden = f"data/{outside}"
    (backup / hidden).parent.mkdir(parents=True)
    (backup / hidden).write_bytes((backup / own).read_bytes())
    told["files"][hidden] = told["files"][own]
    (backup / MANIFEST).write_bytes(msgspec.json.encode(told))
    with pytest.raises(RestoreRefused):
        restore_backup(backup, tmp_path / "restored", [], untold)
    assert not outside.exists()


def test_of_a_restore_that_fails_at_its_end_nothing_is_left_in_a_directory_that_was_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails when the names in it are to be kept."""
    make_backup(settings, tmp_path / "backup")
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    with monkeypatch.context() as failing:

        def fail(folder: Path) -> None:
            assert (folder / "log").is_dir()
            raise OSError(errno.EIO, "Input/output error", str(folder))

        failing.setattr("app.backup.restoring.sync", fail)
        with pytest.raises(RestoreRefused, match="nothing was restored"):
            restore_backup(tmp_path / "backup", tmp_path / "disk", [], untold)
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["lost+found"]
    assert restore_backup(tmp_path / "backup", tmp_path / "disk", [], untold).log.rows == 1


def test_what_a_disk_keeps_for_itself_and_what_is_no_file_are_left_out(settings: Settings, tmp_path: Path) -> None:
    for place in ("lost+found/inode", "models/notes"):
        (settings.data / place).parent.mkdir()
        (settings.data / place).write_text("somebody's")
    os.mkfifo(settings.data / "models" / "pipe")
    os.mkfifo(settings.data / "pipe")
    make_backup(settings, tmp_path / "backup")
    names = read_backup(tmp_path / "backup").files
    assert "data/models/notes" in names
    assert not any("lost+found" in name or "pipe" in name for name in names)


def test_a_part_of_a_backup_is_no_data_directory(settings: Settings, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    make_backup(settings, backup)
    (tmp_path / "shop").symlink_to(backup / "data")
    for part in (backup, backup / "data", tmp_path / "shop"):
        with pytest.raises(FormatRefused, match=f"it is a part of the backup {backup}, which would be changed"):
            check_whole(part, writes=True)
        check_whole(part)  # who only reads may
    check_whole(settings.data, writes=True)


@pytest.mark.parametrize("beside", ["[{}]", "7", "{", "[" * 100_000, '{"shards": 4, "name": "a shop\'s own"}'])
def test_what_somebody_else_calls_a_manifest_is_no_backup(settings: Settings, tmp_path: Path, beside: str) -> None:
    (tmp_path / "manifest.json").write_text(beside)
    check_whole(settings.data, writes=True)


@pytest.mark.parametrize("put", [0, 1])
def test_a_restore_that_was_killed_while_it_put_things_into_place_is_no_data_directory(
    settings: Settings, tmp_path: Path, put: int
) -> None:
    """As by SIGKILL, with so many of its names in place; whoever reads or serves is told, and what is there stays."""
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    (settings.data / "people.json").write_text("{}")
    make_backup(settings, backup)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(backup), str(restored), str(put)], check=False)
    assert ended.returncode == 9
    assert len([path for path in restored.iterdir() if not path.name.startswith(".tmp-")]) == put + 1  # and the lock
    for command in (["serve", "--port", "0"], ["export"], ["backup", str(tmp_path / "another")]):
        refused = subprocess.run(
            [sys.executable, "-m", "app.cli.main", *command],
            env={**os.environ, "RESONATE_DATA": str(restored), "RESONATE_DEFINITIONS": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=HUNG_SECONDS,
        )  # fmt: skip
        assert refused.returncode == 1
        assert "empty it and restore again" in refused.stderr
    if put:
        with pytest.raises(RestoreRefused, match="is not empty"):
            restore_backup(backup, restored, [], untold)
        shutil.rmtree(restored)
    assert restore_backup(backup, restored, [], untold).log.rows == 1
    check_whole(restored, writes=True)


NICE = """
import os, sys
from app.cli.main import main
before, sys.argv = os.nice(0), ["resonate", "backup", sys.argv[1]]
try:
    main()
finally:
    print(os.nice(0) - before)
"""


def test_what_the_service_answers_goes_before_the_command(settings: Settings, tmp_path: Path) -> None:
    environment = {**os.environ, "RESONATE_DATA": str(settings.data)}
    command = [sys.executable, "-c", NICE, str(tmp_path / "backup")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=HUNG_SECONDS)
    assert done.stdout.splitlines()[-1] == "10"


def test_a_restore_that_is_refused_leaves_no_lock_in_what_is_somebody_elses(settings: Settings, tmp_path: Path) -> None:
    make_backup(settings, tmp_path / "backup")
    others = tmp_path / "photographs"
    others.mkdir()
    (others / "sea.jpg").write_bytes(b"blue")
    with pytest.raises(RestoreRefused, match="is not empty"):
        restore_backup(tmp_path / "backup", others, [], untold)
    assert [path.name for path in others.iterdir()] == ["sea.jpg"]


def test_what_cannot_be_told_is_not_in_a_backup_and_is_named(settings: Settings, tmp_path: Path) -> None:
    """A file that somebody put there, under a name of another encoding."""
    (settings.data / "models").mkdir()
    for place in ("notes-gr\udcf6sse", "models/notes-gr\udcf6sse"):
        (settings.data / place).write_text("somebody's")
    manifest = make_backup(settings, tmp_path / "backup")
    assert [damage.name for damage in manifest.damages] == ["data/notes-gr\ufffdsse", "data/models/notes-gr\ufffdsse"]
    assert "it is not in the backup: rename it" in manifest.damages[0].cause
    assert check_backup(tmp_path / "backup", untold).damages == manifest.damages
    assert not any("gr" in path.name for path in (tmp_path / "backup").rglob("*"))
    assert restore_backup(tmp_path / "backup", tmp_path / "restored", [], untold).log.rows == 1
    with pytest.raises(BackupRefused, match="its name is not UTF-8; name another folder"):
        make_backup(settings, tmp_path / "gr\udcf6sse")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be taken for another user")
def test_root_leaves_nothing_where_a_service_of_another_user_runs(settings: Settings, tmp_path: Path) -> None:
    (settings.data / "run").mkdir()
    os.chown(settings.data / "run", 65534, 65534)
    before = sorted(settings.data.rglob("*"))
    for command in (["backup", str(tmp_path / "backup")], ["pause", "banner"], ["export"]):
        refused = subprocess.run(
            [sys.executable, "-m", "app.cli.main", *command],
            env={**os.environ, "RESONATE_DATA": str(settings.data)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (refused.returncode, "run this as that user" in refused.stderr) == (1, True), command
    assert sorted(settings.data.rglob("*")) == before
    assert not (tmp_path / "backup").exists()
    os.chown(settings.data / "run", 0, 0)
    check_user(settings.data)
