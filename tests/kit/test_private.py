"""What belongs to one user: folders that others made or may use are refused or closed, and strangers are not heard."""

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from servers.patience import HUNG_SECONDS

from kit.private import (
    LONGEST_SOCKET_PATH,
    NotPrivate,
    close_to_others,
    inherit_private,
    is_trusted,
    keep_private,
    private_folder,
    socket_place,
)

CALL = "import os, socket, sys; os.setuid({}); socket.socket(socket.AF_UNIX).connect(sys.argv[1]); sys.stdin.read()"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def old_folder(folder: Path) -> Path:
    """As an older version left it, with all that may lie in a folder."""
    (folder / "log" / "day").mkdir(parents=True)
    for path in (folder / "keys.json", folder / "log" / "day" / "part"):
        path.write_text("")
        path.chmod(0o664)
    for path in (folder, folder / "log", folder / "log" / "day"):
        path.chmod(0o2775)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s"))
    (folder / "s").chmod(0o777)
    return folder


def test_a_folder_of_an_older_version_is_closed_with_all_in_it(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "data")
    assert close_to_others(folder, group_reads=False) == 0o2775
    assert [path for path in (folder, *folder.rglob("*")) if mode(path) & 0o077] == []
    assert close_to_others(folder, group_reads=False) is None


def test_a_group_may_go_on_reading_what_it_may_and_no_more(tmp_path: Path) -> None:
    folder = old_folder(tmp_path / "data")
    close_to_others(folder, group_reads=True)
    assert {path.name: mode(path) & 0o777 for path in (folder, *folder.rglob("*"))} == {
        "data": 0o750, "log": 0o750, "day": 0o750, "keys.json": 0o640, "part": 0o640, "s": 0o750,
    }  # fmt: skip


def test_what_a_link_inside_leads_to_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("")
    outside.chmod(0o644)
    folder = old_folder(tmp_path / "data")
    (folder / "link").symlink_to(outside)
    (tmp_path / "place").symlink_to(folder)  # the folder itself may be one: an administrator's, to another disk
    close_to_others(tmp_path / "place", group_reads=False)
    assert (mode(outside), mode(folder) & 0o777) == (0o644, 0o700)


def test_a_folder_that_stays_open_is_refused_with_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other disk"
    folder.mkdir()
    folder.chmod(0o775)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as file systems without modes do
    with pytest.raises(NotPrivate, match=f"chmod 700 '{folder}'"):
        close_to_others(folder, group_reads=False)


@pytest.mark.parametrize("premade", ["link", "file", "another user's"])
def test_a_folder_that_someone_else_could_have_made_is_refused(tmp_path: Path, premade: str) -> None:
    folder = tmp_path / "resonate-0"
    if premade == "link":
        folder.symlink_to(tmp_path)
    elif premade == "file":
        folder.write_text("")
    elif os.geteuid() == 0:
        folder.mkdir()
        os.chown(folder, 4242, -1)
    else:
        folder = Path("/usr")
    with pytest.raises(OSError, match=r"someone else|File exists"):
        private_folder(folder)


def test_a_private_folder_is_made_or_closed(tmp_path: Path) -> None:
    private_folder(tmp_path / "run")
    assert mode(tmp_path / "run") == 0o700
    (tmp_path / "run").chmod(0o755)
    private_folder(tmp_path / "run")
    assert mode(tmp_path / "run") == 0o700


def test_a_socket_lies_where_it_is_meant_to_or_in_a_short_place_of_its_own(tmp_path: Path) -> None:
    assert socket_place(Path("/srv/shop/run/s.sock")) == Path("/srv/shop/run/s.sock")
    one, other = (socket_place(tmp_path / (name * 40) / "s.sock") for name in ("left", "right"))
    assert one == socket_place(tmp_path / ("left" * 40) / "s.sock") != other
    assert max(len(os.fsencode(path)) for path in (one, other)) <= LONGEST_SOCKET_PATH


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as another user")
def test_another_user_is_told_apart_at_the_other_end_of_a_socket() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        place = Path(folder) / "s"
        place.parent.chmod(0o755)
        listener.bind(str(place))
        place.chmod(0o777)
        listener.settimeout(HUNG_SECONDS)
        listener.listen()
        for user in (0, 65534):
            command = [sys.executable, "-I", "-c", CALL.format(user), str(place)]
            with subprocess.Popen(command, stdin=subprocess.PIPE):
                caller, _ = listener.accept()
                assert is_trusted(caller.fileno()) == (user == 0)
                caller.close()


def test_what_a_process_makes_is_its_users_alone_and_a_childs_as_its_parents(tmp_path: Path) -> None:
    before = os.umask(0)
    made: dict[str, int] = {}
    try:
        for name, choose in {
            "nobody's": inherit_private,
            "own": keep_private,
            "own, inherited": inherit_private,
            "a group's": lambda: keep_private(group_reads=True),
            "a group's, inherited": inherit_private,
        }.items():
            choose()
            (tmp_path / name).write_text("")
            made[name] = mode(tmp_path / name)
    finally:
        os.umask(before)
    assert made == {
        "nobody's": 0o640, "own": 0o600, "own, inherited": 0o600, "a group's": 0o640, "a group's, inherited": 0o640,
    }  # fmt: skip
