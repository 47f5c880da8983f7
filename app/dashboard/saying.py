"""How what an answer says is said on a page: numbers by the metric that they are of, codes in words, moments."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from experiments.wording.codes import CLAUSES
from experiments.wording.figures import (
    NOTHING,
    count_text,
    day_text,
    difference_text,
    figure_text,
    lift_text,
    moment_text,
    money_text,
    value_text,
)

Json = Mapping[str, Any]
Number = float | None

ROLES: Final = {"goal": "Goals", "guardrail": "Guardrails: must not get worse", "secondary": "Also watched"}
USED_AS: Final = {"goal": "its goal", "guardrail": "a guardrail", "secondary": "also watched"}
"""As what an experiment uses a metric."""
STATES: Final = {
    "draft": ("still", "draft"),
    "not_started": ("still", "not started"),
    "enrolling": ("good", "running"),
    "paused": ("open", "paused"),
    "ended": ("still", "ended"),
    "closed": ("still", "closed"),
}
"""How the state of an experiment is shown, and its word."""
DECISIONS: Final = {
    "ship": ("good", "ship"),
    "roll_back": ("bad", "roll back"),
    "keep_running": ("open", "keep running"),
    "inconclusive": ("still", "no winner"),
    "unhealthy": ("bad", "do not use"),
    "not_started": ("still", "not started"),
}
VERDICTS: Final = {
    "wins": ("good", "wins"),
    "safe": ("good", "safe"),
    "no_worse": ("good", "no worse"),
    "loses": ("bad", "loses"),
    "violated": ("bad", "limit broken"),
    "unclear": ("open", "no different yet"),
}
TOO_EARLY: Final = ("open", "too early")
FEW: Final = 10.0  # a day
METHODS: Final = {
    "anytime": "Anytime: the interval holds however often somebody looks.",
    "planned": "Planned looks: a few looks at fixed days share the error that is allowed.",
    "fixed": "Fixed: one look, when the plan is over; what is seen before decides nothing.",
    "bayesian": "Bayesian: the interval holds the effect with the probability that it says.",
}


GLUE: Final = "\u00a0"  # a space at which no line ends
PERCENT: Final = re.compile(r"(?<=[0-9]) %(?=[^<>]*<(?!/(?:code|pre|textarea)\b))")
"""A number's own sign in all that is read: not inside a tag, nor in what has to stay letter by letter."""


def unbroken(page: str) -> str:
    """A page whose numbers are never parted from their `%` at the end of a line: each `9.3 %` is one word."""
    return PERCENT.sub(f"{GLUE}%", page)


def moment_said(text: str | None) -> str:
    """A moment of an answer."""
    return NOTHING if text is None else moment_text(datetime.fromisoformat(text))


def day(text: str | None) -> str:
    """A day of an answer."""
    return NOTHING if text is None else day_text(date.fromisoformat(text[:10]))


def short_day(text: str) -> str:
    """A day beside an axis: `9 Nov`."""
    found = date.fromisoformat(text[:10])
    return f"{found.day} {found:%b}"


def capital(text: str) -> str:
    """A text as the beginning of a heading: `NPS` stays what it is."""
    return text[:1].upper() + text[1:]


def value(number: Number, metric: Json) -> str:
    """A value of a metric in its own unit."""
    return value_text(number, metric["quantity"], metric.get("currency") or "")


def in_points(metric: Json) -> bool:
    """Whether a metric's effects are differences and not relative."""
    return bool(metric["effect_scale"] == "points")


def effect_read(metric: Json, row: Json) -> tuple[Number, Sequence[Number] | None]:
    """The effect that a comparison, or a day, is read by, with its interval."""
    return (row["difference"], row["difference_ci"]) if in_points(metric) else (row["lift"], row["ci"])


def effect_text(number: Number, metric: Json) -> str:
    """An effect with its sign."""
    if in_points(metric):
        return difference_text(number, metric["quantity"], metric.get("currency") or "", signed=True)
    return lift_text(number, signed=True)


def harm_text(limit: Json, metric: Json) -> str:
    """The largest harm that a guardrail bears."""
    if limit["relative"]:
        return lift_text(limit["max_harm"])
    return difference_text(limit["max_harm"], metric["quantity"], metric.get("currency") or "")


def bound_text(number: Number, metric: Json) -> str:
    """The worst that a guardrail's metric may have come to, in the unit of its limit."""
    if metric["guardrail"]["relative"]:
        return lift_text(number, signed=True)
    return difference_text(number, metric["quantity"], metric.get("currency") or "", signed=True)


def a_day(number: Number) -> str:
    """How many come a day: nobody counts a part of somebody among many."""
    return figure_text(number) if number is None or number < FEW else count_text(number)


def worth_said(number: Number, worth: Json) -> str:
    """What a decision is worth, in money or in its unit."""
    if worth.get("currency"):
        return money_text(number, worth["currency"], signed=True)
    return f"{figure_text(number, signed=True)} {worth.get('unit') or ''}".rstrip()


def verdict(row: Json) -> tuple[str, str]:
    """How the verdict of a comparison is shown, and its word; nothing is said of one that it is too early for."""
    return VERDICTS.get(row["verdict"], ("open", "")) if row["gate"]["open"] else TOO_EARLY


def reason(codes: Sequence[str]) -> str:
    """Why a number is not there, in a sentence."""
    told = [CLAUSES[code] for code in codes if code in CLAUSES]
    return f"{told[0][0].upper()}{told[0][1:]}." if told else "It cannot be said yet."
