"""Conversions that look invented: of one arm alone many from one network, told by pages alone, or made at once.

Chance puts people into arms whatever network they come from, whoever else tells of their orders and however soon they
buy; whoever invents visitors for one arm does not. Each sign compares an arm with all the others, and units, not
events: one person's many orders prove nothing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from experiments.statistics.arms import pair, proportion_arm
from experiments.statistics.estimate import NoEstimate
from experiments.statistics.fixed import binomial_p, fisher_p

ALPHA: Final = 0.0005  # of one sign in all arms together
SOON_SECONDS: Final = 10.0
MUCH: Final = 3.0  # times the odds of the other arms: a network or a page that a variant suits better is no forger

Kind = Literal["networks", "unbacked", "soon"]


@dataclass(frozen=True, slots=True)
class ToldByPages:
    """The units of one arm of whose conversion a page told.

    `networks` are those whose network is known, by it; of `unbacked` no backend told; `soon` converted within 10 s of
    their first exposure.
    """

    units: int = 0
    unbacked: int = 0
    soon: int = 0
    networks: Mapping[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True)
class Sign:
    """So many `units` `of` all of the arm (its number), and `elsewhere` of `elsewhere_of`; p with Bonferroni's factor.

    Of the kind `networks` they come from so many.
    """

    kind: Kind
    arm: int
    units: int
    of: int
    elsewhere: int
    elsewhere_of: int
    p: float
    networks: int = 0


def signs(arms: Sequence[ToldByPages]) -> list[Sign]:
    """What tells that conversions of an arm are invented; empty where nothing does, or there is one arm alone."""
    if len(arms) < 2:
        return []
    found: list[Sign] = []
    for arm, own in enumerate(arms):
        rest = [other for place, other in enumerate(arms) if place != arm]
        found += _from_few_networks(arm, own, rest, len(arms))
        others = sum(each.units for each in rest)
        unbacked, soon = sum(each.unbacked for each in rest), sum(each.soon for each in rest)
        if own.unbacked + unbacked < own.units + others:
            found += _more_often("unbacked", arm, (own.unbacked, own.units, unbacked, others), len(arms))
        if own.soon * 2 > own.units and soon * 2 < others:
            found += _more_often("soon", arm, (own.soon, own.units, soon, others), len(arms))
    return found


def _more_often(kind: Kind, arm: int, counts: tuple[int, int, int, int], arms: int) -> Iterator[Sign]:
    units, of, elsewhere, elsewhere_of = counts
    compared = pair(proportion_arm(elsewhere_of, elsewhere), proportion_arm(of, units))
    p = 1.0 if isinstance(compared, NoEstimate) else fisher_p(compared) * arms
    if p < ALPHA and units * (elsewhere_of - elsewhere) >= MUCH * elsewhere * (of - units):
        yield Sign(kind, arm, units, of, elsewhere, elsewhere_of, p)


def _from_few_networks(arm: int, own: ToldByPages, rest: Sequence[ToldByPages], arms: int) -> Iterator[Sign]:
    here = own.networks
    elsewhere: dict[int, int] = {}
    for other in rest:
        for network, units in other.networks.items():
            elsewhere[network] = elsewhere.get(network, 0) + units
    of, elsewhere_of = sum(here.values()), sum(elsewhere.values())
    if not of or not elsewhere_of:
        return
    share = of / (of + elsewhere_of)
    fewest = math.log(ALPHA / arms) / math.log(share)  # with fewer units not even all of them in one arm are a sign
    totals = {each: here.get(each, 0) + elsewhere.get(each, 0) for each in here.keys() | elsewhere.keys()}
    asked = [network for network in sorted(here) if totals[network] >= fewest]
    most = sum(1 for units in totals.values() if units >= fewest) * arms
    forged: list[int] = []
    smallest = 1.0
    for network in asked:
        units, others = here[network], elsewhere.get(network, 0)
        p = min(1.0, binomial_p(units, units + others, share) * most)
        if p < ALPHA and units * elsewhere_of >= MUCH * others * of:
            forged.append(network)
            smallest = min(smallest, p)
    if forged:
        counts = sum(here[each] for each in forged), of, sum(elsewhere.get(each, 0) for each in forged), elsewhere_of
        yield Sign("networks", arm, *counts, smallest, len(forged))
