"""The random shops as the cube sees them: a world's log, and its observer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oracles.readout_oracle import DAY, World
from worlds.event_log import write_log
from worlds.readout_worlds import METRICS, START

from events.engines.duckdb import EngineLimits, EventLog
from experiments.cube.cube import Cube
from experiments.cube.measures import cube_plan
from experiments.cube.observations import Observer
from experiments.cube.scope import FOREVER_US, CubeScope, Enrolment
from experiments.cube.shop_days import shop_days
from experiments.definitions.shop import Metric

PATIENT_SECONDS = 600.0  # all readouts of a world are one analysis here, on a machine that others use


@contextmanager
def observed(made: World, data: Path, cut: int = 60, metrics: Sequence[Metric] = METRICS) -> Iterator[Observer]:
    """The observer of a world, as long as it is asked for."""
    write_log(data, made.events, cut)
    log = EventLog(data, EngineLimits(timeout_seconds=PATIENT_SECONDS))
    plan = cube_plan(metrics, made.lookback // 1_000_000, ("device",))
    stop = FOREVER_US if made.stop is None else made.stop
    known_until = stop if stop == FOREVER_US else stop + plan.boundaries[-1]
    scope = CubeScope(
        enrolments=(Enrolment(made.experiment, made.phase, made.arms, stop, known_until),),
        unit="user" if made.unit == "user" else "visitor",
        identity="strict" if made.identity == "strict" else "first_touch",
        currency=made.currency,
        rates=made.rates,
        days=shop_days(made.timezone, START - 40 * DAY, START + 40 * DAY),
    )
    with log.open(log.snapshot(), None, plan.properties.names) as engine:
        cube = Cube(engine, scope, plan)
        cube.build()
        yield Observer(cube, made.as_of)
