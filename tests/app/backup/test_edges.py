"""What somebody else put into a data directory or into a backup, and a restore that fails at its end."""

import errno
import os
from pathlib import Path

import msgspec
import pytest
from oracles.writing import record
from worlds.event_log import received, write_log

from app.backup.making import make_backup
from app.backup.manifest import MANIFEST, BackupUnusable, check_backup, read_backup
from app.backup.restoring import RestoreRefused, restore_backup
from app.runtime.data_directory import DataDirectory, DirectoryUnusable
from app.runtime.settings import Settings, load_settings


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
    make_backup(settings, tmp_path / "backup")
    with pytest.raises(DirectoryUnusable, match="it is a part of the backup"):
        DataDirectory(tmp_path / "backup" / "data").refuse_pieces()
    DataDirectory(settings.data).refuse_pieces()


def test_a_restore_that_was_killed_while_it_put_things_into_place_is_no_data_directory(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup, restored = tmp_path / "backup", tmp_path / "restored"
    make_backup(settings, backup)

    def killed(*_: object) -> None:
        raise SystemExit  # and nothing else of it runs

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(SystemExit):
            restore_backup(backup, restored, [], untold)
    with pytest.raises(DirectoryUnusable, match="empty it and restore again"):
        DataDirectory(restored).refuse_pieces()
    restore_backup(backup, restored, [], untold)
    DataDirectory(restored).refuse_pieces()
