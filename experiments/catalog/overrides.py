"""Start, pause, resume, stop and ship without the files: orders that outrank them until the file says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from experiments.catalog.catalog import Catalog
from experiments.catalog.files import CatalogPaths
from experiments.definitions.content import CatalogContent, Course
from experiments.definitions.experiment import ExperimentFile
from experiments.definitions.grammar import meant
from experiments.definitions.model import DecisionNote, Definition, Experiment, Status
from kit.files import Ballast, keep_file, locked, read_or_none
from kit.located import DefinitionError
from kit.suggestions import did_you_mean

Action = Literal["start", "pause", "resume", "stop", "ship"]


class Override(Definition):
    """One order: this status, whatever the file says. `phase` is the one that it was first carried out for.

    `started` is one of an experiment that was a draft and was told to start: it outranks the draft's file, and so does
    every order that follows it. `shipped` is the variant that a ship shows to everybody.
    """

    status: Status
    ordered_at: datetime
    phase: int | None = None
    started: bool = False
    shipped: str | None = None

    @property
    def course(self) -> Course:
        """What becomes of the experiment by it."""
        decided = DecisionNote(outcome="shipped", variant=self.shipped) if self.shipped else None
        return Course(status=self.status, decision=decided)


class Order(NamedTuple):
    """What an experiment is told; `variant` is what is shipped."""

    key: str
    action: Action
    variant: str | None = None


class OverrideRefused(Exception):
    """The order makes no sense for the experiment as it is; the message says what would."""


class ExperimentStopped(OverrideRefused):
    """A phase that was stopped does not run again: since then everybody saw one variant."""


class NoVariantToShip(OverrideRefused):
    """A ship that names no variant of the experiment."""


class NothingToOverride(OverrideRefused):
    """No file defines an experiment of this key."""


_ADAPTER: TypeAdapter[dict[str, Override]] = TypeAdapter(dict[str, Override])
_WANTED: Final[dict[Action, Status]] = {
    "start": "running", "pause": "paused", "resume": "running", "stop": "stopped", "ship": "stopped",
}  # fmt: skip
_FROM: Final[dict[Action, tuple[Status, ...]]] = {
    "start": ("draft", "running"),
    "pause": ("running", "paused"),
    "resume": ("paused", "running"),
    "stop": ("running", "paused", "stopped"),
    "ship": ("running", "paused", "stopped"),
}
WAITS_FOR_THE_AUDIT: Final[tuple[Action, ...]] = ("start", "resume", "ship")
"""What is done only once its line is kept; a pause and a stop wait for nothing."""


def read_overrides(paths: CatalogPaths) -> dict[str, Override]:
    """The orders in force, by experiment key."""
    content = read_or_none(paths.overrides)
    return _ADAPTER.validate_json(content) if content else {}


Telling = Callable[[Status, Status], None]
"""Gets the status before and after an order, ahead of it: what it raises stops the order."""


def new_order(
    catalog: Catalog, standing: Override | None, told: Order, now: datetime
) -> tuple[tuple[Status, Status], Override]:
    """An order that makes sense, and the status before and after it; `standing` is the one in force for its experiment.

    It is the only place that says which orders do. Raises NothingToOverride, or OverrideRefused where the experiment's
    status forbids it.
    """
    key, action = told.key, told.action
    if key not in catalog.experiments:
        raise NothingToOverride(f'unknown experiment "{key}"{meant(key, catalog.experiments)}')
    experiment = catalog.experiments[key]
    status = standing.status if standing else catalog.written.get(key, experiment.status)
    if action == "resume" and "stopped" in (status, catalog.written.get(key)):
        raise ExperimentStopped(_shown_since(experiment, standing))
    _check_order(told, status, experiment)
    new = Override(
        status=_WANTED[action],
        ordered_at=now,
        started=action == "start" or bool(standing and standing.started),
        shipped=told.variant if action == "ship" else None,
    )
    if standing and standing.course == new.course:
        new = new.model_copy(update={"ordered_at": standing.ordered_at})
    return (status, new.status), new


def order(
    data: Path, catalog: Catalog, told: Order, now: datetime, tell: Telling = lambda before, after: None
) -> Override:
    """Note an order on the disk where no service runs that could be told; the next one, or one that runs, obeys it.

    Raises NothingToOverride, OverrideRefused, or OSError where it cannot be kept.
    """
    paths = CatalogPaths(data)
    with locked(paths.overrides):
        overrides = read_overrides(paths)
        change, new = new_order(catalog, overrides.get(told.key), told, now)
        tell(*change)
        keep_file(paths.overrides, overrides_json({**overrides, told.key: new}), Ballast(data))
        return new


def overrides_json(overrides: Mapping[str, Override]) -> bytes:
    """The orders in force as they stand in their file."""
    return _ADAPTER.dump_json(dict(overrides))


def orders_joined(ours: Mapping[str, Override], others: Mapping[str, Override]) -> dict[str, Override]:
    """The orders of two hands: of one experiment the later one."""
    later = {key: each for key, each in others.items() if key not in ours or each.ordered_at >= ours[key].ordered_at}
    return {**ours, **later}


def _shown_since(experiment: Experiment, standing: Override | None) -> str:
    """Why what was stopped does not go on."""
    decided = experiment.decision.variant if experiment.decision.outcome == "shipped" else None
    shown = (standing and standing.shipped) or decided or experiment.variants[0].key
    since = "since then"
    if standing is not None and standing.status == "stopped":
        since = f"from {standing.ordered_at:%Y-%m-%d %H:%M} UTC to now"
    said = f"{experiment.key} was stopped, and variant {shown} was shown to everyone {since}"
    return f"{said}: write `phase: {experiment.phase + 1}` in its file to begin anew"


def _check_order(told: Order, status: Status, experiment: Experiment) -> None:
    """Raises OverrideRefused for an order that makes no sense."""
    key, action, variants = told.key, told.action, [variant.key for variant in experiment.variants]
    if status not in _FROM[action]:
        allowed = " or ".join(word for word in _FROM[action] if word != _WANTED[action])
        raise OverrideRefused(f"{key} is {status}, only one that is {allowed} can be told to {action}")
    if action == "ship" and told.variant not in variants:
        named, has = told.variant or "", f"{key} has {', '.join(variants)}"
        missing = f"no variant {named[:100]!r}{did_you_mean(named, variants)}"
        raise NoVariantToShip(f"{missing}; {has}" if named else f"ship which variant? {has}")


def _yields(given: Override, written: Experiment) -> bool:
    """Whether an order gives way to the file: it says the same, or ends the experiment more firmly.

    A ship stands until the file has its decision too, and what was told to start outranks the draft that it was.
    """
    if given.shipped:
        decided = written.decision
        same = written.status == "stopped" and (decided.outcome, decided.variant) == ("shipped", given.shipped)
        return same or written.status == "archived"
    if given.started and written.status == "draft":
        return False
    firmness: dict[Status, int] = {"running": 0, "paused": 1, "stopped": 2, "archived": 3, "draft": 3}
    return given.status == written.status or firmness[written.status] > max(firmness[given.status], 1)


def settled_orders(overrides: Mapping[str, Override], content: CatalogContent) -> dict[str, Override]:
    """The orders without those that the files have caught up with, each with the phase it is first carried out for,
    because a stop is one phase's.
    """
    kept = outranking(overrides, content)
    phases = {experiment.key: experiment.phase for experiment in content.experiments}
    return {
        key: value if value.phase is not None else value.model_copy(update={"phase": phases[key]})
        for key, value in overrides.items()
        if key in kept
    }


def outranking(overrides: Mapping[str, Override], content: CatalogContent) -> dict[str, Course]:
    """The orders that outrank what the files say, by key."""
    present = {experiment.key: experiment for experiment in content.experiments}
    return {
        key: override.course
        for key, override in overrides.items()
        if key in present and not _yields(override, present[key]) and not _outlived(override, present[key])
    }


def started_by_order(overrides: Mapping[str, Override], content: CatalogContent) -> dict[str, Course]:
    """Of the orders that outrank the files those of drafts that were told to start: their designs are frozen too."""
    in_force = outranking({key: each for key, each in overrides.items() if each.started}, content)
    drafts = {experiment.key for experiment in content.experiments if experiment.status == "draft"}
    return {key: course for key, course in in_force.items() if key in drafts}


def unwritten_orders(
    orders: Mapping[str, Override], content: CatalogContent, files: Mapping[str, ExperimentFile]
) -> Iterator[DefinitionError]:
    """Starts and ships that the files do not say yet, with the lines that say it."""
    for key, course in outranking(orders, content).items():
        file, given = files[key], orders[key]
        if given.shipped:
            message = f"{given.shipped} was shipped without this file; write status: stopped and"
            message += f" decision: {{outcome: shipped, variant: {given.shipped}}}"
        elif given.started:
            message = f"it was started without this file, which says draft; write status: {course.status}"
        else:
            continue
        yield DefinitionError(file.file, file.line("status"), "status", message)


def _outlived(override: Override, experiment: Experiment) -> bool:
    """Whether it stopped an earlier phase than the one that the file begins."""
    return override.status == "stopped" and override.phase is not None and override.phase < experiment.phase
