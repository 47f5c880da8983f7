"""What a folder of definitions changes against what was written before, for whoever keeps account of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from experiments.catalog.phases import Phases
from experiments.definitions.content import CatalogContent, Course
from experiments.definitions.folder import SIDES, FolderReading
from experiments.definitions.model import Experiment, Status

HALTED: Final[frozenset[Status]] = frozenset({"paused", "stopped"})
ACTIVE: Final[frozenset[Status]] = frozenset({"running", "paused"})
MOST_NAMED: Final = 10


class DefinitionChange(NamedTuple):
    """One experiment or side file that says something else: facts of before and after, None where there was none.

    A `decision` is a change that says what was decided; one that `halts` must wait for nothing.
    """

    act: Literal["definition", "decision"]
    subject: str
    file: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    halts: bool


def definition_changes(
    before: CatalogContent | None, sources: Mapping[str, bytes], reading: FolderReading, phases: Phases
) -> Sequence[DefinitionChange]:
    """All changes of a folder that can be served; `sources` are its files as they were."""
    if reading.content is None:
        return ()
    old = {} if before is None else {experiment.key: experiment for experiment in before.experiments}
    new = {experiment.key: experiment for experiment in reading.content.experiments}
    changed: list[DefinitionChange] = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        decided = now is not None and now.decision.outcome is not None and (was is None or was.decision != now.decision)
        changed.append(
            DefinitionChange(
                "decision" if decided else "definition",
                key,
                reading.files[key].file if key in reading.files else f"{key}.yaml",
                _facts(was, phases),
                _facts(now, phases),
                now is not None and now.status in HALTED,
            )
        )
    return [*changed, *_side_changes(sources, reading.sources)]


def missing_of(served: CatalogContent, present: Iterable[str]) -> tuple[str, ...]:
    """The experiments that run or are paused and have no file of their name among those `present`.

    They end by their status or by an order, never because a file is not there.
    """
    stems = {name.rpartition(".")[0] for name in present}
    return tuple(each.key for each in served.experiments if each.status in ACTIVE and each.key not in stems)


def held_files(missing: Iterable[str], good: Mapping[str, bytes], present: Iterable[str]) -> dict[str, bytes]:
    """The files that are read as though they stood in the folder, as they were when they were `good`.

    Where an experiment's file is gone, so may be the side files that it was written against: those are held with it.
    """
    stems, held = {name.rpartition(".")[0] for name in present}, {*missing}
    if held:
        held |= {side for side in SIDES if side not in stems}
    return {name: text for name, text in good.items() if name.rpartition(".")[0] in held}


def named_briefly(names: Sequence[str]) -> str:
    """`hero, strip`: the first ten, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def halting(before: CatalogContent, changes: Iterable[DefinitionChange], after: CatalogContent) -> CatalogContent:
    """What was written before, with nothing of the changes but the pauses and the stops."""
    halted = {change.subject for change in changes if change.halts}
    courses = {each.key: Course(status=each.status) for each in after.experiments if each.key in halted}
    return before.under(courses)


def _side_changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[DefinitionChange]:
    for name in sorted(before.keys() | after.keys()):
        if name.partition(".")[0] in SIDES and before.get(name) != after.get(name):
            was, now = (
                None if text is None else {"definition": sha256(text).hexdigest()}
                for text in (before.get(name), after.get(name))
            )
            yield DefinitionChange("definition", name, name, was, now, halts=False)


def _facts(experiment: Experiment | None, phases: Phases) -> dict[str, Any] | None:
    """Status, phase, decision, a digest of all that is written, and the fingerprint of the design that is frozen."""
    if experiment is None:
        return None
    design = phases.get((experiment.key, experiment.phase))
    facts: dict[str, Any] = {
        "status": experiment.status,
        "phase": experiment.phase,
        "definition": sha256(experiment.model_dump_json().encode()).hexdigest(),
        "fingerprint": None if design is None else design.fingerprint,
    }
    if experiment.decision.outcome is not None:
        facts["decision"] = experiment.decision.model_dump(mode="json", exclude_none=True)
    return facts
