"""How fast one assignment is in process, beside the official GrowthBook SDK on the payload of the same experiment.

    python -m benchmarks.assignment

Both sides answer the same visitors in turns, so that a slow moment of the machine hits both. The SDK is given its
fastest form too: an evaluation context that is built once and only gets new attributes. CPU time, not wall time.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from growthbook import GrowthBook
from growthbook.common_types import EvaluationContext, Feature, GlobalContext, Options, StackContext, UserContext
from growthbook.core import eval_feature

from experiments.assignment.assign import CompiledExperiment, assign
from experiments.assignment.compilation import compile_experiment
from experiments.assignment.payload import features
from experiments.definitions.model import Audience, Experiment, Layer, Variant
from experiments.definitions.shop import Holdout, Segment

ROUNDS = 30
VISITORS = 2_000
NOW = 1_767_571_200.0
KEY = "free-shipping-banner"

Visitor = tuple[str, dict[str, Any]]
Evaluate = Callable[[Visitor], object]


@dataclass(frozen=True, slots=True)
class Case:
    """An experiment and the visitors who ask for it."""

    name: str
    experiment: CompiledExperiment
    visitors: Sequence[Visitor]


def main() -> None:
    """Prints a table: microseconds of CPU per evaluation, and how many times faster than the SDK."""
    gc.collect()
    gc.freeze()
    print(f"{'case':34} {'ours µs':>9} {'SDK µs':>9} {'ratio':>7} {'SDK core µs':>12} {'ratio':>7}")
    for case in cases():
        ours, sdk, core = measured(case)
        print(f"{case.name:34} {ours:9.2f} {sdk:9.2f} {sdk / ours:7.1f} {core:12.2f} {core / ours:7.1f}")


def cases() -> list[Case]:
    """Targeting alone; with a layer and a holdout; and ids that are not ASCII."""
    targeting = Audience(segments=("eu",), where={"device": {"$in": ["mobile", "desktop"]}, "cart_value": {"$lt": 50}})
    plain = compiled(audience=targeting)
    gated = compiled(audience=targeting, layer=Layer(name="pdp", start=0.0, end=0.9), holdouts=("q1",))
    return [
        Case("no targeting", compiled(), visitors("v-{}")),
        Case("targeting", plain, visitors("v-{}")),
        Case("targeting, layer and holdout", gated, visitors("v-{}")),
        Case("targeting, ids not in ASCII", plain, visitors("návštevník-{}")),
    ]


def compiled(**changes: Any) -> CompiledExperiment:
    """A running experiment of two equal variants."""
    variants = tuple(Variant(key=key, weight=0.5, payload={"banner": key}) for key in ("control", "threshold"))
    plain: dict[str, Any] = {"key": KEY, "name": KEY, "status": "running", "variants": variants, "goals": ("g",)}
    segments = {"eu": Segment(name="eu", where={"country": {"$in": ["SK", "AT", "CZ"]}})}
    return compile_experiment(Experiment(**plain | changes), segments, {"q1": Holdout(name="q1", share=0.05)})


def visitors(pattern: str) -> list[Visitor]:
    """Visitors who nearly all pass the targeting."""
    devices = ("mobile", "desktop", "desktop", "tv")
    return [
        (
            pattern.format(number),
            {"id": pattern.format(number), "country": "SK", "device": devices[number % 4], "cart_value": number % 55},
        )
        for number in range(VISITORS)
    ]


def measured(case: Case) -> tuple[float, float, float]:
    """Median microseconds per evaluation of ours, of the SDK's class and of its inner function, taken in turns."""
    sides = (_ours(case.experiment), _sdk(case.experiment), _sdk_core(case.experiment))
    rounds = [[_round_microseconds(side, case.visitors) for side in sides] for _ in range(ROUNDS)]
    ours, sdk, core = (statistics.median(column) for column in zip(*rounds, strict=True))
    return ours, sdk, core


def _round_microseconds(evaluate: Evaluate, asked: Sequence[Visitor]) -> float:
    begun = time.process_time_ns()
    for visitor in asked:
        evaluate(visitor)
    return (time.process_time_ns() - begun) / 1000 / len(asked)


def _ours(experiment: CompiledExperiment) -> Evaluate:
    return lambda visitor: assign(experiment, visitor[0], visitor[1], NOW)


def _sdk(experiment: CompiledExperiment) -> Evaluate:
    sdk = GrowthBook(features=features([experiment], NOW))

    def evaluate(visitor: Visitor) -> object:
        sdk.set_attributes(visitor[1])
        return sdk.eval_feature(KEY)

    return evaluate


def _sdk_core(experiment: CompiledExperiment) -> Evaluate:
    payload = {key: Feature(**feature) for key, feature in features([experiment], NOW).items()}
    context = GlobalContext(options=Options(), features=payload)

    def evaluate(visitor: Visitor) -> object:
        user = UserContext(attributes=visitor[1])
        return eval_feature(KEY, EvaluationContext(global_ctx=context, user=user, stack=StackContext()))

    return evaluate


if __name__ == "__main__":
    main()
