"""Programmes of experiments, simulated: what the sum of the winners says of the truth, as measured and shrunk."""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from experiments.program.shrinkage import Shrinkage, shrinkage

Array = npt.NDArray[np.float64]
Peers: TypeAlias = dict[str, str]  # by world
World = Literal["normal", "t3", "nulls"]
Rows: TypeAlias = tuple[tuple[str, str, tuple[float, float], str, Callable[[int, np.random.Generator], float]], ...]
"""Name, demand, the range that is demanded, what was measured of peers, and the measure: of (runs, rng)."""
WORLDS: Final[dict[World, str]] = {
    "normal": "effects N(0, .02)",
    "t3": "effects t₃ · .015",
    "nulls": "80 % without an effect, else N(0, .05)",
}
SIZES: Final = (40, 200)
RUNS_A_PROGRAMME: Final = 10  # a programme costs as much as so many experiments of the other figures
LEAST: Final = 200  # programmes: with fewer the ratio of sums is chance
UNSHRUNK: Final = 100  # as many times the programmes where nothing is fitted: their ratio's error is a tenth
SHIPPED_AT: Final = 1.959963984540054


def programme(world: World, size: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """(true effects, estimates, standard errors) of so many experiments."""
    errors = rng.uniform(0.01, 0.04, size)
    match world:
        case "normal":
            truth = rng.normal(0.0, 0.02, size)
        case "t3":
            truth = 0.015 * rng.standard_t(3, size)
        case "nulls":
            truth = np.where(rng.random(size) < 0.8, 0.0, rng.normal(0.0, 0.05, size))
    return truth, truth + errors * rng.standard_normal(size), errors


def naive_sum(runs: int, rng: np.random.Generator, world: World, size: int) -> float:
    """The sum of the winners' estimates over the sum of their true effects."""
    measured = actual = 0.0
    for _ in range(_programmes(runs)):
        truth, estimates, errors = programme(world, UNSHRUNK * size, rng)
        won = estimates > SHIPPED_AT * errors
        measured += float(estimates[won].sum())
        actual += float(truth[won].sum())
    return measured / actual


def shrunk_sum(runs: int, rng: np.random.Generator, world: World, size: int) -> float:
    """The same of the shrunk estimates."""
    measured = actual = 0.0
    for _ in range(_programmes(runs)):
        shrunk, won = _shrunk(world, size, rng)
        measured += shrunk.total.value
        actual += won
    return measured / actual


def shrunk_coverage(runs: int, rng: np.random.Generator, world: World, size: int) -> float:
    """Share of programmes whose 90 % interval of the winners' sum holds the truth."""
    programmes = _programmes(runs)
    found = (_shrunk(world, size, rng) for _ in range(programmes))
    return sum(shrunk.total.ci.contains(actual) for shrunk, actual in found) / programmes


def _programmes(runs: int) -> int:
    return max(LEAST, runs // RUNS_A_PROGRAMME)


def _shrunk(world: World, size: int, rng: np.random.Generator) -> tuple[Shrinkage, float]:
    truth, estimates, errors = programme(world, size, rng)
    won = estimates > SHIPPED_AT * errors
    found = shrinkage(estimates.tolist(), errors.tolist(), won.tolist())
    assert found is not None
    return found, float(truth[won].sum())


def _figures(name: str, demand: str, within: tuple[float, float], peers: Peers, measure: Callable[..., float]) -> Rows:
    return tuple(
        (
            f"{name}, {told}, {size} experiments",
            demand,
            within,
            peers.get(world, ""),
            partial(measure, world=world, size=size),
        )
        for world, told in WORLDS.items()
        for size in SIZES
    )


PROGRAMMES: Final[Rows] = (
    # to one decimal: the ratio is 2.204, 1.794 and 1.706, whatever the size
    *_figures("naive sum of a programme's winners over the truth", "1.7-2.2", (1.65, 2.25), {}, naive_sum),
    *_figures(
        "shrunk sum of a programme's winners over the truth",
        "0.93-1.07",
        (0.93, 1.07),
        {"nulls": "one normal: 0.83"},
        shrunk_sum,
    ),
    *_figures(
        "coverage of the 90 % interval of a programme's sum",
        "≥ 0.85",
        (0.85, 1.0),
        {"nulls": "one normal: 0.46-0.60"},
        shrunk_coverage,
    ),
)
