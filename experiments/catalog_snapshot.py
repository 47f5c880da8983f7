"""Snapshots of the catalogue on disk: written by the keeper, read by every worker and by the analysis."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from experiments.catalog_content import Snapshot
from experiments.catalog_files import CatalogPaths, read_or_none, replace_file
from experiments.definition import Definition
from experiments.definition_errors import DefinitionError

_HISTORY_NAME: Final = re.compile(r"(\d{16})-([0-9a-f]{32})\.json\.gz")


class KeeperState(Definition):
    """What is wrong with the definition files now; no errors where the folder is what is served."""

    errors: tuple[DefinitionError, ...] = ()
    since: datetime | None = None


_STATE: TypeAdapter[KeeperState] = TypeAdapter(KeeperState)
_SOURCES: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


def read_snapshot(path: Path) -> Snapshot | None:
    """A snapshot; None where there is none that can be read."""
    try:
        content = read_or_none(path)
        if content and path.suffix == ".gz":
            content = gzip.decompress(content)
        return Snapshot.model_validate_json(content) if content else None
    except (OSError, EOFError, zlib.error, ValidationError):
        return None


def last_good(paths: CatalogPaths) -> Snapshot | None:
    """The snapshot to serve at boot: the current one, else the newest of the history that can be read."""
    found = read_snapshot(paths.current)
    return found or next(filter(None, map(read_snapshot, reversed(history_files(paths)))), None)


def publish(paths: CatalogPaths, snapshot: Snapshot, sources: Mapping[str, bytes]) -> None:
    """Make a snapshot the one that is served; it enters the history first."""
    content = snapshot.model_dump_json().encode()
    microseconds = round(snapshot.received_at.timestamp() * 1_000_000)
    replace_file(paths.history / f"{microseconds:016d}-{snapshot.version}.json.gz", gzip.compress(content, mtime=0))
    replace_file(paths.current, content)
    write_sources(paths, sources)


def write_sources(paths: CatalogPaths, sources: Mapping[str, bytes]) -> None:
    """Keep the texts that the served catalogue was read from."""
    replace_file(
        paths.sources, _SOURCES.dump_json({name: text.decode(errors="replace") for name, text in sources.items()})
    )


def read_sources_of(paths: CatalogPaths) -> dict[str, bytes]:
    """The texts that the served catalogue was read from; none where they cannot be read."""
    try:
        content = read_or_none(paths.sources)
        texts = _SOURCES.validate_json(content) if content else {}
    except (OSError, ValidationError):
        return {}
    return {name: text.encode() for name, text in texts.items()}


def write_state(paths: CatalogPaths, state: KeeperState) -> None:
    """Tell the workers what is wrong."""
    replace_file(paths.state, _STATE.dump_json(state))


def read_state(paths: CatalogPaths) -> KeeperState:
    """What is wrong, as the keeper last said."""
    try:
        content = read_or_none(paths.state)
        return _STATE.validate_json(content) if content else KeeperState()
    except (OSError, ValidationError):
        return KeeperState()


def history_files(paths: CatalogPaths) -> list[Path]:
    """Every snapshot that was served, the oldest first."""
    try:
        names = sorted(path.name for path in paths.history.iterdir() if _HISTORY_NAME.fullmatch(path.name))
    except FileNotFoundError:
        return []
    return [paths.history / name for name in names]


def received_at(path: Path) -> datetime:
    """When a snapshot of the history was received."""
    return datetime.fromtimestamp(int(path.name.partition("-")[0]) / 1_000_000, UTC)
