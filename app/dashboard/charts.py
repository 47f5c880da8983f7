"""Where everything of a chart stands: numbers of an answer become places, which the macros of `charts.html` draw.

What cannot be said leaves its place empty; what is far out is cut at the edge of the picture, where an arrow tells it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from experiments.wording.figures import figure_text, lift_text

Number = float | None
Ends = Sequence[Number] | None
WIDTH: Final = 880.0
PLOT: Final = (270.0, 640.0)  # of a forest, between its labels and what is said of each effect
ROW: Final = 30.0
HEIGHT: Final = 240.0  # of a series or of bars
LEFT: Final = 64.0
RIGHT: Final = 30.0
FOOT: Final = 28.0
LONGEST_LABEL: Final = 34
LARGEST: Final = 1e300  # sums of what is larger overflow
MOST_DRAWN: Final = 62  # days of a trend
MOST_DOTS: Final = 31  # of these
MOST_TRACED: Final = 24  # points of a small line
FAR_OUT: Final = 3.0  # times the middle length of an interval: what reaches beyond is cut


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of an axis, and what stands at it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Numbers between two ends, on a stretch of the picture."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value, at an end where it lies beyond; in the middle where both ends are one number."""
        length = self.high - self.low
        share = (min(max(value, self.low), self.high) - self.low) / length if length > 0.0 else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, say: Callable[[float], str]) -> list[Tick]:
        """Some five round numbers."""
        rough = (self.high - self.low) / 6.0
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * size for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * size >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [Tick(self.at(step * number), say(step * number)) for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class ForestEffect:
    """What a forest tells in a row: whose effect (`label`), of which `group`, and what is `said` of it at its end."""

    label: str
    estimate: Number
    interval: Ends
    verdict: str
    said: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A row as it is drawn: `low` and `high` are the ends of its line, `cut_low` and `cut_high` those that go on."""

    y: float
    effect: ForestEffect
    label: str
    at: Number
    low: Number
    high: Number
    cut_low: bool
    cut_high: bool

    @property
    def look(self) -> str:
        """How it is drawn: what is settled is solid, what is open is hollow."""
        word = self.effect.verdict
        return "good" if word in ("wins", "safe", "no_worse") else "bad" if word in ("loses", "violated") else "open"


@dataclass(frozen=True, slots=True)
class Forest:
    height: float
    zero: float
    ticks: list[Tick]
    heads: list[Tick]
    rows: list[ForestRow]


def forest(effects: Sequence[ForestEffect], *, points: bool = False) -> Forest:
    """Effects with their intervals against no difference; relative ones in %, else in points."""
    limit = _reach([(each.estimate, each.interval) for each in effects])
    axis = Axis(-limit, limit, *PLOT)
    heads: list[Tick] = []
    rows: list[ForestRow] = []
    y, group = -8.0, ""
    for effect in effects:
        if effect.group != group:
            group, y = effect.group, y + 34.0
            heads.append(Tick(y, group))
            y -= 2.0
        y += ROW
        rows.append(_forest_row(effect, axis, y))
    return Forest(y + 46.0, axis.at(0.0), axis.ticks(_said_of(points)), heads, rows)


def _forest_row(effect: ForestEffect, axis: Axis, y: float) -> ForestRow:
    low, high = _ends(effect.interval)
    known = effect.interval is not None and (low is not None or high is not None)
    low, high = (-LARGEST if low is None else low, LARGEST if high is None else high) if known else (None, None)
    seen = effect.estimate is not None and axis.low <= effect.estimate <= axis.high
    at = axis.at(effect.estimate) if effect.estimate is not None and seen else None
    return ForestRow(
        y=y,
        effect=effect,
        label=short(effect.label, LONGEST_LABEL),
        at=at,
        low=None if low is None else axis.at(low),
        high=None if high is None else axis.at(high),
        cut_low=low is not None and low < axis.low,
        cut_high=high is not None and high > axis.high,
    )


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a series, and what is said of it where somebody points at it."""

    name: str
    estimate: Number
    interval: Ends
    said: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    said: str


@dataclass(frozen=True, slots=True)
class Series:
    height: float
    zero: float
    ticks: list[Tick]
    days: list[Tick]
    bands: list[str]
    lines: list[str]
    dots: list[Dot]


def series(days: Sequence[Day], *, points: bool = False, most_dots: int = MOST_DRAWN) -> Series:
    """An effect day by day with its band: what has no number is a gap. Some days have dots, the last among them."""
    told = [(day.estimate, day.interval) for day in days]
    limit = _reach(told[len(told) // 3 :])  # the first days hold anything: they must not flatten all others
    found = _series(days, Axis(-limit, limit, HEIGHT - FOOT, 10.0), 0.0, _said_of(points))
    step = -(-len(found.dots) // most_dots) or 1
    return replace(found, dots=found.dots[::-1][::step][::-1])


def trend(days: Sequence[Day], say: Callable[[float], str], target: Number = None) -> Series:
    """A value day by day with its band, and the line of its target where it has one; `say` says a value. Of a long time
    some days are drawn, the last among them.
    """
    step = -(-len(days) // MOST_DRAWN) or 1
    days = days[(len(days) - 1) % step :: step] if days else days
    seen = [each for day in days for each in (day.estimate, *_ends(day.interval)) if each is not None]
    values = [_finite(each) for each in seen] + ([] if target is None else [_finite(target)])
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.05 * (high - low) or abs(high) * 0.1 or 1.0
    low = 0.0 if 0.0 <= low < room else low - room
    level = low if target is None else target
    found = _series(days, Axis(low, high + room, HEIGHT - FOOT, 10.0), level, say)
    return replace(found, dots=found.dots[:: -(-len(found.dots) // MOST_DOTS) or 1])


def _series(days: Sequence[Day], up: Axis, level: float, say: Callable[[float], str]) -> Series:
    across = Axis(0.0, max(1.0, len(days) - 1.0), LEFT, WIDTH - RIGHT)
    told = [(day.estimate, day.interval) for day in days]
    drawn = [
        (across.at(place), None if each is None else up.at(_finite(each)), *_places(up, ends))
        for place, (each, ends) in enumerate(told)
    ]
    dots = [Dot(x, y, day.said) for (x, y, *_), day in zip(drawn, days, strict=True) if y is not None]
    lines = [" ".join(f"{x},{y}" for x, y, *_ in run) for run in _runs(drawn, lambda each: each[1] is not None)]
    bands = [
        " ".join([*(f"{x},{high}" for x, _, _, high in run), *(f"{x},{low}" for x, _, low, _ in reversed(run))])
        for run in _runs(drawn, lambda each: each[2] is not None and each[3] is not None)
    ]
    return Series(HEIGHT, up.at(level), up.ticks(say), _some(days, across), bands, lines, dots)


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: int
    said: str


@dataclass(frozen=True, slots=True)
class Bars:
    height: float
    ticks: list[Tick]
    days: list[Tick]
    bars: list[Bar]


def bars(names: Sequence[str], counts: Sequence[Sequence[float]], said: Callable[[int, int], str]) -> Bars:
    """How many on each day (`names`) of each kind, side by side; `said` tells of a day and a kind."""
    bottom = HEIGHT - FOOT
    most = max((_finite(count) for row in counts for count in row), default=0.0)
    up = Axis(0.0, most or 1.0, bottom, 10.0)
    room = (WIDTH - LEFT - 16.0) / max(1, len(names))
    kinds = max((len(row) for row in counts), default=1)
    width = round(min(26.0, room * 0.8 / kinds), 2)
    found: list[Bar] = []
    for place, row in enumerate(counts):
        start = LEFT + room * place + (room - width * len(row)) / 2.0
        for kind, count in enumerate(row):
            top = up.at(_finite(count))
            x, height = round(start + width * kind, 1), round(bottom - top, 1)
            found.append(Bar(x, top, width, height, kind, said(place, kind)))
    across = Axis(0.0, max(1.0, len(names) - 1.0), LEFT + room / 2.0, WIDTH - RIGHT - room / 2.0)
    days = [Day(name, None, None) for name in names]
    return Bars(HEIGHT, up.ticks(figure_text), _some(days, across), found)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a funnel in one variant: how far its bar reaches."""

    y: float
    label: str
    width: float
    kind: int
    said: str
    value: float


@dataclass(frozen=True, slots=True)
class Funnel:
    height: float
    heads: list[Tick]
    steps: list[Step]


def funnel(names: Sequence[str], arms: Sequence[tuple[str, int, Sequence[int]]]) -> Funnel:
    """How many of each variant (its name, its units, who reached each step) came how far."""
    across, y = Axis(0.0, 1.0, 0.0, PLOT[1] - 200.0), 0.0
    heads: list[Tick] = []
    steps: list[Step] = []
    for place, name in enumerate(names):
        y += 24.0
        heads.append(Tick(y, short(name, 60)))
        y += 8.0
        for kind, (variant, units, reached) in enumerate(arms):
            width = across.at(reached[place] / units if units else 0.0)
            steps.append(Step(y, short(variant, 24), width, kind, f"{reached[place]:,}", reached[place]))
            y += 22.0
    return Funnel(y + 12.0, heads, steps)


def sparkline(counts: Sequence[Number], width: float = 120.0, height: float = 28.0) -> str:
    """The points of a small line, the newest at the right."""
    known = [max(0.0, _finite(count or 0.0)) for count in counts]
    up = Axis(0.0, max(known, default=0.0) or 1.0, height - 3.0, 3.0)
    across = Axis(0.0, max(1.0, len(known) - 1.0), 2.0, width - 2.0)
    return " ".join(f"{across.at(place)},{up.at(count)}" for place, count in enumerate(known))


def trace(values: Sequence[Number], width: float = 120.0, height: float = 28.0) -> str:
    """The points of a small line between the least and the greatest value; what has none is passed over."""
    step = -(-len(values) // MOST_TRACED) or 1
    known = [(place, _finite(each)) for place, each in enumerate(values) if each is not None and place % step == 0]
    if len(known) < 2:
        return ""
    low, high = min(each for _, each in known), max(each for _, each in known)
    up = Axis(low, high, height - 3.0, 3.0)
    across = Axis(0.0, max(1.0, len(values) - 1.0), 2.0, width - 2.0)
    return " ".join(f"{across.at(place)},{up.at(each)}" for place, each in known)


def short(text: str, most: int) -> str:
    """A text cut to so many characters; what was cut off is elsewhere on the page."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _said_of(points: bool) -> Callable[[float], str]:
    """How a number beside an axis is said."""
    return lambda value: "0" if value == 0.0 else figure_text(value, signed=True) if points else _percent(value)


def _percent(value: float) -> str:
    return lift_text(value, signed=True).replace(".0 %", " %")


def _finite(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)


def _ends(interval: Ends) -> tuple[Number, Number]:
    if interval is None:
        return None, None
    low, high = interval
    return None if low is None else _finite(low), None if high is None else _finite(high)


def _places(axis: Axis, interval: Ends) -> tuple[Number, Number]:
    low, high = _ends(interval)
    return None if low is None else axis.at(low), None if high is None else axis.at(high)


def _reach(told: Iterable[tuple[Number, Ends]]) -> float:
    """How far an axis reaches on both sides of 0, so that one wide interval does not flatten all others."""
    estimates: list[float] = []
    lengths: list[float] = []
    for estimate, interval in told:
        estimates += [] if estimate is None else [abs(_finite(estimate))]
        lengths += [abs(end) for end in _ends(interval) if end is not None]
    if not estimates and not lengths:
        return 1.0
    middle = sorted(lengths)[len(lengths) // 2] if lengths else 0.0
    most = max(lengths, default=0.0)
    reach = min(most, max(FAR_OUT * middle, 1.2 * sorted(estimates)[len(estimates) // 2] if estimates else 0.0))
    return max(1.1 * reach, 1.1 * max(estimates, default=0.0) if len(estimates) < 4 else 0.0, 1e-9)


def _some(days: Sequence[Day], across: Axis) -> list[Tick]:
    """The first day, the last, and what has room between them."""
    every = max(1, math.ceil((len(days) - 1) / 6))
    last = len(days) - 1
    places = [place for place in range(0, len(days), every) if place == 0 or last - place >= every / 2.0]
    return [Tick(across.at(place), days[place].name) for place in dict.fromkeys((*places, last)) if days]


_Drawn = tuple[float, Number, Number, Number]


def _runs(drawn: Sequence[_Drawn], known: Callable[[_Drawn], bool]) -> list[list[_Drawn]]:
    """What stands together without a gap."""
    edges = [place for place, each in enumerate(drawn) if not known(each)]
    return [list(drawn[low + 1 : high]) for low, high in pairwise((-1, *edges, len(drawn))) if high - low > 1]
