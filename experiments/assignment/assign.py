"""One visitor and one experiment in, one Assignment with its reason out: the same answer the clients' SDKs compute.

What is asked first decides `because`: unit, audience, holdout, layer, traffic. A GrowthBook SDK asks in this order too,
except that it notices a missing unit last, which changes the word and never the variant.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from experiments.assignment.bucketing import position, unit_text
from experiments.definitions.model import Experiment, NotInReason, Variant
from experiments.targeting.predicates import Attributes, Condition

VISITOR_ATTRIBUTE: Final = "id"  # what conditions and SDKs call the visitor id
USER_ATTRIBUTE: Final = "user_id"


class Reason(StrEnum):
    """Why this variant, in the words of OpenFeature."""

    STATIC = "STATIC"
    """Everybody gets this variant."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """A rule gives this visitor the variant: a shipped experiment, a preview."""
    SPLIT = "SPLIT"
    """The variant was drawn for this visitor, by the weights."""
    DISABLED = "DISABLED"
    """The experiment does not assign now: everybody gets control."""
    UNKNOWN = "UNKNOWN"
    """Nothing is known of the visitor to draw by, so that control is given."""


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """What a visitor gets, and whether it counts.

    `propensity` is the chance of this variant among those in the experiment (1.0 where nothing was drawn), `unit` the
    hashed id (None where nothing was hashed), `because` what said no. Only an answer that `enrols` may become an
    exposure; a forced one is never in the experiment.
    """

    experiment: str
    phase: int
    variant: str
    payload: Any
    in_experiment: bool
    reason: Reason
    because: NotInReason | None = None
    forced: bool = False
    enrols: bool = False
    propensity: float = 1.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A share of the line that admits a unit: outside a holdout, inside its part of a layer."""

    because: NotInReason
    seed: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of time in which nothing changes. `bounds` are low and high of every variant in turn, ascending."""

    coverage: float
    bounds: tuple[float, ...]
    closed: bool = False  # control for everyone: before the start, paused, after the end


@dataclass(frozen=True, slots=True)
class CompiledExperiment:
    """An experiment ready to be asked. `changes` are epoch seconds at which the next of `stages` begins.

    `derives` are the attributes that `audience` asks and tells by itself from an address, a user agent or the user.
    """

    definition: Experiment
    key: str
    phase: int
    seed: str
    by_user: bool
    condition: Mapping[str, Any] | None  # segments and `where` together; None is everyone
    audience: Condition | None
    asks_visitor_id: bool
    derives: frozenset[str]
    gates: tuple[Admission, ...]
    variants: tuple[Variant, ...]
    changes: tuple[float, ...]
    stages: tuple[Stage, ...]
    widest: Stage
    previewed: frozenset[str]
    shipped: Assignment | None
    disabled: Assignment
    outside: Mapping[NotInReason, Assignment]

    @property
    def hash_attribute(self) -> str:
        """The attribute whose value is hashed: `id`, or `user_id` for `unit: user`."""
        return USER_ATTRIBUTE if self.by_user else VISITOR_ATTRIBUTE

    def stage(self, now: float) -> Stage:
        """The stage at a time, in epoch seconds."""
        return self.stages[bisect_right(self.changes, now)]


def assign(
    experiment: CompiledExperiment,
    visitor_id: str,
    attributes: Attributes,
    now: float,
    forced: Mapping[str, str] | None = None,
) -> Assignment:
    """What the visitor gets at `now` (epoch seconds); `forced` maps experiment keys to variants to be previewed.

    The attribute `id` is always the visitor id. A forced variant that does not exist is ignored. Never raises.
    """
    if forced or experiment.previewed:
        preview = _previewed(experiment, visitor_id, forced or {})
        if preview is not None:
            return preview
    stage = experiment.stages[bisect_right(experiment.changes, now)]
    if stage.closed:
        return experiment.disabled
    unit = unit_text(attributes.get(USER_ATTRIBUTE)) if experiment.by_user else visitor_id
    if not unit and experiment.shipped is None:
        return experiment.outside["unit"]
    audience = experiment.audience
    if audience is not None:
        if experiment.asks_visitor_id:
            attributes = {**attributes, VISITOR_ATTRIBUTE: visitor_id}
        if not audience(attributes):
            return experiment.outside["audience"]
    return experiment.shipped or _drawn(experiment, stage, unit or "")


def fixed(experiment: Experiment, variant: Variant, reason: Reason, *, forced: bool = False) -> Assignment:
    """A variant that was not drawn: previewed or shipped, and so never counted."""
    return Assignment(experiment.key, experiment.phase, variant.key, variant.payload, False, reason, None, forced)


def expected_variant(experiment: CompiledExperiment, visitor_id: str, user_id: str | None) -> str | None:
    """The variant that hashing alone gives a unit, whatever its audience and the date; None where it draws nothing.

    It counts with the widest traffic of the phase, because an event may come late and traffic only widens.
    """
    unit = unit_text(user_id) if experiment.by_user else visitor_id
    if not unit:
        return None
    drawn = _drawn(experiment, experiment.widest, unit)
    return drawn.variant if drawn.enrols else None


def plausible(phases: Iterable[CompiledExperiment], visitor_id: str, user_id: str | None, variant: str) -> bool:
    """Whether an exposure that a client reports can be true in any of these phases of its experiment."""
    return any(expected_variant(phase, visitor_id, user_id) == variant for phase in phases)


def _previewed(experiment: CompiledExperiment, visitor_id: str, forced: Mapping[str, str]) -> Assignment | None:
    preview = experiment.definition.preview
    wanted = [forced.get(experiment.key)]
    if preview is not None and visitor_id in experiment.previewed:
        wanted.append(preview.variant)
    for name in wanted:
        for variant in experiment.variants:
            if variant.key == name:
                return fixed(experiment.definition, variant, Reason.TARGETING_MATCH, forced=True)
    return None


def _drawn(experiment: CompiledExperiment, stage: Stage, unit: str) -> Assignment:
    for gate in experiment.gates:
        if not gate.low <= position(gate.seed, unit) < gate.high:
            return experiment.outside[gate.because]
    place = bisect_right(stage.bounds, position(experiment.seed, unit))
    if not place & 1:  # between the end of one variant and the start of the next
        return experiment.outside["traffic"]
    variant = experiment.variants[place >> 1]
    return Assignment(
        experiment.key,
        experiment.phase,
        variant.key,
        variant.payload,
        True,
        Reason.SPLIT,
        None,
        False,
        True,
        variant.weight,
        unit,
    )
