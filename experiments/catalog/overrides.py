"""Pause, resume and stop without the files: orders that outrank them until the file says the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from experiments.catalog.catalog import Catalog
from experiments.catalog.files import CatalogPaths, locked, read_or_none, replace_file
from experiments.definitions.content import CatalogContent
from experiments.definitions.grammar import meant
from experiments.definitions.model import Definition, Status

Action = Literal["pause", "resume", "stop"]


class Override(Definition):
    """One order: this status, whatever the file says."""

    status: Status
    ordered_at: datetime


class OverrideRefused(Exception):
    """The order makes no sense for the experiment as it is; the message says what would."""


class UnknownExperiment(OverrideRefused):
    """No file defines an experiment of this key."""


_ADAPTER: TypeAdapter[dict[str, Override]] = TypeAdapter(dict[str, Override])
_WANTED: Final[dict[Action, Status]] = {"pause": "paused", "resume": "running", "stop": "stopped"}
_FROM: Final[dict[Action, tuple[Status, ...]]] = {
    "pause": ("running", "paused"),
    "resume": ("paused", "stopped", "running"),
    "stop": ("running", "paused", "stopped"),
}


def read_overrides(paths: CatalogPaths) -> dict[str, Override]:
    """The orders in force, by experiment key."""
    content = read_or_none(paths.overrides)
    return _ADAPTER.validate_json(content) if content else {}


def order(data: Path, catalog: Catalog, key: str, action: Action, now: datetime) -> Override:
    """Note an order on disk; the keeper publishes it within a second. An order that is in force already is answered.

    Raises UnknownExperiment, or OverrideRefused where the experiment's status does not allow it.
    """
    if key not in catalog.experiments:
        raise UnknownExperiment(f'unknown experiment "{key}"{meant(key, catalog.experiments)}')
    paths = CatalogPaths(data)
    with locked(paths.overrides):
        overrides = read_overrides(paths)
        status = overrides[key].status if key in overrides else catalog.experiments[key].status
        _check(catalog, key, action, status)
        if key in overrides and status == _WANTED[action]:
            return overrides[key]
        overrides[key] = Override(status=_WANTED[action], ordered_at=now)
        replace_file(paths.overrides, _ADAPTER.dump_json(overrides))
        return overrides[key]


def _check(catalog: Catalog, key: str, action: Action, status: Status) -> None:
    if status not in _FROM[action]:
        allowed = " or ".join(word for word in _FROM[action] if word != _WANTED[action])
        raise OverrideRefused(f"{key} is {status}, only one that is {allowed} can be told to {action}")
    written = catalog.written[key] if key in catalog.written else catalog.experiments[key].status
    if action == "resume" and _yields(_WANTED[action], written) and written != "running":
        raise OverrideRefused(f"{key}: the file says {written}, which an order cannot take back; edit the file")


def _yields(ordered: Status, written: Status) -> bool:
    """Whether an order gives way to the file: it says the same, or ends the experiment more firmly."""
    firmness: dict[Status, int] = {"running": 0, "paused": 1, "stopped": 2, "archived": 3, "draft": 3}
    return ordered == written or firmness[written] > max(firmness[ordered], 1)


def settle(paths: CatalogPaths, content: CatalogContent) -> Mapping[str, Status]:
    """The orders that outrank the files, by key; those the files have caught up with are forgotten."""
    overrides = read_overrides(paths)
    kept = outranking(overrides, content)
    if len(kept) != len(overrides):
        _forget(paths, overrides, kept)
    return kept


def outranking(overrides: Mapping[str, Override], content: CatalogContent) -> dict[str, Status]:
    """The orders that outrank what the files say, by key."""
    written: dict[str, Status] = {experiment.key: experiment.status for experiment in content.experiments}
    return {
        key: override.status
        for key, override in overrides.items()
        if key in written and not _yields(override.status, written[key])
    }


def _forget(paths: CatalogPaths, seen: Mapping[str, Override], kept: Mapping[str, Status]) -> None:
    """Take the settled orders off the disk, but not one that came meanwhile."""
    with locked(paths.overrides):
        settled = {key for key in seen if key not in kept}
        now = {key: value for key, value in read_overrides(paths).items() if key not in settled or value != seen[key]}
        replace_file(paths.overrides, _ADAPTER.dump_json(now))
