"""Customers' experience in words: one sentence for each KPI, and for each stage of the journey."""

from collections.abc import Mapping
from typing import Final

from experiments.answers.customers import KpiReadout, KpiScale, StageReached, Unsaid
from experiments.definitions.shop import Kpi
from experiments.statistics.estimate import Interval
from experiments.wording.effects import clipped, sentence_case
from experiments.wording.figures import counted, figure_text, kpi_difference_text, kpi_text, rate_text

MOST: Final = 320
"""Letters of a sentence."""
TITLES: Final[Mapping[Kpi, str]] = {
    "csat": "CSAT",
    "nps": "NPS",
    "ces": "customer effort (CES)",
    "retention_d7": "return after 7 days",
    "retention_d28": "return after 28 days",
    "repeat_purchase": "repeat purchase",
    "first_response": "time to the first answer (median)",
    "first_response_p90": "time to the first answer (90 %)",
    "resolution_time": "time to resolution (median)",
    "resolution_time_p90": "time to resolution (90 %)",
    "resolution_rate": "resolved within 7 days",
    "reopen_rate": "reopened tickets",
    "tickets_per_100_orders": "tickets per 100 orders",
}
SCALES: Final[Mapping[Kpi, KpiScale]] = {
    "csat": "rate",
    "nps": "points",
    "ces": "score",
    "retention_d7": "rate",
    "retention_d28": "rate",
    "repeat_purchase": "rate",
    "first_response": "hours",
    "first_response_p90": "hours",
    "resolution_time": "hours",
    "resolution_time_p90": "hours",
    "resolution_rate": "rate",
    "reopen_rate": "rate",
    "tickets_per_100_orders": "per_100_orders",
}
LEAST: Final[frozenset[Kpi]] = frozenset(
    {
        "ces", "first_response", "first_response_p90", "resolution_time", "resolution_time_p90", "reopen_rate",
        "tickets_per_100_orders",
    }
)  # fmt: skip
"""KPIs of which less is better."""
_OF: Final[Mapping[Kpi, tuple[str, str]]] = {  # what a KPI rests on: one, several
    "csat": ("answer", "answers"),
    "nps": ("answer", "answers"),
    "ces": ("answer", "answers"),
    "retention_d7": ("new visitor", "new visitors"),
    "retention_d28": ("new visitor", "new visitors"),
    "repeat_purchase": ("new buyer", "new buyers"),
    "first_response": ("ticket", "tickets"),
    "first_response_p90": ("ticket", "tickets"),
    "resolution_time": ("ticket", "tickets"),
    "resolution_time_p90": ("ticket", "tickets"),
    "resolution_rate": ("ticket", "tickets"),
    "reopen_rate": ("resolved ticket", "resolved tickets"),
    "tickets_per_100_orders": ("order", "orders"),
}
_CLAUSES: Final[Mapping[Unsaid, str]] = {
    Unsaid.NOTHING_YET: "nothing of it has happened in this time",
    Unsaid.ALL_TOO_YOUNG: "everybody of this time is still too young for it",
    Unsaid.MOSTLY_OPEN: "too many tickets are still open",
    Unsaid.OPEN_END: "how long it may be at most is not known yet, because tickets are still open",
    Unsaid.TOO_FEW: "how sure that is cannot be said of so few",
    Unsaid.ALL_EQUAL: "how sure that is cannot be said, because all said the same",
    Unsaid.NOTHING_BEFORE: "the time before has no such number",
}
_TIMES: Final[Mapping[Kpi, str]] = {
    "first_response": "half of the tickets get their first answer within {}",
    "first_response_p90": "90 % of the tickets get their first answer within {}",
    "resolution_time": "half of the tickets are resolved within {}",
    "resolution_time_p90": "90 % of the tickets are resolved within {}",
}


def kpi_sentence(told: KpiReadout) -> str:
    """What happened, how sure, what has changed, and how it stands to its target."""
    parts: list[str] = [_happened(told)]
    if told.value is not None:
        parts += filter(None, (_changed(told), _aimed(told)))
    for left_out in range(len(parts)):
        text = sentence_case("; ".join(parts[: len(parts) - left_out]))
        if len(text) <= MOST:
            return text
    return sentence_case(f"{clipped(told.title, 60)}: {kpi_text(told.value, told.unit)}")


def stage_sentence(told: StageReached) -> str:
    """How many came to a stage, of whom, and how soon."""
    name = clipped(told.stage, 40)
    people = counted(told.count, "visitor")
    if told.after is None:
        return f"{sentence_case(name)[:-1]}: {people} entered the journey."
    came = f"{sentence_case(name)[:-1]}: {people}"
    if told.of_previous is None:
        return f"{came}; nobody came to {clipped(told.after, 40)}."
    of = f"{rate_text(told.of_previous)} of {clipped(told.after, 40)}{_sure(told.of_previous_ci, 'rate')}"
    soon = "" if told.median_hours is None else f", half of them within {kpi_text(told.median_hours, 'hours')}"
    return f"{came}, {of}{soon}."


def _happened(told: KpiReadout) -> str:
    part = "" if told.level is None else clipped(told.level or "unknown", 40)
    name = ", ".join(filter(None, (told.title, part)))
    one, several = _OF[told.kpi]
    if told.value is None:
        why = _CLAUSES[told.reasons[0]] if told.reasons else _CLAUSES[Unsaid.NOTHING_YET]
        young = f" ({counted(told.immature, one, several)})" if told.immature else ""
        return f"{name}: cannot be said, {why}{young}"
    value = kpi_text(told.value, told.unit)
    unsure = [reason for reason in told.reasons if reason is not Unsaid.NOTHING_BEFORE]
    sure = _sure(told.ci, told.unit) if told.ci is not None else f" ({_CLAUSES[unsure[0]]})" if unsure else ""
    service = told.in_service
    served = "" if service is None or service.value is None else f", {figure_text(service.value, 3)} h of service"
    by = counted(told.answers, one, several)
    if told.kpi in _TIMES:
        return f"{f'{part}: ' if part else ''}{_TIMES[told.kpi].format(value)}{sure}{served}, by {by}"
    return f"{name}: {value}{sure}, by {by}"


def _sure(interval: Interval | None, scale: KpiScale) -> str:
    return (
        "" if interval is None else f" (plausible: {kpi_text(interval.low, scale)} to {kpi_text(interval.high, scale)})"
    )


def _changed(told: KpiReadout) -> str:
    if told.difference is None or told.change is None:
        return _CLAUSES[Unsaid.NOTHING_BEFORE] if Unsaid.NOTHING_BEFORE in told.reasons else ""
    size = kpi_difference_text(told.difference, told.unit)
    way = "no different from" if told.difference == 0.0 else f"{size} {_way(told)} than"
    if told.change != "unclear":
        return f"{way} in the time before: {told.change}"
    return f"{way} in the time before, that may still be chance"


def _way(told: KpiReadout) -> str:
    up = (told.difference or 0.0) > 0.0
    if told.unit == "hours":
        return "slower" if up else "faster"
    return "higher" if up else "lower"


_REACHED: Final[Mapping[str, str]] = {"met": "is met", "missed": "is missed", "open": "may be met or missed"}


def _aimed(told: KpiReadout) -> str:
    if told.target is None or told.reach is None:
        return ""
    return f"the target of {kpi_text(told.target, told.unit)} {_REACHED[told.reach]}"
