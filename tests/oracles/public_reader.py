"""A second reader of a readout: whether verdicts and decision follow from the numbers in the public JSON alone."""

from collections.abc import Iterator
from itertools import chain
from math import inf, isclose
from typing import Any

Json = dict[str, Any]
ENDED = ("ended", "closed")
SHARES = ("proportion", "retention", "funnel")
SURVEYED = {"response_rates_differ", "response_could_explain"}


def disagreements(answer: Json, *, table: bool = False, whole: bool = True) -> list[str]:
    """What in an answer contradicts what stands beside it; a `table` that was imported has no days.

    One that is not `whole` lacks metrics, so that the action does not follow from it.
    """
    newest = max(
        (each["as_of_day"] or "" for metric in answer["metrics"] for each in metric["comparisons"]), default=""
    )
    found: list[str] = []
    for metric in answer["metrics"]:
        found += [f"{metric['metric']} {what}" for what in _levels(answer["plan"], metric)]
        for each in metric["comparisons"]:
            what = [*_numbers(answer["plan"], metric, each), *_once(metric, each, newest, table)]
            early = each["as_of_day"] is None and not table
            if metric.get("guardrail"):
                expected = _guarded(metric, each, early)
            else:
                expected = "unclear" if early else _verdict(answer["plan"], metric, each)
            if each["verdict"] != expected:
                what.append(f"says {each['verdict']}, the numbers say {expected}")
            found += [f"{metric['metric']} {each['variant']}: {told}" for told in what]
    action = _action(answer) if whole else None
    said = answer["decision"]["action"], answer["decision"]["variant"]
    if action is not None and said != action:
        found.append(f"decides {said}, the verdicts say {action}")
    if answer["watermark"] and answer["watermark"] > answer["as_of"]:
        found.append("the watermark is newer than the answer")
    if answer["closed"] is not (answer["state"] == "closed"):
        found.append(f"closed is {answer['closed']} in the state {answer['state']}")
    return found


def series_disagreements(answer: Json, series: Json) -> list[str]:
    """The newest closed cumulative day of an anytime comparison is that comparison, number by number."""
    found: list[str] = []
    for metric, days in zip(answer["metrics"], series["metrics"], strict=True):
        for each in metric["comparisons"]:
            rows = [row for row in days["days"] if row["variant"] == each["variant"] and row["kind"] == "cumulative"]
            closed = [row for row in rows if row["closed"]]
            if each["method"] != "anytime" or not closed:
                continue
            control, treated = (arm["value"] if arm["adjusted"] is None else arm["adjusted"] for arm in each["arms"])
            shown = {**each, "units": each["arms"][1]["units"], "value": treated, "control_value": control}
            shown["p_min"] = each["methods"]["anytime"]["p_min"]
            same = ("units", "value", "control_value", "lift", "ci", "difference", "difference_ci", "p", "p_min")
            told = [name for name in same if closed[-1][name] != shown[name]]
            found += [f"{metric['metric']} {each['variant']}: the day says another {name}" for name in told]
            if each["as_of_day"] is None or each["as_of_day"] < closed[-1]["day"]:
                found.append(f"{metric['metric']} {each['variant']}: of {each['as_of_day']} after {closed[-1]['day']}")
    return found


def row_disagreements(answer: Json, rows: list[Json]) -> list[str]:
    """The rows of `/v1/results` of an experiment are its comparisons, and their arms those of the comparison."""
    compared = [(metric, each) for metric in answer["metrics"] for each in metric["comparisons"]]
    found = [] if len(rows) == len(compared) else [f"{len(rows)} rows for {len(compared)} comparisons"]
    for row, (metric, each) in zip(rows, compared, strict=False):
        (control, arm), ends = each["arms"], each["ci"] or [None, None]
        shown = {name: each[name] for name in ("variant", "as_of_day", "lift", "difference", "p", "p_adjusted")}
        shown |= {"verdict": each["verdict"], "ci_low": ends[0], "ci_high": ends[1], "units": arm["units"]}
        shown |= {"value": arm["value"], "control_value": control["value"], "gate_open": each["gate"]["open"]}
        shown |= {"metric": metric["metric"], "state": answer["state"], "action": answer["decision"]["action"]}
        shown["decided_on"] = None if each["verdict"] == "unclear" else each["decided_on"]
        found += [f"{metric['metric']}: the row says another {name}" for name in shown if row[name] != shown[name]]
    return found


def _levels(plan: Json, metric: Json) -> Iterator[str]:
    """What levels of dimensions say obeys the same rules, and is flagged by its own p."""
    for level in metric.get("dimensions", ()):
        for each in level["comparisons"]:
            name = f"{each['variant']} {level['dimension']} {level['level']}"
            yield from (f"{name}: {what}" for what in _numbers(plan, metric, each))
            if each["flagged"] is not (each.get("p_bh", 1.0) <= level["fdr"]):
                yield f"{name}: flagged against p_bh"


def _numbers(plan: Json, metric: Json, each: Json) -> list[str]:  # noqa: C901 - a list of rules
    """Lift and difference are those of the arms beside them, intervals have a width and agree with p, a closed gate
    judges nothing, what is absent has a reason."""
    found = [*_effect(metric, each["arms"], each["lift"], each["difference"]), *_kinds(plan, metric, each)]
    gate, reasons = each["gate"], each["reasons"]
    closed = not gate["open"]
    judged = {name: each[name] for name in ("p", "p_adjusted", "ci", "difference_ci", "ci_simultaneous")}
    for name in ("ci", "difference_ci", "ci_simultaneous"):
        if judged[name] is not None and not judged[name][0] < judged[name][1]:
            found.append(f"an interval without a width: {judged[name]}")
    if metric["type"] in SHARES and any(ends and ends[0] < -1 for ends in (each["ci"], each["ci_simultaneous"])):
        found.append(f"less than nothing is left: {each['ci']}")
    if closed and any(number is not None for number in judged.values()):
        found.append(f"judged behind a closed gate: {judged}")
    if closed and gate["reason"] not in reasons:
        found.append(f"the reason of the gate, {gate['reason']}, is not among {reasons}")
    if (closed, closed) != (gate["reason"] is not None, gate["expected"] < gate["needed"]):
        found.append(f"a gate that is {gate}")
    (units, events), (others, more) = ((arm["units"], arm["numerator"]) for arm in each["arms"])
    if metric["type"] in SHARES and min(units, others) > 0:
        scarce = min(events + more, units + others - events - more)
        if not isclose(gate["expected"], min(units, others) * scarce / (units + others)):
            found.append(f"a gate that expects {gate['expected']} of the arms {each['arms']}")
    side = _side(each["ci"] or each["difference_ci"])
    if each["p"] is not None and (each["p"] <= plan["alpha"]) is not (side != 0):
        found.append(f"p {each['p']} beside {each['ci']} {each['difference_ci']}")
    return found + (["no reason"] if each["p"] is None and not reasons else [])


def _kinds(plan: Json, metric: Json, each: Json) -> Iterator[str]:
    """A margin has no p of no difference, points have no lift, and the delta method is of the lift that is shown."""
    if metric.get("margin") is not None and each["p_adjusted"] is not None:
        yield f"a p of no difference beside a margin: {each['p_adjusted']}"
    if metric.get("effect_scale") == "points" and each["ci"] is not None:
        yield f"an interval of a lift in points: {each['ci']}"
    if delta := each["methods"]["delta"]:
        low, high = delta["ci"]
        if not isclose((low + high) / 2, each["lift"], rel_tol=1e-9, abs_tol=1e-9):
            yield f"the delta method's interval {delta['ci']} is around no lift of {each['lift']}"
        if (delta["p"] <= plan["alpha"]) is not (_side(delta["ci"]) != 0):
            yield f"the delta method's p {delta['p']} beside {delta['ci']}"


def _effect(metric: Json, arms: list[Json], lift: float | None, difference: float | None) -> list[str]:
    """Values are those of numerator and denominator, lift and difference those of the values after CUPED."""
    found: list[str] = []
    for arm in arms:
        above, below = arm["numerator"], arm["denominator"]
        if arm["value"] is not None and below and not isclose(arm["value"], above / below, rel_tol=1e-9, abs_tol=1e-12):
            found.append(f"value {arm['value']} of {above} / {below}")
    control, treated = (arm["value"] if arm["adjusted"] is None else arm["adjusted"] for arm in arms)
    in_points = metric.get("effect_scale") == "points" or not control
    apart = None if control is None or treated is None else treated - control
    relative = None if apart is None or control is None or in_points else apart / abs(control)
    for name, said, expected in (("difference", difference, apart), ("lift", lift, relative)):
        alike = said is expected
        if said is not None and expected is not None:
            alike = isclose(said, expected, rel_tol=1e-9, abs_tol=1e-12)
        if not alike:
            found.append(f"{name} {said} of {control} and {treated}")
    return found


def _once(metric: Json, each: Json, newest: str, table: bool) -> list[str]:
    """The first day of a verdict stands beside it, with that day's numbers, and one that is gone says so.

    What another goal of the family said at a later look may have decided it."""
    decided, day, stands = each["decided"], each["decided_on"], each["verdict"] != "unclear"
    if metric.get("guardrail") or table:
        return [] if decided is None is day else ["a guardrail or a table that was decided on a day"]
    found = (
        [what for what in _effect(metric, decided["arms"], decided["lift"], None) if what[:4] == "lift"]
        if decided
        else []
    )
    if (day is None) is not (decided is None) or (stands and (day is None or not day <= newest)):
        found.append(f"{each['verdict']} was decided on {day} by {newest}")
    if ("no_longer_supported" in each["reasons"]) is not (decided is not None and not stands):
        found.append(f"{each['verdict']} with {day} and {each['reasons']}")
    if (
        "margin" not in metric
        and stands
        and decided
        and decided["ci"]
        and each["ci"]
        and _side(decided["ci"]) != _side(each["ci"])
    ):
        found.append(f"decided by {decided['ci']}, stands by {each['ci']}")
    return found


def _verdict(plan: Json, metric: Json, each: Json) -> str:
    if metric.get("margin") is not None:
        return _within(metric["margin"], metric["want"], each["ci_simultaneous"])
    side, p = _side(each["ci"] or each["difference_ci"]), each["p_adjusted" if metric["role"] == "goal" else "p"]
    if not each["gate"]["open"] or side == 0:
        return "unclear"
    good = (side > 0) == (metric["want"] == "up")
    if plan["method"] == "bayesian":
        chances = each["methods"]["bayesian"]
        chance, loss = chances["chance_to_win"], chances["expected_loss" if good else "expected_loss_control"]
        sure = (chance if good else 1 - chance) >= 0.95 and loss <= 0.0025
    else:
        sure = p is not None and p <= plan["alpha"]
    return "unclear" if not sure else "wins" if good else "loses"


def _within(margin: float, want: str, ends: list[float] | None) -> str:
    """A goal that must only be no worse than by a margin: where its interval lies."""
    worst, best = (-inf, inf) if ends is None else ends if want == "up" else (-ends[1], -ends[0])
    return "wins" if worst > -margin else "loses" if best < -margin else "unclear"


def _guarded(metric: Json, each: Json, early: bool) -> str:
    """Harm cannot wait: before a method may decide, the anytime one does."""
    limit, ends = metric["guardrail"], each["difference_ci"] or each["ci"]  # the Bayesian method has one of them
    if not each["gate"]["open"]:
        return "unclear"
    if early:
        ends = each["methods"]["anytime"]["difference_ci"]
    if ends is not None and _side(ends) == (-1 if metric["want"] == "up" else 1):
        return "violated"
    return "safe" if each.get("worst_case") is not None and each["worst_case"] < limit["max_harm"] else "unclear"


def _side(ends: list[float] | None) -> int:
    return 0 if ends is None or ends[0] <= 0.0 <= ends[1] else 1 if ends[0] > 0.0 else -1


def _action(answer: Json) -> tuple[str, str | None]:  # noqa: C901 - the table of decisions, row by row
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
            winners.append((chances["expected_loss"] if chances else inf, number, primary["variant"]))
    if harmed and not winners:
        return "roll_back", harmed[0] if len(harmed) == 1 else None
    if winners and (state in ENDED or plan["closed_days"] >= plan["min_days"]):
        return "ship", min(winners)[2]
    if plan["method"] in ("planned", "fixed"):
        over = all(each.get("next_look") is None for each in chain(*(goal["comparisons"] for goal in goals)))
    elif state == "ended":  # when its windows close is not told but in the days
        over = answer["decision"]["days_left"] == 0
    else:
        over = state == "closed" or plan["closed_days"] >= plan["days"]
    return ("inconclusive" if over else "keep_running"), None
