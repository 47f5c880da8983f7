"""A second reader of a readout: whether verdicts and decision follow from the numbers in the public JSON alone."""

from itertools import chain
from math import isclose
from typing import Any

ENDED = ("ended", "closed")
SURVEYED = {"response_rates_differ", "response_could_explain"}


def disagreements(answer: dict[str, Any], *, table: bool = False, whole: bool = True) -> list[str]:
    """What in an answer contradicts what stands beside it; a `table` that was imported has no days.

    One that is not `whole` lacks metrics, so that the action does not follow from it.
    """
    found: list[str] = []
    for metric in answer["metrics"]:
        for each in metric["comparisons"]:
            name = f"{metric['metric']} {each['variant']}"
            found += [f"{name}: {what}" for what in _numbers(metric, each)]
            expected = (
                _guarded(metric, each) if metric.get("guardrail") else _verdict(answer["plan"], metric, each, table)
            )
            if each["verdict"] != expected:
                found.append(f"{name}: says {each['verdict']}, the numbers say {expected}")
    action = _action(answer) if whole else None
    said = answer["decision"]["action"], answer["decision"]["variant"]
    if action is not None and said != action:
        found.append(f"decides {said}, the verdicts say {action}")
    if answer["watermark"] and answer["watermark"] > answer["as_of"]:
        found.append("the watermark is newer than the answer")
    return found


def _numbers(metric: dict[str, Any], each: dict[str, Any]) -> list[str]:
    """Lift and difference are those of the arms beside them, intervals have a width, what is absent has a reason."""
    control, treated = (arm["value"] if arm["adjusted"] is None else arm["adjusted"] for arm in each["arms"])
    found: list[str] = []
    if None not in (control, treated):
        if not isclose(each["difference"], treated - control, rel_tol=1e-9, abs_tol=1e-12):
            found.append(f"difference {each['difference']} of {control} and {treated}")
        if each["lift"] is not None and not isclose(each["lift"], (treated - control) / abs(control), rel_tol=1e-9):
            found.append(f"lift {each['lift']} of {control} and {treated}")
    for ends in (each["ci"], each["difference_ci"], each["ci_simultaneous"]):
        if ends is not None and not ends[0] < ends[1]:
            found.append(f"an interval without a width: {ends}")
    if not each["gate"]["open"] and (each["p"], each["p_adjusted"], each["ci"]) != (None, None, None):
        found.append("judged behind a closed gate")
    if each["gate"]["open"] is (each["gate"]["reason"] is not None):
        found.append(f"a gate that is {each['gate']}")
    return found + (["no reason"] if each["p"] is None and not each["reasons"] else [])


def _verdict(plan: dict[str, Any], metric: dict[str, Any], each: dict[str, Any], table: bool) -> str:
    side = _side(each["ci"] or each["difference_ci"])
    if not each["gate"]["open"] or (each["as_of_day"] is None and not table) or side == 0:
        return "unclear"
    good = (side > 0) == (metric["want"] == "up")
    if plan["method"] == "bayesian":
        chances = each["methods"]["bayesian"]
        chance, loss = chances["chance_to_win"], chances["expected_loss" if good else "expected_loss_control"]
        return (
            ("wins" if good else "loses") if (chance if good else 1 - chance) >= 0.95 and loss <= 0.0025 else "unclear"
        )
    p = each["p_adjusted"] if metric["role"] == "goal" else each["p"]
    return "unclear" if p is None or p > plan["alpha"] else "wins" if good else "loses"


def _guarded(metric: dict[str, Any], each: dict[str, Any]) -> str:
    """Harm cannot wait: before a method may decide, the anytime one does."""
    limit, ends = metric["guardrail"], each["ci"] if each["method"] == "bayesian" else each["difference_ci"]
    if each["as_of_day"] is None and each["method"] in ("planned", "fixed"):
        ends = each["methods"]["anytime"]["difference_ci"]
    if ends is not None and _side(ends) == (-1 if metric["want"] == "up" else 1):
        return "violated"
    return "safe" if each.get("worst_case") is not None and each["worst_case"] < limit["max_harm"] else "unclear"


def _side(ends: list[float] | None) -> int:
    return 0 if ends is None or ends[0] <= 0.0 <= ends[1] else 1 if ends[0] > 0.0 else -1


def _action(answer: dict[str, Any]) -> tuple[str, str | None]:  # noqa: C901 - the table of decisions, row by row
    """Action and variant."""
    plan, state, health = answer["plan"], answer["state"], answer["health"]
    goals = [metric for metric in answer["metrics"] if metric["role"] == "goal"]
    exposed = any(health["srm"]["observed"])
    if not exposed and state in ("draft", "not_started"):
        return "not_started", None
    if health["srm"]["alarm"]:
        return "unhealthy", None
    if not exposed:
        return ("inconclusive" if state in ENDED else "keep_running"), None
    guards = [metric for metric in answer["metrics"] if metric.get("guardrail")]
    harmed, winners = list[str](), list[tuple[float, int, str]]()
    for number, primary in enumerate(goals[0]["comparisons"]):
        beside = [metric["comparisons"][number]["verdict"] for metric in goals]
        guarded = [(metric["comparisons"][number]["verdict"], metric["guardrail"]["require_safe"]) for metric in guards]
        violated = any(verdict == "violated" for verdict, _ in guarded)
        withheld = [c for c in health["checks"] if c["withholds_ship"] and c["variant"] in (None, primary["variant"])]
        blocked = withheld or SURVEYED & set(primary["reasons"]) or any(s and v != "safe" for v, s in guarded)
        if violated or beside[0] == "loses":
            harmed.append(primary["variant"])
        if beside[0] == "wins" and not (violated or blocked or "loses" in beside):
            chances = primary["methods"]["bayesian"]
            winners.append((chances["expected_loss"] if chances else float("inf"), number, primary["variant"]))
    if harmed and not winners:
        return "roll_back", harmed[0] if len(harmed) == 1 else None
    if winners and (state in ENDED or plan["closed_days"] >= plan["min_days"]):
        return "ship", min(winners)[2]
    if plan["method"] in ("planned", "fixed"):
        over = all(each.get("next_look") is None for each in chain(*(goal["comparisons"] for goal in goals)))
    else:
        over = state == "closed" or (state != "ended" and plan["closed_days"] >= plan["days"])
    return ("inconclusive" if over else "keep_running"), None
