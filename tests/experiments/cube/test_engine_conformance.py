"""The same readout, cell by cell, on DuckDB, ClickHouse and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from oracles.readout_oracle import DAY, World
from worlds.event_log import log_rows, write_log
from worlds.readout_worlds import METRICS, START, world

from events.engines.duckdb import BOOLEANS, PLAIN, Engine, EventLog
from events.records import COLUMNS
from experiments.cube.cube import Cube
from experiments.cube.measures import cube_plan
from experiments.cube.observations import Observer
from experiments.cube.scope import CubeScope, Enrolment
from experiments.cube.shop_days import shop_days
from experiments.definitions.shop import Metric

QUANTILES = (
    Metric(name="basket_p75", type="quantile", event="Order Completed", value="revenue", q=0.75),
    Metric(name="time_p50", type="quantile", event="engagement", value="engaged_seconds", q=0.5),
)
PLAN = cube_plan((*METRICS, *QUANTILES), 14 * 86_400, ("device",))
SCALARS = [name for name in (*PLAIN, *BOOLEANS, "authority") if COLUMNS[name] in ("int", "float", "bool", "text")]
TYPES = (
    {name: COLUMNS[name] for name in SCALARS}
    | {"cart": "text"}
    | {
        f"{kind}_{index}": {"text": "text", "number": "float"}[kind]
        for index in range(len(PLAN.properties.names))
        for kind in ("text", "number")
    }
)


def read(engine: Engine, made: World) -> list[dict[str, Any]]:
    days = shop_days(made.timezone, START - 40 * DAY, START + 40 * DAY)
    enrolments = (Enrolment(made.experiment, made.phase, made.arms),)
    scope = CubeScope(enrolments, "visitor", "first_touch", made.currency, days)
    cube = Cube(engine, scope, PLAN)
    cube.build()
    observer = Observer(cube, made.as_of)
    found = [asdict(observer.observe(rule, ("device",))) for rule in PLAN.rules]
    return [*found, {"excluded": cube.excluded()}]


def same(ours: Any, theirs: Any, path: str = "") -> None:
    match ours:
        case dict():
            assert sorted(map(str, ours)) == sorted(map(str, theirs)), path
            for key in ours:
                same(ours[key], theirs[key], f"{path}.{key}")
        case list() | tuple():
            assert len(ours) == len(theirs), path
            for index, (left, right) in enumerate(zip(ours, theirs, strict=True)):
                same(left, right, f"{path}[{index}]")
        case np.ndarray():
            same(ours.tolist(), theirs.tolist(), path)
        case float():
            assert theirs == pytest.approx(ours, rel=1e-9, abs=1e-9), path
        case _:
            assert ours == theirs, path


@pytest.fixture(scope="module")
def made() -> World:
    return world(7)


@pytest.fixture(scope="module")
def expected(made: World, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    data = tmp_path_factory.mktemp("duckdb")
    write_log(data, made.events, cut=60)
    log = EventLog(data)
    with log.open(log.snapshot(), None, PLAN.properties.names) as engine:
        return read(engine, made)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    start = pgserver.postgres_server.pg_ctl
    with pytest.MonkeyPatch.context() as patch:  # it gives up after 10 s; the program itself waits a minute
        patch.setattr(
            pgserver.postgres_server, "pg_ctl", lambda *given, **named: start(*given, **named | {"timeout": None})
        )
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="module")
def other_engines() -> ModuleType:
    """Loaded where it is asked for, because chdb is heavy; it must be there."""
    return import_module("oracles.other_engines")


def test_postgresql_gives_the_same_readout(
    made: World, expected: list[dict[str, Any]], postgres: str, other_engines: ModuleType
) -> None:
    rows = other_engines.typed_rows(log_rows(made.events), PLAN.properties.names)
    engine = other_engines.PostgresEngine(postgres, rows, TYPES)
    same(expected, read(engine, made))
    engine.close()


def test_clickhouse_gives_the_same_readout(
    made: World, expected: list[dict[str, Any]], tmp_path: Path, other_engines: ModuleType
) -> None:
    rows = other_engines.typed_rows(log_rows(made.events), PLAN.properties.names)
    engine = other_engines.ClickHouseEngine(tmp_path, rows, TYPES)
    same(expected, read(engine, made))
    engine.close()
