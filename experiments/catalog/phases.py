"""Frozen designs: the first design served under (key, phase) is the one that is analysed, for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final

from pydantic import Field, TypeAdapter

from experiments.catalog.files import CatalogPaths, history_files, read_published, time_of
from experiments.definitions.content import CatalogContent, canonical
from experiments.definitions.folder import builtin_metrics
from experiments.definitions.model import Definition, Experiment
from experiments.definitions.shop import Holdout, Metric, Segment
from kit.files import read_or_none

UNITS_PER_VARIANT: Final = 10_000  # planned where no traffic was logged

DailyUnits = Callable[[Experiment, datetime], float | None]
"""Units a day that would take part, by what was logged before a moment; None: unknown. Raises TrafficAwaited."""


class TrafficAwaited(Exception):
    """The log is being asked; it answers when it is asked again a little later."""


class Pause(Definition):
    """A stretch in which a running experiment assigned nobody; `until` is None while it lasts."""

    since: datetime
    until: datetime | None = None


class Shipping(Pause):
    """A stretch in which everybody got one `variant`, or (None) was drawn anew, in a later phase.

    `until` is when the phase ran on all the same; it is None where, as it should be, it never did.
    """

    variant: str | None


class FrozenDesign(Definition):
    """What is analysed for (key, phase): the experiment as it was first served, its goals and guardrails resolved.

    `currency` is the shop's of then (None: not noted, in older files), `rates` what others were worth in it.

    `planned_units` counts all variants together; while `traffic_awaited`, nobody knows yet what the log says of them.
    `builtin` names the metrics that were the built-in ones. `end` is the
    end that the files last gave, `stopped_at` the moment a stop, an archiving, a removal or the next phase was seen.
    `ended` says that it was a stop or an archiving: the phase does not run again. (None: not noted, in older files.)
    """

    key: str
    phase: int
    fingerprint: str
    frozen_at: datetime
    planned_units: int
    traffic_awaited: bool = False
    experiment: Experiment
    metrics: dict[str, Metric]
    segments: dict[str, Segment]
    holdouts: dict[str, Holdout]
    builtin: tuple[str, ...] = ()
    currency: str | None = None
    rates: dict[str, float] = Field(default_factory=dict)
    end: datetime | None = None
    stopped_at: datetime | None = None
    ended: bool | None = None
    pauses: tuple[Pause, ...] = ()
    shipped: tuple[Shipping, ...] = ()

    @property
    def shipped_in_between(self) -> tuple[Shipping, ...]:
        """The stretches after which the phase ran on: its units had seen one variant, or another phase, in between."""
        return tuple(stretch for stretch in self.shipped if stretch.until)

    @property
    def closed_at(self) -> datetime | None:
        """When it stopped to enrol: the earlier of stop and end; None where neither is known."""
        return min((moment for moment in (self.stopped_at, self.end) if moment), default=None)


Phases = Mapping[tuple[str, int], FrozenDesign]
_ADAPTER: TypeAdapter[list[FrozenDesign]] = TypeAdapter(list[FrozenDesign])


def stored_phases(paths: CatalogPaths) -> dict[tuple[str, int], FrozenDesign]:
    """All frozen designs of a data directory, as they were written."""
    content = read_or_none(paths.phases)
    return phases_of(content) if content else {}


def read_phases(paths: CatalogPaths) -> dict[tuple[str, int], FrozenDesign]:
    """All frozen designs of a data directory; what older files did not note is told by the catalogues of then."""
    designs = stored_phases(paths)
    newest = {key: phase for key, phase in sorted(designs)}
    served = cache(read_published)
    for name, design in designs.items():
        if design.ended is not None:
            continue
        away = [*design.pauses]
        if design.stopped_at and design.phase == newest[design.key]:
            away.append(Pause(since=design.stopped_at))
        known = design.model_copy(update={"stopped_at": None, "pauses": (), "ended": False})
        for path in history_files(paths) if away else ():
            then = time_of(path)
            if any(pause.since <= then and (pause.until is None or then <= pause.until) for pause in away):
                snapshot = served(path)
                known = known if snapshot is None else followed(known, snapshot.content.experiment(name[0]), then)
        designs[name] = design.model_copy(update={"ended": known.ended, "shipped": known.shipped})
    return designs


def phases_json(phases: Phases) -> bytes:
    """Frozen designs as they stand in their file, and as the analysis is told them."""
    return _ADAPTER.dump_json([phases[name] for name in sorted(phases)])


def phases_of(content: bytes) -> dict[tuple[str, int], FrozenDesign]:
    """Frozen designs by key and phase. Raises ValidationError."""
    return {(design.key, design.phase): design for design in _ADAPTER.validate_json(content)}


def freeze(experiment: Experiment, content: CatalogContent, now: datetime) -> FrozenDesign:
    """The design of an experiment as it is now; what the log says of its traffic is still to be asked."""
    wanted = {*experiment.goals, *(guardrail.metric for guardrail in experiment.guardrails)}
    design = FrozenDesign(
        key=experiment.key,
        phase=experiment.phase,
        fingerprint="",
        frozen_at=now,
        planned_units=UNITS_PER_VARIANT * len(experiment.variants),
        traffic_awaited=True,
        experiment=experiment,
        metrics={metric.name: metric for metric in content.metrics if metric.name in wanted},
        segments={item.name: item for item in content.segments if item.name in experiment.audience.segments},
        holdouts={item.name: item for item in content.holdouts if item.name in experiment.holdouts},
        builtin=tuple(
            metric.name for metric in content.metrics if metric.name in wanted and metric in builtin_metrics()
        ),
        currency=content.shop.currency,
        rates=content.shop.rates,
        end=experiment.end,
        ended=False,
    )
    return design.model_copy(update={"fingerprint": fingerprint(design)})


def with_traffic(design: FrozenDesign, daily_units: DailyUnits) -> FrozenDesign:
    """The design with its planned units from what was logged before it began; as it is while the log is asked."""
    if not design.traffic_awaited:
        return design
    try:
        logged = daily_units(design.experiment, design.frozen_at)
    except TrafficAwaited:
        return design
    known: dict[str, Any] = {"traffic_awaited": False}
    if logged is not None and logged > 0:
        experiment = design.experiment
        known["planned_units"] = max(len(experiment.variants), round(logged * experiment.plan.days))
    return design.model_copy(update=known)


def fingerprint(design: FrozenDesign) -> str:
    """A hash of everything that decides what the numbers of (key, phase) mean."""
    money = {"currency": design.currency, "rates": design.rates} if design.rates else {}
    return sha256(canonical({"key": design.key, "phase": design.phase, **design_parts(design), **money})).hexdigest()


def design_parts(design: FrozenDesign) -> dict[str, Any]:
    """What may not change, by the field of the file that says it.

    Defaults are left out, so that a field which a later version of Resonate adds changes no running design.
    """
    experiment = design.experiment
    segments = {name: design.segments[name].where for name in sorted(experiment.audience.segments)}
    return {
        "variants": [_resolved(variant) for variant in experiment.variants],
        "unit": experiment.unit,
        "layer": _resolved(experiment.layer) if experiment.layer else None,
        "audience": {"where": experiment.audience.where, "segments": segments},
        "holdouts": {name: design.holdouts[name].share for name in sorted(experiment.holdouts)},
        "goals": [
            _meaning(design.metrics[name])
            | ({"margin": _resolved(margin)} if (margin := experiment.margin(name)) else {})
            for name in experiment.goals
        ],
        "guardrails": [
            {**_resolved(guardrail), "definition": _meaning(design.metrics[guardrail.metric])}
            for guardrail in experiment.guardrails
        ],
        "plan": _resolved(experiment.plan),
    }


def _resolved(part: Definition) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)


def _meaning(metric: Metric) -> dict[str, Any]:
    """A metric without what it is called, which changes no number."""
    return _resolved(metric.model_copy(update={"title": None}))


def followed(design: FrozenDesign, experiment: Experiment | None, now: datetime) -> FrozenDesign:
    """The design with what became of it: pauses, end, stop. `experiment` is what is served under the key now."""
    if experiment is None or experiment.phase != design.phase or experiment.status in ("draft", "archived", "stopped"):
        if not design.stopped_at:
            design = _closed_pauses(design, now).model_copy(update={"stopped_at": now})
        return design if experiment is None else _left(design, experiment, now)
    design = design if design.end == experiment.end else design.model_copy(update={"end": experiment.end})
    if experiment.status == "paused":
        return _paused(design, design.stopped_at or now)
    if design.stopped_at:  # what came back without a stop, or before a version that refuses it, was a pause
        design = _paused(design, design.stopped_at)
    ran_on = tuple(each if each.until else each.model_copy(update={"until": now}) for each in design.shipped)
    return _closed_pauses(design, now).model_copy(update={"shipped": ran_on})


def _left(design: FrozenDesign, experiment: Experiment, now: datetime) -> FrozenDesign:
    """The design as what is served now leaves it: ended, or with everybody in one other place."""
    here, shipped = experiment.phase == design.phase, experiment.decision.outcome == "shipped"
    if here and experiment.status != "draft":
        design = design.model_copy(update={"ended": True})
    elsewhere = shipped if here else experiment.phase > design.phase and (shipped or experiment.active(now))
    if not elsewhere or (design.shipped and design.shipped[-1].until is None):
        return design
    stretch = Shipping(since=now, variant=experiment.decision.variant if here else None)
    return design.model_copy(update={"shipped": (*design.shipped, stretch)})


def _paused(design: FrozenDesign, since: datetime) -> FrozenDesign:
    if design.pauses and design.pauses[-1].until is None:
        return design
    pauses = (*design.pauses, Pause(since=since))
    return design.model_copy(update={"stopped_at": None, "ended": False, "pauses": pauses})


def _closed_pauses(design: FrozenDesign, now: datetime) -> FrozenDesign:
    if not design.pauses or design.pauses[-1].until:
        return design
    last = design.pauses[-1].model_copy(update={"until": now})
    return design.model_copy(update={"pauses": (*design.pauses[:-1], last)})
