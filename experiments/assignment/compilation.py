"""Definition → CompiledExperiment: names resolved, conditions compiled, dates in order, fixed answers made ready."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final, get_args

from experiments.assignment.assign import (
    VISITOR_ATTRIBUTE,
    Admission,
    Assignment,
    CompiledExperiment,
    Reason,
    Stage,
    fixed,
)
from experiments.assignment.bucketing import bucket_ranges
from experiments.definitions.model import DecisionNote, Experiment, NotInReason, TrafficStep
from experiments.definitions.shop import Holdout, Segment
from experiments.targeting.attributes import deriving, sources
from experiments.targeting.predicates import compile_condition, read_condition
from kit.conditions import fields

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


def compile_experiment(
    experiment: Experiment, segments: Mapping[str, Segment], holdouts: Mapping[str, Holdout]
) -> CompiledExperiment:
    """An experiment with its segments and holdouts resolved, its conditions compiled and its dates in order.

    Raises ConditionError where a condition says nothing sensible, KeyError where a name is not defined.
    """
    wheres = [segments[name].where for name in experiment.audience.segments]
    parts = [where for where in (*wheres, experiment.audience.where) if where]
    condition = {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
    asked = {field.name.split(".")[0] for field in fields(read_condition(condition or {}).where)}
    derives = sources(asked)
    changes, stages = _schedule(experiment)
    # Holdouts first, then the layer. A holdout keeps out the low end of its line.
    gates = [Admission("holdout", f"holdout:{name}", holdouts[name].share, 1.0) for name in experiment.holdouts]
    if layer := experiment.layer:
        gates.append(Admission("layer", f"layer:{layer.name}", layer.start, layer.end))
    return CompiledExperiment(
        definition=experiment,
        key=experiment.key,
        phase=experiment.phase,
        seed=experiment.seed,
        by_user=experiment.unit == "user",
        condition=condition,
        audience=None if condition is None else deriving(compile_condition(condition), derives),
        asks_visitor_id=VISITOR_ATTRIBUTE in asked,
        derives=derives,
        gates=tuple(gates),
        variants=experiment.variants,
        changes=changes,
        stages=stages,
        widest=_open_stage(experiment, max(step.share for step in experiment.traffic)),
        previewed=frozenset(experiment.preview.visitors if experiment.preview else ()),
        shipped=_shipped(experiment),
        disabled=_control(experiment, Reason.DISABLED),
        outside={because: _control(experiment, Reason.UNKNOWN, because) for because in get_args(NotInReason)},
    )


def compile_as_designed(
    experiment: Experiment,
    segments: Mapping[str, Segment],
    holdouts: Mapping[str, Holdout],
    assumed_segments: Collection[str] = (),
) -> CompiledExperiment:
    """The experiment as its in-file tests see it: running, without dates or preview, with its final traffic.

    The visitor is taken to be in every one of the assumed segments. Raises as `compile_experiment` does.
    """
    kept = tuple(name for name in experiment.audience.segments if name not in assumed_segments)
    designed = experiment.model_copy(
        update={
            "status": "running",
            "start": None,
            "end": None,
            "traffic": (TrafficStep(since=None, share=experiment.traffic[-1].share),),
            "preview": None,
            "decision": DecisionNote(),
            "audience": experiment.audience.model_copy(update={"segments": kept}),
        }
    )
    return compile_experiment(designed, segments, holdouts)


def _control(experiment: Experiment, reason: Reason, because: NotInReason | None = None) -> Assignment:
    control = experiment.control
    return Assignment(experiment.key, experiment.phase, control.key, control.payload, False, reason, because)


def _shipped(experiment: Experiment) -> Assignment | None:
    if experiment.status != "stopped" or experiment.decision.outcome != "shipped":
        return None
    winner = next(variant for variant in experiment.variants if variant.key == experiment.decision.variant)
    return fixed(experiment, winner, Reason.STATIC)


def _schedule(experiment: Experiment) -> tuple[tuple[float, ...], tuple[Stage, ...]]:
    if experiment.status != "running":
        open_to_shipped = _shipped(experiment) is not None
        return (), (Stage(0.0, (), closed=not open_to_shipped),)
    dates = (experiment.start, experiment.end, *(step.since for step in experiment.traffic))
    moments = sorted({date for date in dates if date is not None})
    stages = tuple(
        _open_stage(experiment, experiment.traffic_share(moment))
        if experiment.active(moment)
        else Stage(0.0, (), closed=True)
        for moment in (_EARLIEST, *moments)
    )
    return tuple(moment.timestamp() for moment in moments), stages


def _open_stage(experiment: Experiment, coverage: float) -> Stage:
    weights = [variant.weight for variant in experiment.variants]
    ranges = bucket_ranges(len(weights), coverage, weights)
    return Stage(coverage, tuple(bound for low_high in ranges for bound in low_high))
