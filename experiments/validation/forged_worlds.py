"""Shops whose pages told of conversions, honest ones and ones where a part is invented: how often that is named."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from experiments.cube.forgery import ToldByPages, signs

CARRIERS: Final = 40  # networks that many people share, by Zipf's law
DAYS: Final = 14  # on each of which every network has another number
SHARED: Final = 0.3  # of the people call from one of them
UNBACKED: Final = 0.03  # of the conversions that pages tell of never reach the shop's backend
SOON: Final = 0.01  # of the people buy within seconds
LIFT: Final = 1.1  # the variant works
INVENTED: Final = 0.05  # of the conversions that pages tell of in one arm
FORGERS: Final = 3  # networks they are told from


@dataclass(frozen=True, slots=True)
class ForgedWorld:
    """A study of about so many converting units an arm; `backed` where the shop's backend tells of orders too."""

    units: int
    backed: bool
    forged: bool = False

    def arms(self, rng: np.random.Generator) -> list[ToldByPages]:
        """What pages told in control and in the variant, of which conversions are invented where any are."""
        found: list[ToldByPages] = []
        for mean in (self.units, LIFT * self.units):
            units = int(rng.poisson(mean))
            found.append(
                ToldByPages(
                    units,
                    int(rng.binomial(units, UNBACKED)) if self.backed else units,
                    int(rng.binomial(units, SOON)),
                    self._networks(units, rng),
                )
            )
        return [found[0], self._with_invented(found[1], rng)] if self.forged else found

    def _networks(self, units: int, rng: np.random.Generator) -> dict[int, int]:
        """Households of some people each, and networks of many."""
        sharing = int(rng.binomial(units, SHARED))
        weights = 1.0 / np.arange(1, CARRIERS + 1)
        carriers = rng.choice(CARRIERS, sharing, p=weights / weights.sum()) * DAYS + rng.integers(0, DAYS, sharing)
        households = CARRIERS * DAYS + rng.integers(0, 6 * self.units, units - sharing)
        numbers, counts = np.unique(np.concatenate([carriers, households]), return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def _with_invented(self, arm: ToldByPages, rng: np.random.Generator) -> ToldByPages:
        invented = round(arm.units * INVENTED / (1.0 - INVENTED))
        networks = dict(arm.networks)
        for forger in rng.integers(0, FORGERS, invented).tolist():
            networks[-1 - forger] = networks.get(-1 - forger, 0) + 1
        return replace(
            arm, units=arm.units + invented, unbacked=arm.unbacked + invented, soon=arm.soon + invented,
            networks=networks,
        )  # fmt: skip


def share_named(runs: int, rng: np.random.Generator, world: ForgedWorld) -> float:
    """The share of such studies of which `conversions_look_forged` is said."""
    return sum(bool(signs(world.arms(rng))) for _ in range(runs)) / runs
