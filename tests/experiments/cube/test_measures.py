"""What metrics need of the cube, and their conditions in SQL."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.assignment.payload import portable
from experiments.cube.measures import cube_plan
from experiments.cube.shop_days import calendar_date, shop_days
from experiments.cube.statements import Properties, UncountableCondition, condition, properties_of
from experiments.definitions.metrics import uncountable
from experiments.definitions.shop import Metric, RatioPart
from experiments.targeting.predicates import ConditionError, compile_condition
from kit.conditions import ORDERS as ORDERED
from kit.conditions import parse
from kit.time import DAY_US, microseconds


def asked(text: str, values: dict[str, object] | None = None) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(text, values).fetchall()


ORDERS = RatioPart(event="Order Completed")
VALUES = st.one_of(st.none(), st.sampled_from(["a", "b", "10"]), st.integers(-2, 12), st.booleans())
PLAIN = st.sampled_from(["a", "b", "c"])
TESTS = st.one_of(
    PLAIN.map(lambda value: {"p": value}),
    PLAIN.map(lambda value: {"p": {"$ne": value}}),
    st.lists(PLAIN, max_size=3).map(lambda values: {"p": {"$in": values}}),
    st.lists(PLAIN, max_size=3).map(lambda values: {"p": {"$nin": values}}),
    st.booleans().map(lambda value: {"p": {"$exists": value}}),
    st.sampled_from(["$gt", "$gte", "$lt", "$lte"]).flatmap(
        lambda sign: st.integers(0, 10).map(lambda value: {"q": {sign: value}})
    ),
    st.integers(0, 10).map(lambda value: {"q": value}),
    PLAIN.map(lambda value: {"p": {"$not": {"$regex": value}}}),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"$or": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"$nor": parts}),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=4,
)


OPERATORS = (*ORDERED, "$eq", "$ne", "$in", "$nin", "$exists", "$not", "$regex", "$size", "$ini", "$type", "$elemMatch")
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "1", "string"])
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(OPERATORS), inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)
ANY_CONDITION = st.recursive(
    st.dictionaries(st.sampled_from(["p", "q", "value", "country"]), ANYTHING, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, max_size=2), min_size=1)
        | inner.map(lambda part: {"$not": part})
    ),
    max_leaves=3,
)


@given(where=CONDITIONS, p=st.sampled_from([None, "a", "b", "ab"]), q=st.sampled_from([None, 0, 3, 10]))
def test_a_where_means_the_same_in_an_audience_in_the_payload_and_in_sql(
    where: dict[str, object], p: str | None, q: int | None
) -> None:
    attributes = {name: value for name, value in (("p", p), ("q", q)) if value is not None}
    expected = compile_condition(where)(attributes)
    assert compile_condition(portable(where))(attributes) == expected
    if q is None and "q" in properties_of(where):
        return  # the browser compares a missing number as 0; an event without it is not counted
    sql = condition(where, Properties(("p", "q"))).render("duckdb")
    row = "SELECT $p AS text_0, NULL::DOUBLE AS number_0, $q::VARCHAR AS text_1, $q::DOUBLE AS number_1"
    assert asked(f"SELECT {sql} FROM ({row}) e", {"p": p, "q": q}) == [(expected,)]


@pytest.mark.parametrize(
    ("where", "place", "message"),
    [
        ({"p": {"$inn": ["a"]}}, ("p", "$inn"), "did you mean $in?"),
        ({"p": {"$elemMatch": {"$eq": 1}}}, ("p", "$elemMatch"), "metrics can use $eq"),
        ({"$or": [{"p": 1}, {"p": ["a"]}]}, ("$or", 1, "p"), "lists and objects"),
        ({"p": {"$not": {"$in": [1, {"a": 2}]}}}, ("p", "$not", "$in", 1), "lists and objects"),
        ({"p": {"$gt": True}}, ("p", "$gt"), "only numbers and texts have an order"),
    ],
)
def test_what_cannot_be_counted_is_named_where_it_stands(
    where: dict[str, object], place: tuple[object, ...], message: str
) -> None:
    found = list(uncountable(parse(where).where))
    assert [mistake.path for mistake in found] == [place]
    assert message in found[0].message
    with pytest.raises(UncountableCondition, match="where: "):
        condition(where, Properties(("p",)))


@given(where=ANY_CONDITION)
def test_a_condition_without_a_complaint_becomes_sql_that_runs(where: dict[str, object]) -> None:
    """Whatever an audience may say: either it is named as uncountable, or every engine can count by it."""
    try:
        compile_condition(where, {})
    except ConditionError:
        assume(False)
    assume(not list(uncountable(parse(where).where)))
    names = tuple(properties_of(where))
    sql = condition(where, Properties(names)).render("duckdb")
    columns = [f"NULL::VARCHAR AS text_{index}, NULL::DOUBLE AS number_{index}" for index in range(len(names))]
    assert asked(f"SELECT {sql} FROM (SELECT {', '.join(['1.0 AS value', 'NULL::VARCHAR AS country', *columns])}) e")[
        0
    ][0] in (True, False)


@pytest.mark.parametrize("test", [{"$exists": True}, {"$ne": None}, {"$regex": "1"}, {"$gte": 1}, 1, {"$in": [1, "b"]}])
def test_the_value_of_an_event_can_be_asked_for(test: object) -> None:
    sql = condition({"value": test}, Properties(())).render("duckdb")
    assert asked(f"SELECT {sql} FROM (SELECT 1.0 AS value) e") == [(True,)]


def test_metrics_on_the_same_events_share_one_source() -> None:
    metrics = [
        Metric(name="rate", type="proportion", event="Order Completed"),
        Metric(name="orders", type="count", event="Order Completed"),
        Metric(name="revenue", type="mean", event="Order Completed", value="revenue"),
        Metric(
            name="aov", type="ratio", numerator=RatioPart(event="Order Completed", sum="revenue"), denominator=ORDERS
        ),
    ]
    plan = cube_plan(metrics, 14 * 86_400)
    assert len(plan.sources) == 1
    assert plan.boundaries == (-14 * DAY_US, 0, 7 * DAY_US)
    assert plan.rule("aov").is_ratio


def test_surveys_on_one_event_are_sources_of_their_own() -> None:
    kinds = [Metric(name=name, type=name, event="Survey Answered", where={"survey": name}) for name in ("nps", "ces")]
    plan = cube_plan(kinds, 0)
    assert len(plan.sources) == 2
    assert plan.properties.names[0] == "survey"
    assert plan.boundaries[0] == 0


@given(
    time=st.integers(1_600_000_000, 1_900_000_000),
    zone=st.sampled_from(["UTC", "Europe/Bratislava", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_shop_days_are_the_calendars_in_python_and_in_sql(time: int, zone: str) -> None:
    moment = time * 1_000_000 + 123
    days = shop_days(zone, moment - 200 * DAY_US, moment + 200 * DAY_US)
    expected = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone)).date()
    assert calendar_date(days.day(moment)) == expected
    assert asked(f"SELECT {days.sql('t').render('duckdb')} FROM (SELECT {moment}::BIGINT AS t)") == [
        (days.day(moment),)
    ]


def test_the_clock_changes_at_its_very_second() -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    days = shop_days("Europe/Bratislava", microseconds(first), microseconds(last))
    assert days.offsets[1:] == (
        (microseconds(datetime(2026, 3, 29, 1, tzinfo=UTC)), DAY_US // 12),
        (microseconds(datetime(2026, 10, 25, 1, tzinfo=UTC)), DAY_US // 24),
    )
