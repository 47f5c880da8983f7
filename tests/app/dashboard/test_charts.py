"""Charts: whatever numbers an answer holds, what is drawn stands inside its picture, and the finding is in words."""

import math
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.dashboard import charts
from app.dashboard.environment import environment

NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1e-300, -1e-300, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1.0, 1.0),
)
ENDS = st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS))
WORDS = st.sampled_from(["wins", "loses", "unclear", "safe", "violated", "no_worse"])
TEXTS = st.text(max_size=60)
EFFECTS = st.builds(charts.ForestEffect, TEXTS, NUMBERS, ENDS, WORDS, TEXTS, st.sampled_from(["Goals", "Guardrails"]))
DAYS = st.builds(charts.Day, TEXTS, NUMBERS, ENDS, TEXTS)
PLACES = re.compile(r'\b(?:x|x1|x2|cx|y|y1|y2|cy|width|height)="([^"]*)"|points="([^"]*)"')
MACROS = environment().from_string(
    '{% import "charts.html" as charts %}{{ charts[kind]("a", title, "what it says", drawn) }}'
)


def drawn(kind: str, picture: object, title: str = "A title") -> str:
    return MACROS.render(kind=kind, drawn=picture, title=title)


def places(html: str) -> Sequence[float]:
    found: list[float] = []
    for one, several in PLACES.findall(html):
        found += [float(each) for each in re.split(r"[ ,]+", several or one) if each]
    return found


def stands_inside(html: str, height: float) -> bool:
    return all(math.isfinite(place) and -1.0 <= place <= max(charts.WIDTH, height) + 1.0 for place in places(html))


@given(st.lists(EFFECTS, max_size=8), st.booleans())
@settings(max_examples=examples(100))
def test_a_forest_of_any_numbers_stands_inside_its_picture(effects: list[charts.ForestEffect], points: bool) -> None:
    picture = charts.forest(effects, points=points)
    assert stands_inside(drawn("forest", picture), picture.height)
    assert [row.effect for row in picture.rows] == effects
    for row in picture.rows:
        assert (row.at is None) or charts.PLOT[0] <= row.at <= charts.PLOT[1]
        ends = [end for end in (row.low, row.high) if end is not None]
        assert all(charts.PLOT[0] <= end <= charts.PLOT[1] for end in ends)


@given(st.lists(DAYS, max_size=12), st.booleans())
@settings(max_examples=examples(100))
def test_a_series_of_any_numbers_stands_inside_its_picture(days: list[charts.Day], points: bool) -> None:
    picture = charts.series(days, points=points)
    assert stands_inside(drawn("series", picture), picture.height)
    assert len(picture.dots) == sum(day.estimate is not None for day in days)


@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)), max_size=40))
@settings(max_examples=examples(50))
def test_bars_of_any_counts_stand_inside_their_picture(counts: list[tuple[int, int]]) -> None:
    picture = charts.bars([f"{place} Nov" for place in range(len(counts))], counts, lambda day, kind: f"{day} {kind}")
    assert stands_inside(drawn("bars", picture), picture.height)
    assert len(picture.bars) == 2 * len(counts)


def test_a_funnel_is_as_wide_as_the_share_that_came_so_far() -> None:
    picture = charts.funnel(["Viewed", "Bought"], [("control", 100, (80, 20)), ("b", 0, (0, 0))])
    first, empty, last, _ = picture.steps
    assert first.width == pytest.approx(4 * last.width)
    assert empty.width == 0.0
    assert stands_inside(drawn("funnel", picture), picture.height)


def test_what_is_settled_differs_from_what_is_open_by_more_than_colour() -> None:
    rows = charts.forest(
        [charts.ForestEffect("a", 0.1, (0.05, 0.15), "wins"), charts.ForestEffect("b", 0.1, (-0.1, 0.3), "unclear")]
    )
    assert [row.look for row in rows.rows] == ["good", "open"]


def test_an_interval_that_goes_on_beyond_the_picture_has_an_arrow() -> None:
    wide = [charts.ForestEffect(str(n), 0.01, (-0.02, 0.04), "unclear") for n in range(4)]
    picture = charts.forest([*wide, charts.ForestEffect("wide", None, (-9.0, None), "unclear")])
    assert [(row.cut_low, row.cut_high) for row in picture.rows] == [(False, False)] * 4 + [(True, True)]
    assert drawn("forest", picture).count('class="cut"') == 2


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", '"><script>x</script>', "\u202ered", "x" * 10_000])
def test_names_are_text_in_a_picture(hostile: str) -> None:
    html = drawn("forest", charts.forest([charts.ForestEffect(hostile, 0.1, (0.0, 0.2), "wins", hostile)]), hostile)
    assert "<img" not in html
    assert "<script" not in html
    assert re.findall(r"\bon\w+=", re.sub(r"&\w+;[^<]*", "", html)) == []


@pytest.mark.parametrize("kind", ["forest", "series", "bars", "funnel"])
def test_each_picture_is_named_and_says_its_finding(kind: str) -> None:
    pictures = {"forest": charts.forest([]), "series": charts.series([]), "funnel": charts.funnel([], []),
                "bars": charts.bars([], [], lambda day, each: "")}  # fmt: skip
    html = drawn(kind, pictures[kind])
    assert 'role="img" aria-labelledby="a-title a-desc"' in html
    assert '<desc id="a-desc">what it says</desc>' in html
    assert "style=" not in html


@pytest.mark.parametrize("value", [0.0, 1e300, -1e300, 1e-300])
def test_what_never_changes_is_a_level_line_however_large_it_is(value: float) -> None:
    points = [tuple(map(float, each.split(","))) for each in charts.trace([value, value, value]).split()]
    assert [y for _, y in points] == [14.0] * 3
    assert [x for x, _ in points] == [2.0, 60.0, 118.0]
