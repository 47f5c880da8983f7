"""What the holders of a class of key may see of the definitions: pages see what is released, and no trace of the rest.

A handler is given a `Visible` and never the catalogue, so that no route can show a draft by mistake.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from types import MappingProxyType
from typing import Any

from experiments.assignment.assign import CompiledExperiment
from experiments.assignment.payload import Secured
from experiments.targeting.attributes import OF_AGENTS

Designs = Mapping[str, tuple[CompiledExperiment, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """Experiments as some callers see them: the rest is, to them, as if it had never been written.

    `compiled` holds the answered ones by key; `servable` and `running` are tuples of the same objects in order of key
    (`running`: status running; its dates are judged at each assignment); `shown` adds to these the stopped ones that
    shipped a variant: what a page gets that names none. `served` has, by key, every design seen in the last 24 hours,
    the present one first. `forcible` are the keys of which `resonate_force` shows a variant, `secured` the attributes
    whose values the payload hides; `asks_agent` says that some audience asks what a user agent tells. `published` is
    when the definitions were, in epoch seconds: the same for every worker. In `kept` handlers keep what they made of
    it, for as long as it is what they see.
    """

    compiled: Mapping[str, CompiledExperiment]
    servable: tuple[CompiledExperiment, ...]
    running: tuple[CompiledExperiment, ...]
    shown: tuple[CompiledExperiment, ...]
    served: Designs
    forcible: Collection[str]
    secured: Secured
    asks_agent: bool
    published: float = 0.0
    kept: dict[object, dict[Any, Any]] = field(default_factory=dict[object, dict[Any, Any]])

    @classmethod
    def of(
        cls, servable: Sequence[CompiledExperiment], former: Designs, secured: Secured, forcible: Collection[str],
        published: float,
    ) -> "Visible":  # fmt: skip
        """These experiments in order of key, and the designs that were served under a key before."""
        compiled = {each.key: each for each in servable}
        present = {key: (each,) for key, each in compiled.items()}
        return cls(
            compiled=MappingProxyType(compiled),
            servable=tuple(servable),
            running=tuple(each for each in servable if each.definition.status == "running"),
            shown=tuple(each for each in servable if each.definition.status == "running" or each.shipped),
            served=MappingProxyType({key: present.get(key, ()) + former.get(key, ()) for key in {*present, *former}}),
            forcible=forcible,
            secured=secured,
            asks_agent=any(not OF_AGENTS.isdisjoint(each.derives) for each in servable),
            published=published,
        )

    def beside(self, previewed: Sequence[CompiledExperiment]) -> "Visible":
        """The same to somebody who is shown these too."""
        added = [each for each in previewed if each.key not in self.compiled]
        unshown = [each for each in previewed if all(each is not other for other in self.shown)]
        if not unshown:
            return self
        return replace(
            self,
            compiled=MappingProxyType({**self.compiled, **{each.key: each for each in added}}),
            servable=_by_key([*self.servable, *added]),
            shown=_by_key([*self.shown, *unshown]),
            kept={},
        )


def _by_key(experiments: Sequence[CompiledExperiment]) -> tuple[CompiledExperiment, ...]:
    return tuple(sorted(experiments, key=lambda each: each.key))


class Released:
    """What pages see of the same: made anew at the moments at which an experiment starts or ends."""

    def __init__(
        self, servable: Sequence[CompiledExperiment], former: Designs, secured: Secured, published: float
    ) -> None:
        """`former` are designs that pages saw themselves."""
        dates = [date for each in servable for date in (each.definition.start, each.definition.end)]
        self._moments = sorted({date.timestamp() for date in dates if date is not None})
        self._servable, self._former, self._secured, self._published = servable, former, secured, published
        self._stretch = self._around(-inf)

    def at(self, now: float) -> Visible:
        """What is released at a time, in epoch seconds."""
        since, until, visible = self._stretch
        if not since <= now < until:
            self._stretch = _, _, visible = self._around(now)
        return visible

    def _around(self, now: float) -> tuple[float, float, Visible]:
        """The stretch of time around a moment in which nothing starts or ends, and what is visible in it."""
        bounds = (-inf, *self._moments, inf)
        place = bisect_right(self._moments, now)
        released = [each for each in self._servable if is_released(each, now)]
        running = {each.key for each in released if each.definition.status == "running" and not each.stage(now).closed}
        visible = Visible.of(released, self._former, self._secured, running, self._published)
        return bounds[place], bounds[place + 1], visible


def is_released(experiment: CompiledExperiment, now: float | datetime) -> bool:
    """Whether pages may know of a servable experiment: from its start on, or once a variant of it was shipped."""
    start = experiment.definition.start
    moment = now.timestamp() if isinstance(now, datetime) else now
    return experiment.shipped is not None or start is None or start.timestamp() <= moment
