"""What a report says, section by section, from the answers that the routes of results and series give: no number is
computed here, and each stands beside its text as the answer has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from experiments.wording.figures import (
    NOTHING,
    Quantity,
    count_text,
    difference_text,
    figure_text,
    lift_text,
    moment_text,
    p_text,
    rate_text,
    value_text,
)

MOST_ROWS: Final = 100  # of a table, so that the file stays a small one
MOST_LINES: Final = 30  # of sentences
LONGEST_SAID: Final = 1_000  # characters of what somebody wrote
Value = float | int | str | None
Json = Mapping[str, Any]
ROLES: Final = {"goal": "goal", "secondary": "also watched", "guardrail": "must not get worse"}
STATES: Final = {
    "draft": "a draft", "not_started": "not started", "enrolling": "enrolling visitors", "paused": "paused",
    "ended": "ended, with windows that are still open", "closed": "closed: nothing more will come",
}  # fmt: skip
VERDICTS: Final = {
    "wins": "wins", "loses": "loses", "unclear": "may be chance", "safe": "safe", "violated": "violated",
    "no_worse": "no worse",
}  # fmt: skip
METHODS: Final = {
    "anytime": "Anytime-valid: the interval holds however often somebody looks, so it is wider than that of one look.",
    "planned": "Group-sequential: there are looks at fixed days, and each has its share of the error that is allowed.",
    "fixed": "Fixed: there is one look, at the end of the plan; what is seen before it decides nothing.",
    "bayesian": "Bayesian: the interval holds the effect with the probability that it says, given the prior.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """What is read, and the value of the answer that it says; None where it says no number."""

    text: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below names; a cell with a number is set to the right."""

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of what a table says: which macro draws it, what it shows, and the finding in words."""

    kind: Literal["forest", "series"]
    title: str
    finding: str
    points: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    said: tuple[str, ...] = ()
    table: Table | None = None
    chart: Chart | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One look at one experiment. `head` says of when and of what it is; `shared` is one that strangers may read."""

    key: str
    name: str
    head: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer that a report is made of. What a shared one may not name is in `hidden`."""

    results: Json
    timeseries: Json
    definition: Json
    shared: bool = False
    hidden: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def primary(self) -> Json:
        """The first goal."""
        return self.results["metrics"][0]


def report_of(shown: Shown) -> Report:
    """The report of an answer."""
    parts = (finding, arms, effects, series, guardrails, health, definition, method, repeat)
    sections = tuple(section for part in parts if (section := part(shown)) is not None)
    name = _cut(str(shown.definition["name"] or shown.results["experiment"]))
    return Report(shown.results["experiment"], name, head(shown), sections, shown.shared)


def head(shown: Shown) -> tuple[tuple[str, Cell], ...]:
    """Of what and of when this is."""
    results, plan = shown.results, shown.results["plan"]
    return (
        ("Experiment", Cell(results["experiment"])),
        ("Phase", Cell(str(results["phase"]), results["phase"])),
        ("State", Cell(STATES[results["state"]])),
        ("As of", _moment(results["as_of"])),
        ("Log written until", _moment(results["watermark"])),
        ("Method", Cell(plan["method"])),
        ("Days closed", Cell(f"{plan['closed_days']} of {plan['days']}", plan["closed_days"])),
    )


def finding(shown: Shown) -> Section:
    """The sentence, why it says so, and what it is worth."""
    results = shown.results
    decision = results["decision"]
    said = [results.get("sentence") or decision["action"].replace("_", " ").capitalize() + "."]
    said += [_sentence(each) for each in decision["because"][:MOST_LINES]]
    worth = results.get("worth")
    if worth and worth.get("ci"):
        unit = worth.get("currency") or worth.get("unit") or ""
        low, high = (_amount(end, unit) for end in worth["ci"])
        said.append(f"Worth between {low} and {high} a month. {worth['assumption']}")
    return Section("What came of it", tuple(said))


def arms(shown: Shown) -> Section:
    """Who took part, and what they brought of the first goal."""
    metric = shown.primary
    rows = tuple(
        (
            Cell(arm["variant"]),
            Cell(count_text(arm["units"]), arm["units"]),
            Cell(count_text(arm["units_immature"]), arm["units_immature"]),
            _value(arm["value"], metric),
        )
        for arm in metric["arms"]
    )
    names = ("Variant", f"{metric['unit'].capitalize()}s", "Window still open", title(metric))
    return Section("Variants", (), Table(names, rows))


def effects(shown: Shown) -> Section:
    """Every metric of every variant against control, by role, drawn and as numbers."""
    compared = [(metric, row) for metric in shown.results["metrics"] for row in metric["comparisons"]]
    names = ("Metric", "Role", "Variant", "Control", "With it", "Effect", "From", "To", "p", "Verdict")
    left_out = len(compared) - MOST_ROWS
    more = [f"{count_text(left_out)} more comparisons are in the results."] if left_out > 0 else []
    compared = compared[:MOST_ROWS]
    rows = tuple(_effect_row(metric, row) for metric, row in compared)
    judged = [row["sentence"] for metric, row in compared if metric["role"] != "secondary" and row.get("sentence")]
    said = (*dict.fromkeys(judged[:MOST_LINES]), *more)
    points = tuple(
        {
            "label": f"{title(metric)}, {row['variant']}",
            "estimate": _effect(metric, row)[0],
            "interval": _effect(metric, row)[1],
            "verdict": row["verdict"],
            "points": metric["effect_scale"] == "points",
        }
        for metric, row in compared
    )
    finding_told = f"{len(points)} effects against control with their intervals; one that holds 0 may be chance."
    chart = Chart("forest", "Effects against control", finding_told, points)
    return Section("All metrics", said, Table(names, rows), chart)


def series(shown: Shown) -> Section | None:
    """The first goal day by day, everything so far."""
    metric = next(each for each in shown.timeseries["metrics"] if each["metric"] == shown.primary["metric"])
    days = [day for day in metric["days"] if day["kind"] == "cumulative" and _compared(day)][-MOST_ROWS:]
    if not days:
        return Section("Day by day", ("There is no series yet: too few visitors on each day.",))
    of_points = shown.primary["effect_scale"] == "points"
    points = tuple(
        {
            "day": day["day"],
            "variant": day["variant"],
            "units": day["units"],
            "estimate": day["difference" if of_points else "lift"],
            "interval": day["difference_ci" if of_points else "ci"],
            "points": of_points,
        }
        for day in days
    )
    rows = tuple(
        (
            Cell(point["day"]),
            Cell(point["variant"]),
            Cell(count_text(point["units"]), point["units"]),
            _change(point["estimate"], shown.primary),
            *_ends(point["interval"], shown.primary),
        )
        for point in points
    )
    told = f"{title(shown.primary)}: the effect and its interval at the close of each day, everything so far."
    names = ("Day", "Variant", f"{shown.primary['unit'].capitalize()}s", "Effect", "From", "To")
    return Section("Day by day", (), Table(names, rows), Chart("series", title(shown.primary), told, points))


def guardrails(shown: Shown) -> Section | None:
    """The limits, and whether they are kept."""
    limited = [metric for metric in shown.results["metrics"] if metric.get("guardrail")]
    if not limited:
        return None
    rows: list[tuple[Cell, ...]] = []
    for metric in limited:
        limit = metric["guardrail"]
        harm = limit["max_harm"]
        borne = Cell(lift_text(harm) if limit["relative"] else difference_text(harm, quantity(metric)), harm)
        for row in metric["comparisons"]:
            estimate, interval = _effect(metric, row)
            cells = (_change(estimate, metric), *_ends(interval, metric), Cell(VERDICTS.get(row["verdict"], "–")))
            rows.append((Cell(title(metric)), Cell(row["variant"]), borne, *cells))
    names = ("Guardrail", "Variant", "Largest harm borne", "Effect", "From", "To", "Verdict")
    return Section("Guardrails", (), Table(names, tuple(rows[:MOST_ROWS])))


def health(shown: Shown) -> Section:
    """Whether the numbers may be trusted."""
    found = shown.results["health"]
    balance = found["srm"]
    said = [
        f"The variants did NOT fill as their weights say ({p_text(balance['p'])}): no number can be trusted."
        if balance["alarm"]
        else f"The variants filled as their weights say ({p_text(balance['p'])})."
    ]
    said += [_sentence(_hidden(check, shown)) for check in found["checks"][:MOST_LINES]]
    left_out = {name: count for name, count in found["excluded"].items() if isinstance(count, int) and count}
    said += [f"Left out: {count_text(count)} {name.replace('_', ' ')}." for name, count in left_out.items()]
    if shown.results["pending"]:
        said.append(f"{count_text(shown.results['pending'])} events were acknowledged and are not counted yet.")
    variants = [arm["variant"] for arm in shown.primary["arms"]]
    rows = tuple(
        (Cell(variant), Cell(count_text(observed), observed), Cell(rate_text(expected), expected))
        for variant, observed, expected in zip(variants, balance["observed"], balance["expected"], strict=True)
    )
    return Section("Health", tuple(said), Table(("Variant", "Took part", "Planned share"), rows))


def definition(shown: Shown) -> Section:
    """What is tested, on whom, and by which plan. Of its visitors and of other experiments a shared one says nothing."""
    told, plan = shown.definition, shown.definition["plan"]
    share = told["traffic"][-1]["share"] if told["traffic"] else 1.0
    weights = ", ".join(f"{each['key']} {rate_text(each['weight'])}" for each in told["variants"])
    rows: list[tuple[Cell, ...]] = [
        (Cell("Hypothesis"), Cell(_cut(told["hypothesis"] or NOTHING))),
        (Cell("Variants"), Cell(weights)),
        (Cell("Traffic"), Cell(rate_text(share), share)),
        (Cell("Unit"), Cell(told["unit"])),
        (Cell("Goals"), Cell(_named(told["goals"]))),
        (Cell("Also watched"), Cell(_named(told["secondary"]))),
        (Cell("Guardrails"), Cell(_named(each["metric"] for each in told["guardrails"]))),
        (Cell("Plan"), Cell(f"{plan['method']}, {plan['days']} days, at least {plan['min_days']}")),
        (Cell("Accepted false positives"), Cell(rate_text(plan["alpha"]), plan["alpha"])),
    ]
    if not shown.shared:
        audience = told["audience"]
        everybody = not audience.get("where") and not audience.get("segments")
        rows.insert(2, (Cell("Audience"), Cell("everybody" if everybody else "a part, by the conditions of its file")))
        rows.insert(0, (Cell("Owner"), Cell(told["owner"] or NOTHING)))
    return Section("Definition", (), Table(("", ""), tuple(rows)))


def method(shown: Shown) -> Section:
    """How the numbers were made, and how to read them."""
    plan = shown.results["plan"]
    alpha = rate_text(plan["alpha"])
    said = (
        METHODS[plan["method"]],
        f"Over all goals and variants together at most {alpha} of such experiments without any effect say that there "
        f"is one ({'Holm' if plan['correction'] == 'holm' else 'Benjamini and Hochberg'}'s correction).",
        "An effect is relative to control, in %, but for scores, whose effect is in points. From and to are the ends "
        "of its interval: effects outside do not go with what was seen. An interval that holds 0 leaves open whether "
        "there is an effect at all.",
        "Numbers beside an effect are those of the last day that has closed, where the method decides by days; those "
        "in the table of variants are of now.",
    )
    return Section("Method, and how to read it", said)


def repeat(shown: Shown) -> Section:
    """What gives the same numbers again."""
    results = shown.results
    at = results["watermark"] or results["as_of"]
    command = f"resonate results {results['experiment']} --phase {results['phase']} --at {at}"
    return Section("To repeat it", (f"Fingerprint of the frozen design: {results['fingerprint']}",), code=command)


def title(metric: Json) -> str:
    """What a metric is called."""
    return str(metric.get("title") or metric["metric"].replace("_", " "))


def quantity(metric: Json) -> Quantity:
    """What the values of a metric are."""
    if metric["effect_scale"] == "points":
        return "points"
    return "rate" if metric["type"] in ("proportion", "retention", "funnel") else "number"


def _effect_row(metric: Json, row: Json) -> tuple[Cell, ...]:
    estimate, interval = _effect(metric, row)
    control, variant = row["arms"]
    p = row["p"] if row["p_adjusted"] is None else row["p_adjusted"]
    return (
        Cell(title(metric)),
        Cell(ROLES[metric["role"]]),
        Cell(row["variant"]),
        _value(control["value"], metric),
        _value(variant["value"], metric),
        _change(estimate, metric),
        *_ends(interval, metric),
        Cell(p_text(p).removeprefix("p = ").removeprefix("p "), p),
        Cell(VERDICTS.get(row["verdict"], str(row["verdict"]).replace("_", " "))),
    )


def _effect(metric: Json, row: Json) -> tuple[float | None, Sequence[float | None] | None]:
    """The effect that a metric is judged by, with its interval."""
    if metric["effect_scale"] == "points":
        return row["difference"], row["difference_ci"]
    return row["lift"], row["ci"]


def _value(value: float | None, metric: Json) -> Cell:
    return Cell(value_text(value, quantity(metric)), value)


def _change(value: float | None, metric: Json) -> Cell:
    if metric["effect_scale"] == "points":
        return Cell(difference_text(value, "points", signed=True), value)
    return Cell(lift_text(value, signed=True), value)


def _ends(interval: Sequence[float | None] | None, metric: Json) -> tuple[Cell, Cell]:
    low, high = interval or (None, None)
    return _change(low, metric), _change(high, metric)


def _moment(text: str | None) -> Cell:
    return Cell(NOTHING) if text is None else Cell(moment_text(datetime.fromisoformat(text)), text)


def _amount(value: float | None, unit: str) -> str:
    if len(unit) == 3 and unit.isupper():
        return value_text(value, "money", unit)
    return f"{figure_text(value)} {unit}".rstrip()


def _named(metrics: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in metrics) or NOTHING


def _compared(day: Json) -> bool:
    """Whether a row of a series says anything of a variant against control."""
    return any(day[name] is not None for name in ("control_value", "lift", "difference"))


def _cut(text: str) -> str:
    """What somebody wrote, not longer than anybody reads."""
    return text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]} …"


def _sentence(text: str) -> str:
    """A text as a sentence: it begins large and ends with a full stop."""
    text = _cut(text)
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def _hidden(check: Json, shown: Shown) -> str:
    """What a check says; strangers do not learn of which other experiment."""
    said = str(check["detail"])
    for name in sorted(shown.hidden, key=len, reverse=True):
        said = said.replace(name, "another experiment")
    return said
