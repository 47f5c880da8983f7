"""The definitions as one immutable snapshot with a version: what is served, compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from experiments.assignment.assign import CompiledExperiment
from experiments.assignment.compilation import compile_experiment
from experiments.assignment.payload import Secured
from experiments.catalog.heard import Heard
from experiments.catalog.visible import Released, Visible, is_released
from experiments.definitions.content import CatalogContent, FormerDesign, PublishedCatalog
from experiments.definitions.model import Experiment, Status
from experiments.definitions.shop import Holdout, Metric, Segment, Shop, Slot
from kit.suggestions import did_you_mean

REPORTED_FOR = timedelta(hours=24)  # how long a client may hold an old payload and report exposures to it


class NothingToShow(Exception):
    """There is no such experiment, or it is archived; the message says which is meant."""


class NoSuchVariant(NothingToShow):
    """The experiment has others; the message names them."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All definitions at one moment. `version` is a hash of the resolved content.

    `experiments` holds every file (drafts and archived ones too), with pauses and stops that were ordered without the
    files applied to `status`; `overridden` names those, `written` says what their files say. `full` is what the holder
    of a secret key sees of the servable ones, `released` what pages see; `heard` says which events metrics read.
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
    full: Visible
    released: Released
    heard: Heard

    def previewable(self, key: str, variant: str) -> Experiment:
        """The experiment of which a link may show this variant: a draft too. Raises NothingToShow, NoSuchVariant."""
        experiment = self.experiments.get(key)
        if experiment is None or experiment.status == "archived":
            known = [name for name, each in self.experiments.items() if each.status != "archived"]
            raise NothingToShow(f"no experiment {key[:100]!r} can be shown{did_you_mean(key, known)}")
        if all(each.key != variant for each in experiment.variants):
            has = ", ".join(each.key for each in experiment.variants)
            raise NoSuchVariant(f"{key} has no variant {variant[:100]!r}, it has {has}")
        return experiment

    def previewed(self, key: str, phase: int, variant: str) -> CompiledExperiment | None:
        """What a link shows a variant of; None where that phase is over or has it no more."""
        try:
            experiment = self.previewable(key, variant)
        except NothingToShow:
            return None
        if experiment.phase != phase:
            return None
        return self.full.compiled.get(key) or compile_experiment(experiment, self.segments, self.holdouts)


def catalog_of(snapshot: PublishedCatalog) -> Catalog:
    """A snapshot, compiled."""
    content = snapshot.content
    segments = {segment.name: segment for segment in content.segments}
    holdouts = {holdout.name: holdout for holdout in content.holdouts}
    servable = tuple(
        compile_experiment(experiment, segments, holdouts) for experiment in content.experiments if experiment.servable
    )
    former: dict[str, list[CompiledExperiment]] = {}
    released: dict[str, list[CompiledExperiment]] = {}  # of these, what pages saw
    for before in reversed(snapshot.former):
        compiled = compile_experiment(
            before.experiment,
            {segment.name: segment for segment in before.segments},
            {holdout.name: holdout for holdout in before.holdouts},
        )
        for designs in (former, released) if is_released(compiled, before.until) else (former,):
            designs.setdefault(compiled.key, []).append(compiled)
    secured = Secured(frozenset(content.shop.secure_attributes), content.shop.secure_salt or "")
    published = snapshot.received_at.timestamp()
    return Catalog(
        version=snapshot.version,
        received_at=snapshot.received_at,
        shop=content.shop,
        experiments=MappingProxyType({experiment.key: experiment for experiment in content.experiments}),
        metrics=MappingProxyType({metric.name: metric for metric in content.metrics}),
        segments=MappingProxyType(segments),
        holdouts=MappingProxyType(holdouts),
        slots=MappingProxyType({slot.name: slot for slot in content.slots}),
        overridden=MappingProxyType({key: course.status for key, course in snapshot.overridden.items()}),
        written=MappingProxyType({key: course.status for key, course in snapshot.written.items()}),
        full=Visible.of(servable, _by_key(former), secured, frozenset(each.key for each in servable), published),
        released=Released(servable, _by_key(released), secured, published),
        heard=Heard.by(content.metrics),
    )


def _by_key(designs: Mapping[str, list[CompiledExperiment]]) -> Mapping[str, tuple[CompiledExperiment, ...]]:
    return {key: tuple(found) for key, found in designs.items()}


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
