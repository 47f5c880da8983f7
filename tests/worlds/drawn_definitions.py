"""Folders of definitions, drawn: every status, starts and ends on either side of a moment, in any order of names."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
KEYS = [f"{letter}-{word}" for letter in "amz" for word in ("banner", "banners", "free-shipping", "price")]
STATUSES = ["draft", "archived", "running", "running", "running", "paused", "stopped"]


@st.composite
def experiments(draw: st.DrawFn) -> dict[str, Any]:
    """What one file says; its dates are hours from NOW."""
    status = draw(st.sampled_from(STATUSES))
    start = draw(st.none() | st.integers(-72, 72))
    end = draw(st.none() | st.integers(1, 72))
    first = NOW if start is None else NOW + timedelta(hours=start)
    return {
        "status": status,
        "start": None if start is None else first,
        "end": None if end is None else first + timedelta(hours=end),
        "shipped": status == "stopped" and draw(st.booleans()),
        "phase": draw(st.integers(0, 2)),
    }


def folders() -> st.SearchStrategy[dict[str, Any]]:
    """Experiments by key, in any order."""
    return st.dictionaries(st.sampled_from(KEYS), experiments(), min_size=1, max_size=6)


def files(drawn: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a folder in the order of the drawn ones; each names itself wherever it can."""
    return {f"{key}.yaml": text(key, one).encode() for key, one in drawn.items()}


def text(key: str, one: Mapping[str, Any]) -> str:
    """One file; its variants, payload, name, people and audience bear its key, so that a trace of it is seen."""
    dates = "".join(f"{name}: {one[name]:%Y-%m-%dT%H:%MZ}\n" for name in ("start", "end") if one[name])
    decided = "decision: {outcome: shipped, variant: b}\n" if one["shipped"] else ""
    return (
        f"key: {key}\nname: Name of {key}\nowner: owner-of-{key}\nhypothesis: Hypothesis of {key}\n"
        f"status: {one['status']}\nphase: {one['phase']}\n{dates}{decided}"
        f"audience: {{where: {{{key}-attribute: {{$ne: 1}}}}}}\npreview: {{variant: b, visitors: [qa-of-{key}]}}\n"
        f"variants: [{{key: control, payload: {key}-a}}, {{key: b, payload: {key}-b}}]\ngoal: purchase_rate\n"
    )


def is_released(one: Mapping[str, Any], moment: datetime) -> bool:
    """The oracle: shipped, or begun and neither a draft nor archived."""
    begun = one["start"] is None or one["start"] <= moment
    return one["shipped"] or (begun and one["status"] not in ("draft", "archived"))
