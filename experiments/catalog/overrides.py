"""Pause, resume and stop without the files: orders that outrank them until the file says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from experiments.catalog.catalog import Catalog
from experiments.catalog.files import CatalogPaths
from experiments.definitions.content import CatalogContent
from experiments.definitions.grammar import meant
from experiments.definitions.model import Definition, Experiment, Status
from kit.files import locked, read_or_none, replace_file

Action = Literal["pause", "resume", "stop"]


class Override(Definition):
    """One order: this status, whatever the file says. `phase` is the one that it was first carried out for."""

    status: Status
    ordered_at: datetime
    phase: int | None = None


class OverrideRefused(Exception):
    """The order makes no sense for the experiment as it is; the message says what would."""


class ExperimentStopped(OverrideRefused):
    """A phase that was stopped does not run again: since then everybody saw one variant."""


class NothingToOverride(OverrideRefused):
    """No file defines an experiment of this key."""


_ADAPTER: TypeAdapter[dict[str, Override]] = TypeAdapter(dict[str, Override])
_WANTED: Final[dict[Action, Status]] = {"pause": "paused", "resume": "running", "stop": "stopped"}
_FROM: Final[dict[Action, tuple[Status, ...]]] = {
    "pause": ("running", "paused"),
    "resume": ("paused", "running"),
    "stop": ("running", "paused", "stopped"),
}


def read_overrides(paths: CatalogPaths) -> dict[str, Override]:
    """The orders in force, by experiment key."""
    content = read_or_none(paths.overrides)
    return _ADAPTER.validate_json(content) if content else {}


def order(
    data: Path, catalog: Catalog, key: str, action: Action, now: datetime,
    tell: Callable[[Status, Status], None] = lambda before, after: None,
) -> Override:  # fmt: skip
    """Note an order on disk; the keeper publishes it within a second. An order that is in force already is answered.

    `tell` gets the status before and after: of a resume ahead of it, so that what it raises stops that; a pause and a
    stop wait for nothing. Raises NothingToOverride, or OverrideRefused where the experiment's status forbids it.
    """
    if key not in catalog.experiments:
        raise NothingToOverride(f'unknown experiment "{key}"{meant(key, catalog.experiments)}')
    paths, experiment = CatalogPaths(data), catalog.experiments[key]
    with locked(paths.overrides):
        overrides = read_overrides(paths)
        standing = overrides.get(key)
        status = standing.status if standing else experiment.status
        if action == "resume" and "stopped" in (status, catalog.written.get(key)):
            anew = f"write phase: {experiment.phase + 1} in its file to begin anew"
            raise ExperimentStopped(f"{key} was stopped, and everybody saw one variant since; {anew}")
        if status not in _FROM[action]:
            allowed = " or ".join(word for word in _FROM[action] if word != _WANTED[action])
            raise OverrideRefused(f"{key} is {status}, only one that is {allowed} can be told to {action}")
        since = standing.ordered_at if standing and status == _WANTED[action] else now
        overrides[key] = Override(status=_WANTED[action], ordered_at=since)
        if action == "resume":
            tell(status, "running")
        replace_file(paths.overrides, _ADAPTER.dump_json(overrides))
        if action != "resume":
            tell(status, _WANTED[action])
        return overrides[key]


def _yields(ordered: Status, written: Status) -> bool:
    """Whether an order gives way to the file: it says the same, or ends the experiment more firmly."""
    firmness: dict[Status, int] = {"running": 0, "paused": 1, "stopped": 2, "archived": 3, "draft": 3}
    return ordered == written or firmness[written] > max(firmness[ordered], 1)


def settled_overrides(paths: CatalogPaths, content: CatalogContent) -> Mapping[str, Status]:
    """The orders that outrank the files, by key; those the files have caught up with are forgotten.

    The phase that an order is carried out for is noted, because a stop is one phase's.
    """
    overrides = read_overrides(paths)
    kept = outranking(overrides, content)
    phases = {experiment.key: experiment.phase for experiment in content.experiments}
    settled = {
        key: value if value.phase is not None else value.model_copy(update={"phase": phases[key]})
        for key, value in overrides.items()
        if key in kept
    }
    if settled != overrides:
        with locked(paths.overrides):  # an order that came meanwhile stays
            new = {key: value for key, value in read_overrides(paths).items() if overrides.get(key) != value}
            replace_file(paths.overrides, _ADAPTER.dump_json(settled | new))
    return kept


def outranking(overrides: Mapping[str, Override], content: CatalogContent) -> dict[str, Status]:
    """The orders that outrank what the files say, by key."""
    present = {experiment.key: experiment for experiment in content.experiments}
    return {
        key: override.status
        for key, override in overrides.items()
        if key in present
        and not _yields(override.status, present[key].status)
        and not _outlived(override, present[key])
    }


def _outlived(override: Override, experiment: Experiment) -> bool:
    """Whether it stopped an earlier phase than the one that the file begins."""
    return override.status == "stopped" and override.phase is not None and override.phase < experiment.phase
