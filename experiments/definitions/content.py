"""The resolved content of a folder of definitions, as plain frozen values that go to disk and come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from pydantic import Field, model_serializer, model_validator

from experiments.definitions.model import DecisionNote, Definition, Experiment, LearnFrom, Status
from experiments.definitions.shop import Holdout, Metric, Segment, Shop, Slot


class Course(Definition):
    """What becomes of an experiment: its status, and what was decided, where that is said too (None: as it is).

    One without a decision is written as its status alone.
    """

    status: Status
    decision: DecisionNote | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_status(cls, value: Any) -> Any:
        return {"status": value} if isinstance(value, str) else value

    @model_serializer(mode="plain")
    def _written(self) -> Any:
        return {"status": self.status, "decision": self.decision.model_dump()} if self.decision else self.status

    def followed_by(self, experiment: Experiment) -> Experiment:
        """The experiment on this course."""
        decided = {} if self.decision is None else {"decision": self.decision}
        return experiment.model_copy(update={"status": self.status, **decided})


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

    def under(self, courses: Mapping[str, Course]) -> CatalogContent:
        """The same content with some experiments on another course."""
        replaced = (
            courses[experiment.key].followed_by(experiment) if experiment.key in courses else experiment
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
    """One published catalogue: `content` is on the `overridden` courses already; `written` is what those files say."""

    version: str
    received_at: datetime
    content: CatalogContent
    written: dict[str, Course] = Field(default_factory=dict)
    overridden: dict[str, Course] = Field(default_factory=dict)
    former: tuple[FormerDesign, ...] = ()


def canonical(value: Any) -> bytes:
    """JSON with sorted names: equal values give equal bytes."""
    return msgspec.json.encode(value, order="sorted")


def content_version(content: CatalogContent, overridden: Mapping[str, Course] | None = None) -> str:
    """The version of a catalogue: equal for equal content and orders, in whatever process it is computed."""
    orders = {key: course.model_dump() for key, course in (overridden or {}).items()}
    whole = content.model_dump_json().encode() + canonical(orders)
    return sha256(whole).hexdigest()[:32]
