"""Which strategies of a trained model must not serve: those that foretell worse than popularity, or than before."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from recommender.ranking.request import Strategy
from recommender.training.scorecard import TASKS, Score
from recommender.training.train import TrainedModel

TOLERANCE: Final = 0.2  # of its lift over popularity a strategy may lose against the live one
FEWEST_QUESTIONS: Final = 30  # below so many a comparison says nothing

Refusals = dict[Strategy, list[str]]


def refusals(trained: TrainedModel, live: Mapping[str, Any]) -> Refusals:
    """Of each strategy that must not serve why, by what the manifest of the live model says; the others may."""
    if trained.missing:
        serving = set(live.get("strategies", ())) - {"popular"}
        told = [f"too little data to replace the live model: {text}" for text in trained.missing]
        return {"popular": told} if serving else {}
    found: Refusals = {}
    for task, score in trained.table.items():
        for text in _worse(task, score, live.get("validation", {}).get(task)):
            found.setdefault(TASKS[task], []).append(f"{task}: {text}")
    return found


def _worse(task: str, score: Score, before: Mapping[str, Any] | None) -> Iterator[str]:
    low, high = score.interval
    if score.questions < FEWEST_QUESTIONS:
        return
    value = score.value(task)
    if high < 0:
        difference = f"95 % [{low:+.4f}, {high:+.4f}]"
        yield f"worse than popularity, {value:.4f} against {score.popular:.4f} ({difference})"
    elif before and before["questions"] >= FEWEST_QUESTIONS and before["popular"] and score.popular:
        name = "hit_rate_10" if task.startswith("completion") else "ndcg_10"
        now, then = value / score.popular, before[name] / before["popular"]
        if now < then * (1 - TOLERANCE) and 1 + high / score.popular < then:
            reached = f"{now:.2f} times popularity, the live model reached {then:.2f}"
            yield f"{reached}; {TOLERANCE:.0%} less is borne"


def shortfalls(alone: Mapping[str, Score], every: Mapping[str, Score]) -> list[str]:
    """Why orders of authority alone do not teach enough yet: both models answered the same questions, which are theirs.

    Empty when they do. It asks how good both are, never how many orders there are of which kind.
    """
    asked = {task: score for task, score in alone.items() if score.questions >= FEWEST_QUESTIONS}
    if not asked:
        return [f"fewer than {FEWEST_QUESTIONS} of their orders in the validation window can be foretold"]
    found: list[str] = []
    for task, score in asked.items():
        own, other = score.value(task), every[task].value(task)
        if score.interval[1] < 0:
            found.append(f"{task}: worse than popularity, {own:.4f} against {score.popular:.4f}")
        elif own < other * (1 - TOLERANCE):
            found.append(f"{task}: {own:.4f}, a model of all orders reaches {other:.4f}; {TOLERANCE:.0%} less is borne")
    return found
