"""What is left of uploads goes once it has lain there, and whatever clock its folder goes by."""

import os
from pathlib import Path

import pytest

from app.keys.audit import Audit
from app.processes.upkeep import OLDEST_UPLOAD_SECONDS, SWEEP_SECONDS, Upkeep
from kit.files import temporary_path


@pytest.mark.parametrize("changed_at", [1_000, 4_000_000_000])
def test_an_upload_is_a_leftover_once_it_was_seen_for_so_long(tmp_path: Path, changed_at: int) -> None:
    passed = [0.0]
    upkeep = Upkeep(tmp_path, Audit(tmp_path), lambda *_: None, lambda: passed[0])
    upload = temporary_path(tmp_path / "feed")
    upload.write_bytes(b"")
    os.utime(upload, (changed_at, changed_at))
    while passed[0] < OLDEST_UPLOAD_SECONDS:
        upkeep.look()
        assert upload.exists()
        passed[0] += SWEEP_SECONDS
    upkeep.look()
    assert not upload.exists()
