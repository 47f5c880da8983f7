"""What metrics need of the cube, and their conditions in SQL."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.conditions import compile_condition
from experiments.metric_conditions import Properties, UncountableCondition, condition, properties_of
from experiments.metric_definition import Metric, RatioPart
from experiments.metrics import cube_plan
from experiments.shop_days import DAY_US, calendar_date, shop_days


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
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"$or": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"$nor": parts}),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=4,
)


@given(where=CONDITIONS, p=st.sampled_from([None, "a", "b", "ab"]), q=st.sampled_from([None, 0, 3, 10]))
def test_a_where_means_in_sql_what_it_means_in_an_audience(
    where: dict[str, object], p: str | None, q: int | None
) -> None:
    expected = compile_condition(where)({name: value for name, value in (("p", p), ("q", q)) if value is not None})
    if q is None and "q" in properties_of(where):
        return  # the browser compares a missing number as 0; an event without it is not counted
    sql = condition(where, Properties(("p", "q"))).render("duckdb")
    row = "SELECT $p AS text_0, NULL::DOUBLE AS number_0, $q::VARCHAR AS text_1, $q::DOUBLE AS number_1"
    assert asked(f"SELECT {sql} FROM ({row}) e", {"p": p, "q": q}) == [(expected,)]


def test_operators_that_cannot_be_counted_are_refused_with_a_hint() -> None:
    with pytest.raises(UncountableCondition, match=r"did you mean \$in"):
        condition({"p": {"$inn": ["a"]}}, Properties(("p",)))
    with pytest.raises(UncountableCondition, match=r"\$elemMatch cannot be counted"):
        condition({"p": {"$elemMatch": {"$eq": 1}}}, Properties(("p",)))
    with pytest.raises(UncountableCondition, match="lists and objects"):
        condition({"p": ["a"]}, Properties(("p",)))


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
