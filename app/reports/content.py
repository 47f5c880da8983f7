"""What a report says, section by section, from the answers that the routes of results and series give: no number is
computed here, and each stands beside its text as the answer has it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from app.dashboard.charts import Day, ForestEffect
from app.reports.pieces import (
    LONGEST_NAME,
    Cell,
    Chart,
    Json,
    ReportPage,
    ReportSection,
    ReportTable,
    amount_cell,
    as_sentence,
    change_cell,
    cut,
    end_cells,
    moment_cell,
    value_cell,
)
from experiments.wording.figures import (
    NOTHING,
    count_text,
    difference_text,
    lift_text,
    p_text,
    rate_text,
)

MOST_ROWS: Final = 100  # of a table, so that the file stays a small one
MOST_LINES: Final = 20  # of sentences
NOT_TO_BE_USED: Final = "The numbers of this test cannot be trusted, so no effect is shown: see Health."
TOO_EARLY: Final = "It is too early for a series: nothing can be judged yet."
MOST_DRAWN: Final = 40  # effects
MOST_SERIES: Final = 4
SETTLED: Final = ("wins", "loses", "safe", "violated")
ROLES: Final = {"goal": "goal", "secondary": "also watched", "guardrail": "must not get worse"}
STATES: Final = {
    "draft": "a draft", "not_started": "not started", "enrolling": "enrolling visitors", "paused": "paused",
    "ended": "ended, with windows that are still open", "closed": "closed: nothing more will come",
}  # fmt: skip
VERDICTS: Final = {
    "wins": "wins", "loses": "loses", "unclear": "no different yet", "safe": "safe", "violated": "violated",
}  # fmt: skip
METHODS: Final = {
    "anytime": "Anytime-valid: the interval holds however often somebody looks, so it is wider than that of one look.",
    "planned": "Group-sequential: there are looks at fixed days, and each has its share of the error that is allowed.",
    "fixed": "Fixed: there is one look, at the end of the plan; what is seen before it decides nothing.",
    "bayesian": "Bayesian: the interval holds the effect with the probability that it says, given the prior.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReportedLook:
    """The answer that a report is made of. What a shared one may not name is in `hidden`."""

    results: Json
    timeseries: Json
    definition: Json
    shared: bool = False
    hidden: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def unhealthy(self) -> bool:
        """Whether no effect may be told."""
        return self.results["decision"]["action"] == "unhealthy"

    @property
    def primary(self) -> Json:
        """The first goal."""
        return self.results["metrics"][0]


def report_of(shown: ReportedLook) -> ReportPage:
    """The report of an answer."""
    parts = (finding, arms, effects, day_by_day, guardrails, health, definition, method, repeat)
    sections = tuple(section for part in parts if (section := part(shown)) is not None)
    name = cut(str(shown.definition["name"] or shown.results["experiment"]))
    return ReportPage(name, shown.results["sentence"], headline(shown), sections)


def headline(shown: ReportedLook) -> tuple[tuple[str, Cell], ...]:
    """Of what and of when this is."""
    results, plan = shown.results, shown.results["plan"]
    return (
        ("Experiment", Cell(results["experiment"])),
        ("Phase", Cell(str(results["phase"]), results["phase"])),
        ("State", Cell(STATES[results["state"]])),
        ("As of", moment_cell(results["as_of"])),
        ("Log written until", moment_cell(results["watermark"])),
        ("Method", Cell(plan["method"])),
        ("Days closed", Cell(f"{plan['closed_days']} of {plan['days']}", plan["closed_days"])),
    )


def finding(shown: ReportedLook) -> ReportSection:
    """Why the sentence says so, and what it is worth."""
    results = shown.results
    said = [as_sentence(each) for each in results["decision"]["because"][:MOST_LINES]]
    worth = results["worth"]
    if worth is None:
        return ReportSection("Why", tuple(said))
    unit = worth.get("currency") or worth.get("unit") or ""
    low, high = worth["ci"]
    rows = (
        (Cell("At least"), amount_cell(low, unit)),
        (Cell("Most likely"), amount_cell(worth["per_month"], unit)),
        (Cell("At most"), amount_cell(high, unit)),
    )
    table = ReportTable((f"What {worth['variant']} is worth", "a month"), rows)
    return ReportSection("Why, and what it is worth", (*said, as_sentence(worth["assumption"])), table=table)


def arms(shown: ReportedLook) -> ReportSection:
    """Who took part, and what they brought of the first goal."""
    metric = shown.primary
    rows = tuple(
        (
            Cell(cut(arm["variant"], LONGEST_NAME)),
            Cell(count_text(arm["units"]), arm["units"]),
            Cell(count_text(arm["units_immature"]), arm["units_immature"]),
            value_cell(arm["value"], metric),
        )
        for arm in metric["arms"]
    )
    names = ("Variant", f"{metric['unit'].capitalize()}s", "Window still open", title(metric))
    return ReportSection("Variants", table=ReportTable(names, rows))


def effects(shown: ReportedLook) -> ReportSection:
    """Every metric of every variant against control, by role, drawn and as numbers."""
    if shown.unhealthy:
        return ReportSection("All metrics", (NOT_TO_BE_USED,))
    compared = [(metric, row) for metric in shown.results["metrics"] for row in metric["comparisons"]]
    names = ("Metric", "Role", "Variant", "Control", "With it", "Effect", "From", "To", "p", "Verdict")
    left_out = len(compared) - MOST_ROWS
    more = [f"{count_text(left_out)} more comparisons are in the results."] if left_out > 0 else []
    compared = compared[:MOST_ROWS]
    rows = tuple(_effect_row(metric, row) for metric, row in compared)
    judged = [row["sentence"] for metric, row in compared if metric["role"] != "secondary" and row.get("sentence")]
    said = (*dict.fromkeys(judged[:MOST_LINES]), *more)
    charts = tuple(chart for points in (False, True) if (chart := _forest(compared, points=points)) is not None)
    return ReportSection("All metrics", said, charts, ReportTable(names, rows))


def _forest(compared: Sequence[tuple[Json, Json]], *, points: bool) -> Chart | None:
    """The effects of one scale; None where there is none."""
    effects = tuple(
        ForestEffect(
            label=f"{title(metric)}, {row['variant']}",
            estimate=_effect(metric, row)[0],
            interval=_effect(metric, row)[1],
            verdict=row["verdict"],
            said=change_cell(_effect(metric, row)[0], metric).text,
            group=ROLES[metric["role"]].capitalize(),
        )
        for metric, row in compared
        if (metric["effect_scale"] == "points") is points
    )[:MOST_DRAWN]
    if not effects:
        return None
    apart = sum(each.verdict in SETTLED for each in effects)
    told = f"{count_text(len(effects))} effects with their intervals; of {count_text(apart)} it is known which way."
    return Chart("Differences in points" if points else "Effects against control", told, points, effects)


def day_by_day(shown: ReportedLook) -> ReportSection:
    """The first goal day by day, everything so far."""
    judged = {row["variant"] for row in shown.primary["comparisons"] if row["gate"]["open"] and not shown.unhealthy}
    metric = next(each for each in shown.timeseries["metrics"] if each["metric"] == shown.primary["metric"])
    days = [day for day in metric["days"] if day["kind"] == "cumulative" and day["variant"] in judged]
    days = [day for day in days if _compared(day)][-MOST_ROWS:]
    if not days:
        return ReportSection("Day by day", (NOT_TO_BE_USED if shown.unhealthy else TOO_EARLY,))
    metric, of_points = shown.primary, shown.primary["effect_scale"] == "points"
    estimate, interval = ("difference", "difference_ci") if of_points else ("lift", "ci")
    rows = tuple(
        (
            Cell(day["day"]),
            Cell(cut(day["variant"], LONGEST_NAME)),
            Cell(count_text(day["units"]), day["units"]),
            change_cell(day[estimate], metric),
            *end_cells(day[interval], metric),
        )
        for day in days
    )
    charts = tuple(
        Chart(
            f"{title(metric).capitalize()} with {cut(variant, LONGEST_NAME)}, day by day",
            "The effect at the close of each day, of everything until then, with its interval.",
            of_points,
            days=tuple(
                Day(
                    _short(day["day"]),
                    day[estimate],
                    day[interval],
                    f"{day['day']}: {change_cell(day[estimate], metric).text}",
                )
                for day in days
                if day["variant"] == variant
            ),
        )
        for variant in list(dict.fromkeys(day["variant"] for day in days))[:MOST_SERIES]
    )
    names = ("Day", "Variant", f"{metric['unit'].capitalize()}s", "Effect", "From", "To")
    return ReportSection("Day by day", (), charts, ReportTable(names, rows))


def guardrails(shown: ReportedLook) -> ReportSection | None:
    """The limits, and whether they are kept."""
    limited = [metric for metric in shown.results["metrics"] if metric.get("guardrail")]
    if not limited or shown.unhealthy:
        return None
    rows: list[tuple[Cell, ...]] = []
    for metric in limited:
        limit = metric["guardrail"]
        harm = limit["max_harm"]
        borne = Cell(
            lift_text(harm)
            if limit["relative"]
            else difference_text(harm, metric["quantity"], metric.get("currency") or ""),
            harm,
        )
        for row in metric["comparisons"]:
            estimate, interval = _effect(metric, row)
            cells = (change_cell(estimate, metric), *end_cells(interval, metric), Cell(_verdict(row)))
            rows.append((Cell(title(metric)), Cell(cut(row["variant"], LONGEST_NAME)), borne, *cells))
    names = ("Guardrail", "Variant", "Largest harm borne", "Effect", "From", "To", "Verdict")
    return ReportSection("Guardrails", table=ReportTable(names, tuple(rows[:MOST_ROWS])))


def health(shown: ReportedLook) -> ReportSection:
    """Whether the numbers may be trusted."""
    found = shown.results["health"]
    balance = found["srm"]
    said = [
        f"The variants did NOT fill as their weights say ({p_text(balance['p'])}): no number can be trusted."
        if balance["alarm"]
        else f"The variants filled as their weights say ({p_text(balance['p'])})."
    ]
    said += [as_sentence(_hidden(check, shown)) for check in found["checks"][:MOST_LINES]]
    left_out = {name: count for name, count in found["excluded"].items() if isinstance(count, int) and count}
    said += [f"Left out: {count_text(count)} {name.replace('_', ' ')}." for name, count in left_out.items()]
    if shown.results["pending"]:
        said.append(f"{count_text(shown.results['pending'])} events were acknowledged and are not counted yet.")
    variants = [arm["variant"] for arm in shown.primary["arms"]]
    rows = tuple(
        (Cell(cut(variant, LONGEST_NAME)), Cell(count_text(observed), observed), Cell(rate_text(expected), expected))
        for variant, observed, expected in zip(variants, balance["observed"], balance["expected"], strict=True)
    )
    return ReportSection("Health", tuple(said), table=ReportTable(("Variant", "Took part", "Planned share"), rows))


def definition(shown: ReportedLook) -> ReportSection:
    """What is tested, on whom, and by which plan. A shared one says nothing of visitors, of people and of others."""
    told, plan = shown.definition, shown.definition["plan"]
    share = told["traffic"][-1]["share"] if told["traffic"] else 1.0
    weights = ", ".join(f"{cut(each['key'], LONGEST_NAME)} {rate_text(each['weight'])}" for each in told["variants"])
    rows: list[tuple[Cell, ...]] = [
        (Cell("Hypothesis"), Cell(cut(told["hypothesis"] or NOTHING))),
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
    return ReportSection("Definition", table=ReportTable(("", ""), tuple(rows)))


def method(shown: ReportedLook) -> ReportSection:
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
    return ReportSection("Method, and how to read it", said)


def repeat(shown: ReportedLook) -> ReportSection:
    """What gives the same numbers again."""
    results = shown.results
    at = results["watermark"] or results["as_of"]
    command = f"resonate results {results['experiment']} --phase {results['phase']} --at {at}"
    return ReportSection("To repeat it", (f"Fingerprint of the frozen design: {results['fingerprint']}",), code=command)


def title(metric: Json) -> str:
    """What a metric is called."""
    return cut(metric["title"], LONGEST_NAME)


def _effect_row(metric: Json, row: Json) -> tuple[Cell, ...]:
    estimate, interval = _effect(metric, row)
    control, variant = row["arms"]
    p = (row["p"] if row["p_adjusted"] is None else row["p_adjusted"]) if row["gate"]["open"] else None
    return (
        Cell(title(metric)),
        Cell(ROLES[metric["role"]]),
        Cell(cut(row["variant"], LONGEST_NAME)),
        value_cell(control["value"], metric),
        value_cell(variant["value"], metric),
        change_cell(estimate, metric),
        *end_cells(interval, metric),
        Cell(p_text(p).removeprefix("p = ").removeprefix("p "), p),
        Cell(_verdict(row)),
    )


def _effect(metric: Json, row: Json) -> tuple[float | None, Sequence[float | None] | None]:
    """The effect that a metric is judged by, with its interval; none before it can be judged."""
    if not row["gate"]["open"]:
        return None, None
    if metric["effect_scale"] == "points":
        return row["difference"], row["difference_ci"]
    return row["lift"], row["ci"]


def _verdict(row: Json) -> str:
    return VERDICTS[row["verdict"]] if row["gate"]["open"] else "too early"


def _named(metrics: Iterable[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in metrics) or NOTHING


def _short(day: str) -> str:
    """A day below a picture: `29 Nov`."""
    return f"{date.fromisoformat(day):%-d %b}"


def _compared(day: Json) -> bool:
    """Whether a row of a series says anything of a variant against control."""
    return any(day[name] is not None for name in ("control_value", "lift", "difference"))


def _hidden(check: Json, shown: ReportedLook) -> str:
    """What a check says; strangers do not learn of which other experiment."""
    if not shown.hidden:
        return str(check["detail"])
    names = "|".join(re.escape(name) for name in sorted(shown.hidden, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", "another experiment", str(check["detail"]))
