"""Drafts in the definitions folder: a new file is created once, and only what a page wrote is ever written again.

A page may edit a file that a page wrote, that nobody has changed since, and whose experiment never ran. Which files
those are stands in the data directory; without that record a file is somebody's own.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch
from typing import Final

import msgspec

from experiments.catalog.files import CatalogPaths
from experiments.catalog.overrides import read_overrides
from experiments.catalog.phases import stored_phases
from experiments.definitions.folder import SIDES, SUFFIXES
from experiments.definitions.quantities import KEY_PATTERN
from experiments.definitions.schema import lay_schema_beside
from kit.files import create_file, locked, make_folder, read_or_none, replace_file
from kit.yaml import MAX_BYTES

MOST_DRAFTS: Final = 1_000


class DraftRefused(Exception):
    """The file is not written; the message says why, and what would be right."""


class KeyTaken(DraftRefused):
    """There is something of this key already."""


class NotEditable(DraftRefused):
    """The file is somebody's own, or its experiment ran."""


class ChangedMeanwhile(DraftRefused):
    """Somebody else saved the draft since it was opened."""


class WrittenDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a page wrote: a digest of the file, who and when, and the fields of the form that it was made from."""

    digest: str
    by: str
    at: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the folder. `written` is what a page wrote of it; `kept_from` says why no page may write it again."""

    name: str
    text: str
    written: WrittenDraft | None
    kept_from: str

    @property
    def seen(self) -> str:
        """What tells this version of the file from others."""
        return text_digest(self.text)


class Drafts:
    """The drafts of a service; all its processes may read and write at any time. Every method may raise OSError."""

    def __init__(self, definitions: Path, data: Path) -> None:
        self.definitions = definitions
        self._records = data / "drafts"
        self._paths = CatalogPaths(data)

    def find(self, key: str) -> FoundFile | None:
        """What stands in the file of a key; None where there is none."""
        if not fullmatch(KEY_PATTERN, key) or key in SIDES:
            return None
        for suffix in SUFFIXES:
            path = self.definitions / f"{key}{suffix}"
            if path.is_file():
                with path.open("rb") as file:
                    text = file.read(MAX_BYTES).decode(errors="replace")
                return FoundFile(path.name, text, *self._standing(key, text))
        return None

    def taken(self, key: str) -> str:
        """Why a new experiment cannot be called this; empty where it can."""
        if not fullmatch(KEY_PATTERN, key):
            return f'"{key[:100]}" is no key'
        if key in SIDES:
            return f"{key}.yaml is the file of all experiments' {key}, choose another key"
        for suffix in SUFFIXES:
            path = self.definitions / f"{key}{suffix}"
            if path.is_symlink() or path.exists():
                return f"{path.name} is there already, choose another key; what is there is never written over"
        if self._ran(key):
            return "an experiment of this key ran before, choose another key: its visitors would be taken for new ones"
        return ""

    def create(self, key: str, text: str, written: WrittenDraft) -> None:
        """A new file, whole and once: of several who try at the same time one succeeds. Raises KeyTaken."""
        with self._alone():
            taken = self.taken(key)
            if taken:
                raise KeyTaken(taken)
            if sum(1 for _ in self._records.glob("*.json")) >= MOST_DRAFTS:
                raise DraftRefused(f"{MOST_DRAFTS:,} drafts were written by pages: delete the files of some first")
            if not create_file(self.definitions / f"{key}.yaml", text.encode()):
                raise KeyTaken(f"{key}.yaml is there already, choose another key; somebody was faster")
            with contextlib.suppress(OSError):  # the draft is there; editors do without
                lay_schema_beside(self.definitions)
            self._note(key, written)

    def replace(self, key: str, seen: str, text: str, written: WrittenDraft) -> None:
        """Another text for a draft of which `seen` was opened. Raises NotEditable and ChangedMeanwhile."""
        with self._alone():
            found = self.find(key)
            if found is None:
                raise NotEditable(f"{key}.yaml is gone; to write it anew, begin a new experiment")
            if found.kept_from:
                raise NotEditable(found.kept_from)
            if found.seen != seen:
                by = found.written.by if found.written else "somebody"
                raise ChangedMeanwhile(
                    f"{by} saved another version of {found.name} since you opened it, and it stays: open it again and"
                    " take over from here what is missing there"
                )
            replace_file(self.definitions / found.name, text.encode(), keeps_mode=True)
            self._note(key, written)

    def _standing(self, key: str, text: str) -> tuple[WrittenDraft | None, str]:
        """What a page wrote of a file, and why none may write it again."""
        written = self._record(key)
        if written is None:
            return None, f"{key}.yaml was not written by a page, so no page changes it: edit the file itself"
        if written.digest != text_digest(text):
            return written, f"{key}.yaml was changed by hand since a page wrote it, so no page changes it any more"
        if self._ran(key):
            return written, f"{key} has been started, so no page changes its file any more: edit the file itself"
        return written, ""

    def _ran(self, key: str) -> bool:
        """Whether an experiment was ever served, or somebody ordered that it is."""
        return key in read_overrides(self._paths) or any(name == key for name, _ in stored_phases(self._paths))

    def _record(self, key: str) -> WrittenDraft | None:
        content = read_or_none(self._record_of(key))
        try:
            return msgspec.json.decode(content, type=WrittenDraft) if content else None
        except (msgspec.MsgspecError, UnicodeDecodeError):  # then the file is somebody's own
            return None

    def _note(self, key: str, written: WrittenDraft) -> None:
        replace_file(self._record_of(key), msgspec.json.encode(written), mode=0o600)

    def _record_of(self, key: str) -> Path:
        return self._records / f"{key}.json"

    def _alone(self) -> AbstractContextManager[None]:
        make_folder(self._records.parent)
        return locked(self._records)


def text_digest(text: str) -> str:
    """What tells a text from others."""
    return hashlib.sha256(text.encode()).hexdigest()


def draft_written(text: str, by: str, at: str, fields: Mapping[str, str]) -> WrittenDraft:
    """What is kept of a file that a page writes."""
    return WrittenDraft(digest=text_digest(text), by=by, at=at, fields=dict(fields))
