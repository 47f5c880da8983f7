"""The definitions as one immutable snapshot with a version: what is served, compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from experiments.assignment.assign import CompiledExperiment
from experiments.assignment.compilation import compile_experiment
from experiments.definitions.content import CatalogContent, FormerDesign, PublishedCatalog
from experiments.definitions.model import Experiment, Holdout, Metric, Segment, Shop, Slot, Status

REPORTED_FOR = timedelta(hours=24)  # how long a client may hold an old payload and report exposures to it


@dataclass(frozen=True, slots=True)
class Catalog:
    """All definitions at one moment. `version` is a hash of the resolved content.

    `experiments` holds every file (drafts and archived ones too), with pauses and stops that were ordered without the
    files applied to `status`; `overridden` names those, `written` says what their files say. `compiled` holds the
    servable ones by key; `servable` and `running` are tuples of the same objects in order of key (`running`: status
    running; its dates are judged at each assignment); `shown` adds to these the stopped ones that shipped a variant:
    what a page gets that names none. `served` has, by key, every design served in the last 24 hours,
    the present one first.
    """

    version: str
    received_at: datetime
    shop: Shop
    experiments: Mapping[str, Experiment]
    metrics: Mapping[str, Metric]
    segments: Mapping[str, Segment]
    holdouts: Mapping[str, Holdout]
    slots: Mapping[str, Slot]
    overridden: Mapping[str, Status]
    written: Mapping[str, Status]
    compiled: Mapping[str, CompiledExperiment]
    servable: tuple[CompiledExperiment, ...]
    running: tuple[CompiledExperiment, ...]
    shown: tuple[CompiledExperiment, ...]
    served: Mapping[str, tuple[CompiledExperiment, ...]]


def catalog_of(snapshot: PublishedCatalog) -> Catalog:
    """A snapshot, compiled."""
    content = snapshot.content
    segments = {segment.name: segment for segment in content.segments}
    holdouts = {holdout.name: holdout for holdout in content.holdouts}
    servable = tuple(
        compile_experiment(experiment, segments, holdouts) for experiment in content.experiments if experiment.servable
    )
    served: dict[str, list[CompiledExperiment]] = {compiled.key: [compiled] for compiled in servable}
    for former in reversed(snapshot.former):
        compiled = compile_experiment(
            former.experiment,
            {segment.name: segment for segment in former.segments},
            {holdout.name: holdout for holdout in former.holdouts},
        )
        served.setdefault(compiled.key, []).append(compiled)
    return Catalog(
        version=snapshot.version,
        received_at=snapshot.received_at,
        shop=content.shop,
        experiments=MappingProxyType({experiment.key: experiment for experiment in content.experiments}),
        metrics=MappingProxyType({metric.name: metric for metric in content.metrics}),
        segments=MappingProxyType(segments),
        holdouts=MappingProxyType(holdouts),
        slots=MappingProxyType({slot.name: slot for slot in content.slots}),
        overridden=MappingProxyType(dict(snapshot.overridden)),
        written=MappingProxyType(dict(snapshot.written)),
        compiled=MappingProxyType({compiled.key: compiled for compiled in servable}),
        servable=servable,
        running=tuple(compiled for compiled in servable if compiled.definition.status == "running"),
        shown=tuple(each for each in servable if each.definition.status == "running" or each.shipped),
        served=MappingProxyType({key: tuple(designs) for key, designs in served.items()}),
    )


def former_designs(before: PublishedCatalog, after: CatalogContent, now: datetime) -> tuple[FormerDesign, ...]:
    """What clients may still report exposures to once `after` is served: each design that was served until now.

    Paused and stopped ones too: they may have run an hour ago, and a client may hold the payload of then.
    """
    kept = [former for former in before.former if former.until > now - REPORTED_FOR]
    for experiment in before.content.experiments:
        successor = after.experiment(experiment.key)
        if experiment.servable and not (successor and successor.servable and successor.phase == experiment.phase):
            former = FormerDesign(
                experiment=experiment, segments=before.content.segments, holdouts=before.content.holdouts, until=now
            )
            kept.append(former)
    return tuple(kept)
