"""The resolved content of a folder of definitions, as plain frozen values that go to disk and come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from pydantic import Field

from experiments.definitions.model import Definition, Experiment, Holdout, LearnFrom, Metric, Segment, Slot, Status
from experiments.definitions.shop import Shop


class CatalogContent(Definition):
    """Everything the files say, defaults filled in; experiments in order of key, metrics with the built-in ones."""

    shop: Shop = Shop()
    experiments: tuple[Experiment, ...] = ()
    metrics: tuple[Metric, ...] = ()
    segments: tuple[Segment, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    slots: tuple[Slot, ...] = ()
    learn_from: LearnFrom = "auto"

    def experiment(self, key: str) -> Experiment | None:
        """The experiment of a key."""
        return next((experiment for experiment in self.experiments if experiment.key == key), None)

    def under(self, overrides: Mapping[str, Status]) -> CatalogContent:
        """The same content with the status of some experiments replaced."""
        replaced = (
            experiment.model_copy(update={"status": overrides[experiment.key]})
            if experiment.key in overrides
            else experiment
            for experiment in self.experiments
        )
        return self.model_copy(update={"experiments": tuple(replaced)})


class FormerDesign(Definition):
    """What was served under a key before, until a moment; clients may go on reporting exposures to it for a day."""

    experiment: Experiment
    segments: tuple[Segment, ...]
    holdouts: tuple[Holdout, ...]
    until: datetime


class PublishedCatalog(Definition):
    """One published catalogue: `content` has `overridden` statuses in it already; `written` is what those files say."""

    version: str
    received_at: datetime
    content: CatalogContent
    written: dict[str, Status] = Field(default_factory=dict)
    overridden: dict[str, Status] = Field(default_factory=dict)
    former: tuple[FormerDesign, ...] = ()


def canonical(value: Any) -> bytes:
    """JSON with sorted names: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def content_version(content: CatalogContent, overridden: Mapping[str, Status] | None = None) -> str:
    """The version of a catalogue: equal for equal content and orders, in whatever process it is computed."""
    whole = content.model_dump_json().encode() + canonical(dict(overridden or {}))
    return sha256(whole).hexdigest()[:32]
