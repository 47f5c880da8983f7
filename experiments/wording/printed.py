"""Results as lines of text of a width: tables whose columns move below the table where they do not fit, so that no
number is ever cut."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from experiments.definitions.model import Quantity
from experiments.wording.figures import (
    NOTHING,
    SMALLEST_P,
    count_text,
    difference_text,
    figure_text,
    lift_text,
    p_text,
    told_apart,
)

COLUMNS: Final = ("variant", "units", "value", "lift", "difference", "interval", "p", "p adj.", "verdict")
"""Of a metric, in order."""
DROPPED: Final = ("units", "p adj.", "p", "difference", "interval", "lift", "value", "verdict")
"""Which column moves below the table first."""
_GAP: Final = "  "
_GLUE: Final = "\u00a0"  # a space at which no line ends


def table_lines(
    names: Sequence[str], rows: Sequence[Sequence[str]], width: int, dropped: Sequence[str] = ()
) -> list[str]:
    """A table of at most this width; the columns that do not fit stand below each row, every cell whole. They go in the
    order of `dropped`, then from the right; the first one stays."""
    order = [
        *(name for name in dropped if name in names),
        *(name for name in reversed(names[1:]) if name not in dropped),
    ]
    kept = list(range(len(names)))
    widths = [max(len(cell) for cell in (name, *column)) for name, *column in zip(names, *rows, strict=True)]
    for name in order:
        if len(_GAP) + sum(widths[place] + len(_GAP) for place in kept) <= width + len(_GAP):
            break
        kept.remove(names.index(name))
    heads = [names[place] for place in kept]
    lines = [_row(heads, [widths[place] for place in kept])] if len(kept) > 1 else []
    for row in rows:
        lines.append(_row([row[place] for place in kept], [widths[place] for place in kept]))
        beside = [_named(name, row[place]) for place, name in enumerate(names) if place not in kept and row[place]]
        lines += wrapped(", ".join(text.replace(" ", _GLUE) for text in beside), width, "    ")
    return lines


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Text in lines of a width, in which no number is parted from its sign or unit."""
    glued = text.replace(" %", f"{_GLUE}%").replace(" × ", f"{_GLUE}×{_GLUE}")
    room = max(20, width)
    lines = wrap(
        glued, room, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_GLUE, " ") for line in lines]


def metric_lines(metric: Mapping[str, Any], width: int) -> Iterator[str]:
    """A metric: what it is, a table of its variants as they stood then, and a sentence of each comparison; the same of
    each level of its dimensions."""
    quantity, currency = metric["quantity"], metric.get("currency") or ""
    day = metric["comparisons"][0]["as_of_day"] if metric["comparisons"] else None
    moment = f", at the close of {day}" if day else ""
    title = metric["title"] if metric["title"] == metric["metric"] else f"{metric['title']} ({metric['metric']})"
    yield ""
    yield from wrapped(f"{title}: {_role(metric)}{moment}", width, "")
    names, cells = _table(metric, metric, quantity, currency)
    yield from table_lines(names, cells, width, DROPPED)
    for judged in metric["comparisons"]:
        yield from wrapped(judged["sentence"], width)
        if judged["reasons"]:
            yield from wrapped(f"{judged['variant']}: {', '.join(map(in_letters, judged['reasons']))}", width)
    for level in metric.get("dimensions", ()):
        yield from wrapped(f"{title}, {level['dimension']} {level['level'] or NOTHING} (exploratory)", width, "")
        names, cells = _table(level, metric, quantity, currency)
        yield from table_lines(names, cells, width, DROPPED)


def footnotes(readout: Mapping[str, Any], explained: Mapping[str, str], width: int) -> Iterator[str]:
    """What each code that occurs means."""
    places = [place for metric in readout["metrics"] for place in (metric, *metric.get("dimensions", ()))]
    reasons = [code for place in places for judged in place["comparisons"] for code in judged["reasons"]]
    for code in dict.fromkeys(reasons):
        if code in explained:
            yield from wrapped(f"{in_letters(code)}: {explained[code]}", width)


def in_letters(code: str) -> str:
    """A code as words."""
    return code.replace("_", " ")


def _role(metric: Mapping[str, Any]) -> str:
    points, margin = metric["effect_scale"] == "points", metric.get("margin")
    if margin is None:
        return f"{metric['role']}, {metric['type']}"
    allowed = f"{figure_text(margin)} points" if points else lift_text(margin).replace(".0 %", " %")
    return f"{metric['role']}, no worse by {allowed}, {metric['type']}"


def _table(
    judged: Mapping[str, Any], metric: Mapping[str, Any], quantity: Quantity, currency: str
) -> tuple[list[str], list[list[str]]]:
    """Names and cells of a metric, or of a level of one; what is shown in points has no lift."""
    kept = [place for place, name in enumerate(COLUMNS) if name != "lift" or metric["effect_scale"] != "points"]
    rows = _rows(judged, metric, quantity, currency)
    return [COLUMNS[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _rows(
    judged: Mapping[str, Any], metric: Mapping[str, Any], quantity: Quantity, currency: str
) -> Iterator[list[str]]:
    """The cells of a metric, or of a level of one, control first."""
    comparisons = judged["comparisons"]
    if not comparisons and not judged["arms"]:
        return
    control = comparisons[0]["arms"][0] if comparisons else judged["arms"][0]
    arms = [control, *(each["arms"][1] for each in comparisons)]
    values = told_apart([arm["value"] for arm in arms], quantity, currency)
    yield [control["variant"], count_text(control["units"]), values[0], *[""] * 6]
    points = metric["effect_scale"] == "points"
    for each, arm, value in zip(comparisons, arms[1:], values[1:], strict=True):
        lift = NOTHING if points else lift_text(each["lift"], signed=True)
        apart = difference_text(each["difference"], quantity, currency, signed=True)
        in_lifts = not points and each["ci"] is not None
        yield [
            each["variant"],
            count_text(arm["units"]),
            value,
            lift,
            apart,
            _span(each["ci"] if in_lifts else each["difference_ci"], quantity, currency, lifts=in_lifts),
            _p(each["p"]),
            _p(each["p_adjusted"]),
            each["verdict"],
        ]


def _span(bounds: Sequence[float] | None, quantity: Quantity, currency: str, *, lifts: bool) -> str:
    if bounds is None:
        return NOTHING
    if lifts:
        return " … ".join(lift_text(end, signed=True) for end in bounds)
    return " … ".join(difference_text(end, quantity, currency, signed=True) for end in bounds)


def _p(p: float | None) -> str:
    return p_text(p) if p is not None and p < SMALLEST_P else NOTHING if p is None else figure_text(p, 2)


def _named(name: str, cell: str) -> str:
    return cell if cell.startswith(f"{name} ") else f"{name}: {cell}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return (_GAP + _GAP.join(padded)).rstrip()
