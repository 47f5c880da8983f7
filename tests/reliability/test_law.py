"""The law: no row of a page changes a number that rests on more than pages."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.adversary import ARMS, DAY, KEY, START, logs, renamed
from worlds.event_log import Received, write_log

from events.authority import Authority, of_word
from events.engines.duckdb import EventLog
from events.engines.sql import Statement
from events.log.export import Exporter
from experiments.cube.believed import believed
from experiments.cube.cube import Cube
from experiments.cube.measures import cube_plan
from experiments.cube.observations import Observer
from experiments.cube.scope import CubeScope, Enrolment
from experiments.cube.shop_days import shop_days
from experiments.definitions.shop import Metric, RatioPart, Subtract
from recommender.training.sources import logged_purchases

ORDER = "Order Completed"
GOALS = (
    Metric(name="orders", type="count", event=ORDER),
    Metric(name="net", type="mean", event=ORDER, value="revenue",
           subtract=Subtract(event="Order Refunded", value="total")),
)  # fmt: skip
RANKED = tuple(
    metric
    for source in ("proven", "backend")
    for metric in (
        Metric(name=f"{source}_orders", type="count", event=ORDER, source=source),
        Metric(name=f"{source}_app", type="count", event=ORDER, where={"channel": "app"}, source=source),
        Metric(name=f"{source}_revenue", type="mean", event=ORDER, value="revenue", source=source,
               subtract=Subtract(event="Order Refunded", value="total")),
        Metric(name=f"{source}_refunds", type="ratio", numerator=RatioPart(event="Order Refunded"),
               denominator=RatioPart(event=ORDER), source=source),
        Metric(name=f"{source}_funnel", type="funnel", steps=("page", ORDER), source=source),
    )
)  # fmt: skip
PLAN = cube_plan((*GOALS, *RANKED), 14 * 86_400)
CONCLUSIONS = {  # what each order's, refund's and id's row concludes, and how far that is believed
    "worth": "SELECT p.order_key, p.value, p.currency, p.value_authority FROM purchases AS p",
    "time": "SELECT p.order_key, p.time, p.authority FROM purchases AS p",
    "owner": "SELECT o.key, u.unit_name, a.variant, u.exposed_at, o.authority FROM order_owners AS o"
    " JOIN units AS u ON u.unit = o.unit JOIN arms AS a ON a.arm = u.arm",
    "identity": "SELECT o.key, u.unit_name, o.authority FROM owners AS o JOIN units AS u ON u.unit = o.unit"
    " WHERE o.key <> u.unit_name",
    "taken": "SELECT r.order_key, r.event, r.amount, least(o.authority, p.value_authority) FROM returned AS r"
    " JOIN purchases AS p ON p.order_key = r.order_key"
    " JOIN order_owners AS o ON o.key = r.order_key AND o.unit = r.unit",
}
UNITS = Statement.of(
    "SELECT u.unit_name, a.variant, u.exposed_at, v.h, v.y, v.d, v.x FROM unit_values AS v"
    " JOIN units AS u ON u.unit = v.unit JOIN arms AS a ON a.arm = u.arm"
)
Told = tuple[str, Sequence[Any]]
fresh = count()


@pytest.fixture(scope="module")
def touched() -> Iterator[Counter[bool]]:
    """How often the adversary's rows named an id of the honest log: where they hardly do, nothing is proved."""
    counted = Counter[bool]()
    yield counted
    assert counted[True] >= counted.total() / 2, counted


class Found:
    """What is concluded in each world, by the name of the conclusion, without the names of the worlds."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))

    def add(self, name: str, row: Sequence[Any]) -> None:
        world = next(each for each in row if isinstance(each, str) and ":" in each).partition(":")[0]
        own = [each.replace(f"{world}:", "") if isinstance(each, str) else each for each in row]
        self.told[world][name].append(own)

    def of(self, world: str) -> dict[str, list[Any]]:
        return {name: sorted(rows, key=repr) for name, rows in self.told[world].items()}


def read(data: Path, scope: CubeScope, adversary: Authority) -> Found:
    """All that rests on more than the adversary can say."""
    found, log = Found(), EventLog(data)
    with log.open(log.snapshot(), None, PLAN.properties.names) as engine:
        cube = Cube(engine, scope, PLAN)
        cube.build()
        for name, row in (*_values(cube, adversary), *_conclusions(cube, adversary), *_conversions(cube, adversary)):
            found.add(name, row)
    for name, row in (*_training(data, adversary), *_exported(log, adversary)):
        found.add(name, row)
    return found


def _values(cube: Cube, adversary: Authority) -> Iterator[Told]:
    for metric in (each for each in RANKED if of_word(each.source) > adversary):
        Observer(cube, START + 30 * DAY).tabulate(PLAN.rule(metric.name))
        yield from ((metric.name, row) for row in cube.engine.rows(UNITS) if any(row[4:]))


def _conclusions(cube: Cube, adversary: Authority) -> Iterator[Told]:
    for name, text in CONCLUSIONS.items():
        rows = cube.engine.rows(Statement.of(text))
        yield from ((name, row) for *row, authority in rows if authority > adversary)


def _conversions(cube: Cube, adversary: Authority) -> Iterator[Told]:
    for study, enrolment in enumerate(cube.scope.enrolments):
        for arm, told in enumerate(believed(cube, study, PLAN.rule("orders")).conversions):
            yield (
                "conversions",
                (enrolment.experiment, arm, *(told[word] for word in told if of_word(word) > adversary)),
            )


def _training(data: Path, adversary: Authority) -> Iterator[Told]:
    for least in (each for each in Authority if each > adversary):
        bought = logged_purchases(data, least).believed
        for who, what, day in zip(bought.people, bought.products, bought.days, strict=True):
            yield f"training by {least.word}", (bought.product_ids[what], bought.person_ids[who], float(day))


def _exported(log: EventLog, adversary: Authority) -> Iterator[Told]:
    for row in Exporter(log.reader).page(None, 10_000).rows:
        if of_word(row["authority"]) > adversary:
            yield "export", (row["message_id"], row["authority"])


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("adversary", [Authority.PAGE, Authority.PROVEN], ids=lambda adversary: adversary.word)
@given(data=st.data(), unit=st.sampled_from(["visitor", "user"]), identity=st.sampled_from(["first_touch", "strict"]))
def test_no_row_of_who_is_believed_less_changes_what_rests_on_more(
    tmp_path: Path, touched: Counter[bool], data: st.DataObject, adversary: Authority, unit: Any, identity: Any
) -> None:
    drawn = data.draw(st.lists(logs(adversary), min_size=10, max_size=10))
    rows, worlds = list[Received](), list[str]()
    for number, each in enumerate(drawn):
        touched[each.touching > 0] += 1
        rows += [*renamed(each.honest, f"a{number}"), *renamed(each.together, f"b{number}")]
        worlds += [f"a{number}", f"b{number}"]
    folder = tmp_path / str(next(fresh))
    write_log(folder, rows, cut=500)
    enrolments = tuple(Enrolment(f"{world}:{KEY}", 0, ARMS) for world in worlds)
    days = shop_days("UTC", START - 40 * DAY, START + 40 * DAY)
    found = read(folder, CubeScope(enrolments, unit, identity, "EUR", days, rates={"USD": 0.5}), adversary)
    for alone, together in zip(worlds[::2], worlds[1::2], strict=True):
        assert found.of(together) == found.of(alone)
    shutil.rmtree(folder)
