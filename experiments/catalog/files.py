"""Where the catalogue lives in the data directory: its files, how they are written and read back."""

import gzip
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from experiments.definitions.content import PublishedCatalog
from experiments.definitions.model import Definition, LearnFrom
from kit.files import FilesToKeep, read_or_none
from kit.located import DefinitionError
from kit.time import microseconds, moment_of

_HISTORY_NAME: Final = re.compile(r"(\d{16})-([0-9a-f]{32})\.json\.gz")


class CatalogPaths:
    """The files of `<data>/catalogue/`. One keeper writes them; only `overrides` has other writers, under a lock."""

    def __init__(self, data: Path) -> None:
        """Those of a data directory."""
        self.folder = data / "catalogue"
        self.current = self.folder / "current.json"  # the last good catalogue, which is served
        self.state = self.folder / "state.json"  # what is wrong with the definition files now
        self.sources = self.folder / "sources.json"  # the texts of the files that the last good one was read from
        self.phases = self.folder / "phases.json"  # the frozen designs
        self.overrides = self.folder / "overrides.json"  # pauses, resumptions and stops ordered without the files
        self.history = self.folder / "history"  # every catalogue that was ever served, by the time it was received


class KeeperState(Definition):
    """What is wrong with the definition files now; no errors where the folder is what is served."""

    errors: tuple[DefinitionError, ...] = ()
    since: datetime | None = None


_STATE: TypeAdapter[KeeperState] = TypeAdapter(KeeperState)
_SOURCES: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


def read_published(path: Path) -> PublishedCatalog | None:
    """A snapshot; None where there is none that can be read."""
    try:
        content = read_or_none(path)
        if content and path.suffix == ".gz":
            content = gzip.decompress(content)
        return PublishedCatalog.model_validate_json(content) if content else None
    except (OSError, EOFError, zlib.error, ValidationError):
        return None


def learn_from(data: Path) -> LearnFrom:
    """Whose orders recommendations are learnt from, as the published catalogue of a data directory says."""
    published = read_published(CatalogPaths(data).current)
    return "auto" if published is None else published.content.learn_from


def last_good(paths: CatalogPaths) -> PublishedCatalog | None:
    """The snapshot to serve at boot: the current one, else the newest of the history that can be read."""
    found = read_published(paths.current)
    return found or next(filter(None, map(read_published, reversed(history_files(paths)))), None)


def publish_catalog(paths: CatalogPaths, snapshot: PublishedCatalog, files: FilesToKeep) -> None:
    """What is served is to stand in the files too; it enters the history first."""
    content = snapshot.model_dump_json().encode()
    files.put(history_path(paths, snapshot), gzip.compress(content, mtime=0))
    files.put(paths.current, content)


def history_path(paths: CatalogPaths, snapshot: PublishedCatalog) -> Path:
    """Where a snapshot lies in the history."""
    return paths.history / f"{microseconds(snapshot.received_at):016d}-{snapshot.version}.json.gz"


def put_sources(paths: CatalogPaths, sources: Mapping[str, bytes], files: FilesToKeep) -> None:
    """Keep the texts that the served catalogue was read from."""
    texts = {name: text.decode(errors="replace") for name, text in sources.items()}
    files.put(paths.sources, _SOURCES.dump_json(texts))


def read_sources_of(paths: CatalogPaths) -> dict[str, bytes]:
    """The texts that the served catalogue was read from; none where they cannot be read."""
    try:
        content = read_or_none(paths.sources)
        texts = _SOURCES.validate_json(content) if content else {}
    except (OSError, ValidationError):
        return {}
    return {name: text.encode() for name, text in texts.items()}


def keeper_state_json(state: KeeperState) -> bytes:
    """What is wrong, as it stands in its file and as workers are told."""
    return _STATE.dump_json(state)


def keeper_state_of(content: bytes) -> KeeperState:
    """What is wrong, as the keeper says. Raises ValidationError."""
    return _STATE.validate_json(content)


def read_keeper_state(paths: CatalogPaths) -> KeeperState:
    """What is wrong, as the keeper last said."""
    try:
        content = read_or_none(paths.state)
        return keeper_state_of(content) if content else KeeperState()
    except (OSError, ValidationError):
        return KeeperState()


def history_files(paths: CatalogPaths) -> list[Path]:
    """Every snapshot that was served, the oldest first."""
    try:
        names = sorted(path.name for path in paths.history.iterdir() if _HISTORY_NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []
    return [paths.history / name for name in names]


def time_of(path: Path) -> datetime:
    """When a snapshot of the history was received."""
    return moment_of(int(path.name.partition("-")[0]))
