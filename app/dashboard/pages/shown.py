"""What the page of an experiment shows of its answers: rows for tables, and what is drawn. Nothing is computed here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.dashboard import charts
from app.dashboard.paging import Paged, one_page
from app.dashboard.saying import (
    ROLES,
    VERDICTS,
    Json,
    effect_read,
    effect_text,
    in_points,
    reason,
    short_day,
    verdict,
)

ROWS: Final = 20  # comparisons, or levels, of one page
FEWER_ROWS: Final = 12  # where there are several variants, each with a picture of its own
MOST_DAYS: Final = 60
MOST_CELLS: Final = 40  # of a page of days: days times variants
MOST_DOTS: Final = 40  # days that are pointed at, of all pictures of a metric
MOST_BARS: Final = 60
LEAST: Final = 7  # days, however many variants there are


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One comparison of a metric, as a row says it; `known` is False where it is too early, or cannot be said."""

    metric: Json
    comparison: Json
    look: str
    word: str

    @property
    def known(self) -> bool:
        """Whether anything is said of its effect."""
        return bool(self.comparison["gate"]["open"]) and effect_read(self.metric, self.comparison)[0] is not None

    @property
    def estimate(self) -> Any:
        return effect_read(self.metric, self.comparison)[0] if self.known else None

    @property
    def interval(self) -> Any:
        return (effect_read(self.metric, self.comparison)[1] if self.known else None) or (None, None)

    @property
    def p(self) -> Any:
        """What the verdict follows: corrected for all that is judged beside it."""
        found = self.comparison
        return found["p"] if found["p_adjusted"] is None else found["p_adjusted"]

    @property
    def why(self) -> str:
        """What stands instead of a number."""
        return self.word if not self.comparison["gate"]["open"] else reason(self.comparison["reasons"])


def compared(results: Json) -> list[ComparedRow]:
    """Every comparison, goals first and what is only watched last."""
    return [
        ComparedRow(metric, comparison, *verdict(comparison))
        for role in ROLES
        for metric in results["metrics"]
        if metric["role"] == role
        for comparison in metric["comparisons"]
    ]


def forests(rows: Sequence[ComparedRow]) -> list[tuple[str, str, charts.Forest]]:
    """A title, the finding in words, and the picture: of relative effects, and of those in points."""
    found: list[tuple[str, str, charts.Forest]] = []
    for points in (False, True):
        chosen = [row for row in rows if in_points(row.metric) == points]
        if chosen:
            drawn = charts.forest([_told(row) for row in chosen], points=points)
            title = "Effect against control, in points" if points else "Effect against control, in %"
            found.append((f"{title}, with the range that is plausible", _finding(chosen), drawn))
    return found


def _told(row: ComparedRow) -> charts.ForestEffect:
    several = len(row.metric["comparisons"]) > 1
    label = f"{row.metric['title']}, {row.comparison['variant']}" if several else row.metric["title"]
    said = f"{effect_text(row.estimate, row.metric)}  {row.word}" if row.known else row.word
    interval = None if row.interval == (None, None) else row.interval
    word = row.comparison["verdict"] if row.known else "unclear"
    return charts.ForestEffect(label, row.estimate, interval, word, said, ROLES[row.metric["role"]])


def _finding(rows: Sequence[ComparedRow]) -> str:
    """What a forest shows: which effects are settled, and how many are open."""
    counts = {word: sum(row.word == word for row in rows) for word in dict.fromkeys(row.word for row in rows)}
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    first = rows[0]
    said = f" First: {first.comparison['sentence']}" if first.known else ""
    return f"{len(rows)} comparisons: {told}.{said}"


def rows_beside_pictures(metric: Json | None) -> int:
    """How many comparisons, or levels, a page has beside the pictures of a metric."""
    return FEWER_ROWS if metric and len(metric["comparisons"]) > 1 else ROWS


def days_of_page(days: Sequence[Json], number: int | None, variants: int) -> Paged | None:
    """One page of days, the newest first: the more variants, the fewer, so that a page stays small."""
    return None if number is None else one_page(days[::-1], number, max(LEAST, MOST_CELLS // variants))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series of one variant: its picture, and a page of its days as a table where that is wanted."""

    variant: str
    finding: str
    picture: charts.Series
    days: Paged | None


def series_of(metric: Json, timeseries: Json | None, number: int | None = None) -> list[Drawn]:
    """A metric day by day, everything so far, for each variant; a page of the days."""
    told = next((each for each in (timeseries or {}).get("metrics", ()) if each["metric"] == metric["metric"]), None)
    found: list[Drawn] = []
    for comparison in metric["comparisons"]:
        variant = comparison["variant"]
        days = [
            row for row in (told or {}).get("days", ()) if row["kind"] == "cumulative" and row["variant"] == variant
        ][-MOST_DAYS:]
        if not comparison["gate"]["open"] or not any(effect_read(metric, row)[0] is not None for row in days):
            continue
        drawn = charts.series(
            [_drawn_day(metric, row) for row in days],
            points=in_points(metric),
            most_dots=MOST_DOTS // len(metric["comparisons"]),
        )
        told_of = days_of_page(days, number, len(metric["arms"]))
        found.append(Drawn(variant, comparison["sentence"], drawn, told_of))
    return found


def _drawn_day(metric: Json, row: Json) -> charts.Day:
    estimate, interval = effect_read(metric, row)
    name, (low, high) = short_day(row["day"]), interval or (None, None)
    said = f"{name}: {effect_text(estimate, metric)}"
    if interval:
        said += f" ({effect_text(low, metric)} to {effect_text(high, metric)})"
    return charts.Day(name, estimate, interval, said)


@dataclass(frozen=True, slots=True)
class Filling:
    """How the variants filled: one picture, and a page of its days as a table where that is wanted."""

    variants: Sequence[str]
    days: Paged | None
    picture: charts.Bars


def filling(results: Json, number: int | None = None) -> Filling | None:
    """Exposures by day and variant, as the check of the sample ratio has them; a page of the days."""
    days = [each for each in results["health"]["srm"]["drill_down"] if each["dimension"] == "day"][-MOST_DAYS:]
    if not days or not results["metrics"]:
        return None
    variants = [arm["variant"] for arm in results["metrics"][0]["arms"]]
    drawn = days[-max(LEAST, MOST_BARS // len(variants)) :]
    names = [short_day(each["level"]) for each in drawn]
    counts = [each["observed"] for each in drawn]

    def said(place: int, kind: int) -> str:
        return f"{names[place]}, {variants[kind]}: {counts[place][kind]:,}"

    return Filling(variants, days_of_page(days, number, len(variants)), charts.bars(names, counts, said))


@dataclass(frozen=True, slots=True)
class Steps:
    """A funnel: its picture, its steps' names, and how many of each variant reached them."""

    names: Sequence[str]
    arms: Sequence[Json]
    picture: charts.Funnel


def steps_of(metric: Json, names: Sequence[str]) -> Steps | None:
    """How many of each variant came how far, where the metric is a funnel."""
    arms = [arm for arm in metric["arms"] if arm.get("steps")]
    if not arms or len(names) != len(arms[0]["steps"]):
        return None
    drawn = charts.funnel(names, [(arm["variant"], arm["units"], arm["steps"]) for arm in arms])
    return Steps(names, arms, drawn)


def levels_of(metric: Json) -> list[tuple[Json, ComparedRow]]:
    """Every level of every dimension with each of its comparisons."""
    return [
        (level, ComparedRow(metric, comparison, *_explored(comparison)))
        for level in metric.get("dimensions", ())
        for comparison in level["comparisons"]
    ]


def _explored(comparison: Json) -> tuple[str, str]:
    """A level decides nothing: it is worth a look, or it is not."""
    if not comparison["gate"]["open"]:
        return verdict(comparison)
    return ("open", "worth a look") if comparison.get("flagged") else ("still", VERDICTS["unclear"][1])


def looks_told(plan: Json) -> str:
    """How often the plan looks."""
    if plan["method"] == "planned":
        return f"{plan['looks']} planned"
    return "one, at the end" if plan["method"] == "fixed" else f"any day, {plan['closed_days']} closed so far"
