"""What ails the embedded store, written where every process of the tree can read it, even on a full disk."""

import os
from pathlib import Path
from typing import Final

import msgspec

from events.causes import StoreCause

STATE_BYTES: Final = 1024  # written in place and never longer, so that a full disk cannot refuse it
LONGEST_TEXTS: Final = (300, 140, 60)  # characters of a sentence: fewer where they take up to six bytes each


class StoreState(msgspec.Struct, frozen=True, kw_only=True):
    """The embedded store as its owner sees it.

    `cause` is a word for machines (`store_disk_full`, `store_aof_damaged`, `store_down`, …) while it does not run,
    `detail` a sentence for people. `recovery` says what was cut or moved aside, as long as that lies in the directory.
    """

    running: bool
    cause: StoreCause | None = None
    detail: str | None = None
    restarts: int = 0
    recovery: str | None = msgspec.field(default=None, name="salvage")  # as it is written


def store_directory(data: Path) -> Path:
    """The folder of the embedded store inside a data directory."""
    return data / "store"


def write_state(data: Path, state: StoreState) -> None:
    """Overwrites the state in place."""
    cut = (
        msgspec.structs.replace(
            state, detail=state.detail and state.detail[:most], recovery=state.recovery and state.recovery[:most]
        )
        for most in LONGEST_TEXTS
    )
    text = next(text for text in map(msgspec.json.encode, cut) if len(text) <= STATE_BYTES).ljust(STATE_BYTES)
    descriptor = os.open(store_directory(data) / "state", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, text, 0)
    finally:
        os.close(descriptor)


def read_state(data: Path) -> StoreState | None:
    """The state last written, or None where there is none that can be read."""
    try:
        return msgspec.json.decode((store_directory(data) / "state").read_bytes(), type=StoreState)
    except (OSError, msgspec.DecodeError):
        return None


def recorded_cause(data: Path) -> StoreCause | None:
    """Why the embedded store does not run, or None when nothing is recorded against it.

    A state that was begun and is empty could not be written: the disk was full from the first moment on.
    """
    state = read_state(data)
    if state is not None:
        return state.cause
    try:
        return "store_disk_full" if (store_directory(data) / "state").stat().st_size == 0 else None
    except OSError:
        return None
