"""The catalogue as GrowthBook features: what an SDK computes from them is what `assign` answers.

An experiment that assigns is one rule. One that is paused, stopped or not yet begun has no rule, so everyone gets
control as the default value. Shipped variants are forced values, which no SDK reports as an exposure. Pages read the
payload, so it has no names and nobody's preview; values of secure attributes stand in it as GrowthBook's digests.

Conditions are rewritten so that every SDK decides them alike where an attribute is missing. A missing attribute is
null: JavaScript orders null as 0 and searches it as the text "null", other SDKs never match it. Where a test asks such
a thing, the answer that `compiled` gives for null is written into the condition.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

import msgspec

from experiments.assignment.assign import CompiledExperiment
from experiments.targeting.predicates import compiled, read_condition
from kit.conditions import PLAIN, Field, Joined, Members, Nested, Never, Operation, Opposite, Where

JSON: TypeAlias = dict[str, Any]

_EQUALITY: Final = frozenset((PLAIN, "$eq", "$ne", "$in", "$nin", "$exists"))  # what a digest tells too
# Every SDK agrees on these about null.
_AGREED: Final = frozenset(("$eq", "$ne", "$in", "$nin", "$ini", "$nini", "$exists", "$type"))


@dataclass(frozen=True, slots=True)
class Secured:
    """The attributes whose values the payload hides: conditions name sha256(salt + value), which SDKs are given too."""

    attributes: frozenset[str] = frozenset()
    salt: str = ""

    def hides(self, name: str) -> bool:
        """Whether a field is secure, or lies inside or around one that is."""
        return any(f"{name}.".startswith(f"{each}.") or each.startswith(f"{name}.") for each in self.attributes)

    def written(self, field: Field) -> Any:
        """The tests of a field as the payload has them. Raises NotHashable where a digest cannot answer them."""
        if not self.hides(field.name):
            return field.written
        if field.name not in self.attributes:
            raise NotHashable(f"{field.name} is not a secure attribute by itself, but lies inside or around one")
        refused = next((test for test in field.tests if not _asks_for_equality(test)), None)
        if refused is not None:
            asked = "another value than a text" if refused.operator in _EQUALITY else refused.operator
            raise NotHashable(f"{field.name} is secure, and {asked} cannot be asked of a digest")
        return self._hashed(field.written)

    def told(self, attribute: str, value: str) -> str:
        """The value as conditions of the payload name it."""
        return self._hashed(value) if attribute in self.attributes else value

    def _hashed(self, written: Any) -> Any:
        if isinstance(written, str):
            return sha256((self.salt + written).encode(errors="replace")).hexdigest()
        if isinstance(written, list):
            return [self._hashed(each) for each in written]
        if isinstance(written, Mapping):
            return {name: each if name == "$exists" else self._hashed(each) for name, each in written.items()}
        return written


class NotHashable(Exception):
    """A condition asks of a secure attribute what a digest does not tell; the message names both."""


def _asks_for_equality(test: Operation | Nested | Members) -> bool:
    if isinstance(test, Nested) and test.operator == "$not":
        return all(_asks_for_equality(each) for part in test.parts for each in part)
    if not isinstance(test, Operation) or test.operator not in _EQUALITY:
        return False
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return test.operator == "$exists" or all(each is None or isinstance(each, str) for each in operands)


Drawn = Callable[[CompiledExperiment], bool]
"""Whether an SDK may draw a variant of an experiment for who asks."""


def by_any_unit(experiment: CompiledExperiment) -> bool:
    """Visitors and users are drawn."""
    return True


def by_visitor(experiment: CompiledExperiment) -> bool:
    """Visitors are drawn, and nobody's user."""
    return not experiment.by_user


def by_nothing(experiment: CompiledExperiment) -> bool:
    """Nobody is drawn."""
    return False


def features(
    experiments: Iterable[CompiledExperiment], now: float, secured: Secured = Secured(), drawn: Drawn = by_any_unit
) -> JSON:
    """The `features` object of the SDK payload at `now` (epoch seconds), by experiment key.

    Those that are delivered by the server alone are left out, and those whose audience cannot be told without secrets.
    Those that are not `drawn` give everybody control, or the variant that was shipped.
    """
    found: JSON = {}
    for experiment in experiments:
        if experiment.definition.delivery == "server":
            continue
        try:
            rules = _rules(experiment, now, secured) if experiment.shipped is not None or drawn(experiment) else []
        except NotHashable:
            continue
        found[experiment.key] = {"defaultValue": experiment.definition.control.payload, "rules": rules}
    return found


def evaluated(experiments: Iterable[CompiledExperiment], now: float) -> bytes:
    """A digest of all that answers to any context rest on at `now`: it changes when any of them may."""
    facts = [
        (
            each.key,
            each.definition.status,
            each.definition.control.payload,
            sorted(each.previewed),
            _rules(each, now, Secured()),
        )
        for each in experiments
    ]
    return sha256(msgspec.json.encode(facts)).hexdigest()[:32].encode()


def _rules(experiment: CompiledExperiment, now: float, secured: Secured) -> list[JSON]:
    stage = experiment.stage(now)
    condition = experiment.condition
    audience: JSON = {} if condition is None else {"condition": portable(condition, secured.written)}
    if experiment.shipped is not None:
        return [{"id": experiment.shipped.variant, **audience, "force": experiment.shipped.payload}]
    if stage.closed:
        return []
    rule: JSON = {
        "key": experiment.key,
        "seed": experiment.seed,
        "phase": str(experiment.phase),
        # Our assignment is sticky by itself. What an SDK keeps besides would outlive a phase or the audience; the
        # version is for those that know no better. `minBucketVersion` would shut out whoever was in an earlier phase.
        "disableStickyBucketing": True,
        "bucketVersion": experiment.phase,
        "hashVersion": 2,
        "hashAttribute": experiment.hash_attribute,
        "variations": [variant.payload for variant in experiment.variants],
        "weights": [variant.weight for variant in experiment.variants],
        "coverage": stage.coverage,
        "meta": [{"key": variant.key} for variant in experiment.variants],
    }
    if experiment.gates:
        outside = {"attribute": experiment.hash_attribute, "hashVersion": 2}
        rule["filters"] = [
            {**outside, "seed": gate.seed, "ranges": [[gate.low, gate.high]]} for gate in experiment.gates
        ]
    return [{**rule, **audience}]


def _as_written(field: Field) -> Any:
    return field.written


def portable(condition: Mapping[str, Any], written: Callable[[Field], Any] = _as_written) -> JSON:
    """The same condition, with a branch for null wherever SDKs differ about it; `written` gives the JSON of a field."""
    return _portable(read_condition(condition).where, written)


def _portable(where: Where, written: Callable[[Field], Any]) -> JSON:
    plain: JSON = {}
    parts: list[JSON] = []
    for entry in where.entries:
        match entry:
            case Field() if all(_agreed(test) for test in entry.tests):
                plain[entry.name] = written(entry)
            case Field():
                missing = compiled(Where((entry,)))({})
                branch = {entry.name: {"$exists": not missing}}
                parts.append({"$or" if missing else "$and": [branch, {entry.name: written(entry)}]})
            case Joined():
                plain[entry.operator] = [_portable(part, written) for part in entry.parts]
            case Opposite():
                plain["$not"] = _portable(entry.part, written)
            case Never():
                plain["$nor"] = [{}]
    return {"$and": [*([plain] if plain else []), *parts]} if parts else plain


def _agreed(test: Operation | Nested | Members) -> bool:
    if not isinstance(test, Operation) or test.operator != PLAIN:
        return test.operator in _AGREED
    number = isinstance(test.operand, int | float) and not isinstance(test.operand, bool)
    return test.operand != 0 if number else test.operand != "null"
