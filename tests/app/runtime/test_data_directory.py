"""The data directory belongs to one service at a time, and its sockets fit where the kernel takes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.runtime.data_directory import DataDirectory, DirectoryInUse, DirectoryUnusable
from kit.private import LONGEST_SOCKET_PATH


def test_a_second_claim_names_the_process_that_has_it(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.make(group_reads=False)
    directory.claim()
    with pytest.raises(DirectoryInUse, match=f"data directory in use by pid {os.getpid()}"):
        directory.claim()


def test_the_claim_ends_with_the_process_that_had_it(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.make(group_reads=False)
    code = (
        "import os, sys; from pathlib import Path; from app.runtime.data_directory import DataDirectory;"
        "DataDirectory(Path(sys.argv[1])).claim(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    directory.claim()


def test_a_directory_that_cannot_be_made_is_told_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryUnusable, match="RESONATE_DATA"):
        DataDirectory(tmp_path / "file" / "data").make(group_reads=False)


def test_a_long_path_still_gets_a_socket_that_the_kernel_takes(tmp_path: Path) -> None:
    path = DataDirectory(tmp_path / ("long" * 40)).analysis_socket
    assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
    assert path == DataDirectory(tmp_path / ("long" * 40)).analysis_socket


def test_two_long_paths_get_two_sockets(tmp_path: Path) -> None:
    one, other = (DataDirectory(tmp_path / (name * 40)).analysis_socket for name in ("left", "right"))
    assert one != other


def test_what_runs_is_for_its_owner_alone(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.make(group_reads=False)
    assert directory.run.stat().st_mode & 0o077 == 0
