"""Whose exposures a cube reads, and how events are attributed to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from events.engines.sql import Expression, Statement, equals_any, inline_table
from experiments.cube.shop_days import ShopDays

FOREVER_US: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Site:
    """Everybody who comes to the site since a moment (µs UTC), instead of exposures.

    `held_back` chooses the units of the first of two arms by their ids; without it all are in the first arm.
    """

    since_us: int
    held_back: Callable[[Sequence[str]], Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One phase of an experiment, whose exposures make units. Times are µs UTC, inclusive."""

    experiment: str
    phase: int
    arms: tuple[str, ...]
    stop_us: int = FOREVER_US  # exposures after it do not count
    known_until_us: int = FOREVER_US  # identity edges received after it do not count


@dataclass(frozen=True, slots=True)
class CubeScope:
    """Who is in a cube: one or several enrolments (by their places: studies), whose arms are numbered on.

    `rates` say what one unit of another currency is worth in the shop's. `site` stands in for the exposures of the one.
    """

    enrolments: tuple[Enrolment, ...]
    unit: Literal["visitor", "user"]
    identity: Literal["first_touch", "strict"]
    currency: str
    days: ShopDays
    site: Site | None = None
    rates: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def stop_us(self) -> int:
        """When the last enrolment ends."""
        return max(each.stop_us for each in self.enrolments)

    @property
    def known_until_us(self) -> int:
        """After which an identity edge counts in no enrolment."""
        return max(each.known_until_us for each in self.enrolments)

    @property
    def arms(self) -> int:
        """How many arms there are, of all studies."""
        return sum(len(each.arms) for each in self.enrolments)

    def arms_of(self, study: int) -> range:
        """The numbers of a study's arms."""
        first = sum(len(each.arms) for each in self.enrolments[:study])
        return range(first, first + len(self.enrolments[study].arms))


def arms_table(enrolments: Sequence[Enrolment]) -> Statement:
    """A row per arm, numbered over all enrolments, with what holds for the exposures of its own."""
    rows = [(study, each, variant) for study, each in enumerate(enrolments) for variant in each.arms]
    return inline_table(
        {
            "study": [study for study, _, _ in rows],
            "experiment": [each.experiment for _, each, _ in rows],
            "phase": [each.phase for _, each, _ in rows],
            "variant": [variant for _, _, variant in rows],
            "arm": range(len(rows)),
            "stop": [each.stop_us for _, each, _ in rows],
            "known_until": [each.known_until_us for _, each, _ in rows],
        }
    )


def enrolled(enrolments: Sequence[Enrolment]) -> Expression:
    """The exposures of these experiments, in whatever phase, on a row `e`."""
    return equals_any("e.experiment", dict.fromkeys(each.experiment for each in enrolments))
