"""Whether exposures can be what they say: many that are forged and the likeliest cause, and none at all."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from events.tallies.evaluations import Lately
from experiments.arrivals.names import arrivals_sql
from experiments.arrivals.refused import Notice
from experiments.assignment.assign import CompiledExperiment, expected_variant
from experiments.cube.cube import Cube
from experiments.cube.scope import enrolled
from kit.time import DAY_US, SECOND_US

WEEK_US: Final = 7 * DAY_US
MUCH_FORGED: Final = 0.05
FEWEST: Final = 20  # exposures
OFTEN: Final = 100  # evaluations in a day
EXPLAINED: Final = 0.8  # of the forged exposures: by chance another id explains one in two
FEWEST_EXPLAINED: Final = 5
ANOTHER: Final = ("hashValue", "hash_value", "id", "anonymousId", "anonymous_id", "visitor_id", "device_id",
                  "distinct_id", "user_id", "userId")  # fmt: skip
ANCHOR: Final = "docs/definitions.md#checks"
DIALECTS: Final[Mapping[str, str]] = {
    "ofrep_bulk": "evaluated {} times by OFREP bulk",
    "payload": "given out {} times by SDK payload",
    "api_eval": "evaluated {} times by /api/eval",
}


class Counts(NamedTuple):
    """Exposures of one phase: of the last 7 days, those of them that are forged, and those of the last day."""

    all: int = 0
    forged: int = 0
    day: int = 0


def lately_exposed(cube: Cube, now_us: int, day_us: int) -> dict[tuple[str, int], Counts]:
    """By experiment and phase, as of now; a day began at `day_us` (µs)."""
    rows = cube.once(arrivals_sql("exposures_lately").bind(since=now_us - WEEK_US, day=day_us))
    columns = (rows[name].tolist() for name in ("experiment", "phase", "n", "forged", "n_day"))
    found: dict[tuple[str, int], Counts] = {}
    for experiment, phase, *counts in zip(*columns, strict=True):
        if phase is not None and phase == phase:  # of an experiment that is not ours there is no phase
            found[str(experiment), int(phase)] = Counts(*map(int, counts))
    return found


def elsewhere_hashed(cube: Cube, experiment: str, phase: int) -> int:
    """How many exposures of a phase were drawn by another id than that of the unit that they count for."""
    rows = cube.once(arrivals_sql("hashed_elsewhere").bind(enrolled=enrolled(cube.scope.enrolments)))
    here = (rows["experiment"] == experiment) & (rows["phase"] == phase)
    return int(rows["n"][here].sum())


def unexposed_check(counts: Counts, lately: Lately, experiment: str, phase: int) -> Iterator[Notice]:
    """`never_exposed`: evaluated often in a day where evaluating exposes nobody, and nobody was exposed."""
    if counts.day:
        return
    often = {
        each.dialect: count
        for each, count in lately.counts.items()
        if (each.experiment, each.phase) == (experiment, phase) and each.dialect in DIALECTS
    }
    if sum(often.values()) < OFTEN:
        return
    told = ", ".join(DIALECTS[dialect].format(count) for dialect, count in sorted(often.items()))
    right = "the page does not send `Experiment Viewed` when it shows the variant"
    yield Notice("never_exposed", f"{told} in the last day, exposed 0 times: {right}; {ANCHOR}")


def forged_check(cube: Cube, counts: Counts, phases: Sequence[CompiledExperiment], now_us: int) -> Iterator[Notice]:
    """`exposures_forged`, of the newest of some phases of one experiment, with what most of them have in common."""
    if not phases or counts.all < FEWEST or counts.forged <= MUCH_FORGED * counts.all:
        return
    share = f"{counts.forged} of the {counts.all} exposures of the last 7 days ({counts.forged / counts.all:.0%})"
    cause = likely_cause(_forged_exposures(cube, phases[0].key, now_us - WEEK_US), phases)
    yield Notice("exposures_forged", f"{share} name a variant that hashing their id does not give: {cause}")


class Forged(NamedTuple):
    """One of them, with the other ids that were seen on its page."""

    visitor_id: str
    user_id: str | None
    variant: str
    properties: Mapping[str, Any]
    beside: Sequence[str] = ()

    @property
    def others(self) -> list[str]:
        """Other ids that may have been hashed."""
        named = (self.properties.get(name) for name in ANOTHER)
        texts = [str(each) for each in named if type(each) in (str, int)]
        known = {self.visitor_id: None}
        return [each for each in dict.fromkeys([*texts, self.user_id, *self.beside]) if each and each not in known]


def likely_cause(forged: Sequence[Forged], phases: Sequence[CompiledExperiment]) -> str:
    """What most forged exposures of the newest of these phases have in common, and the setting that ends it."""
    own, *earlier = phases
    variants = [variant.key for variant in own.variants]
    unknown = Counter(each.variant for each in forged if each.variant not in variants)
    if _most(unknown.total(), len(forged)):
        named = unknown.most_common(1)[0][0][:60]
        return f"most name a variant that does not exist, such as {named!r}; send a key of {', '.join(variants)}"
    if own.by_user and _most(sum(each.user_id is None for each in forged), len(forged)):
        return "the experiment is of users and most of them name none; send userId with `Experiment Viewed`"
    for phase in earlier:
        right = sum(expected_variant(phase, each.visitor_id, each.user_id) == each.variant for each in forged)
        if _most(right, len(forged)):
            until = f"most are right for phase {phase.phase}, which is over"
            return f"{until}: clients hold an old payload; let them fetch it anew, at least once an hour"
    others = [each for each in forged if each.others]
    by_other = sum(any(expected_variant(own, other, other) == each.variant for other in each.others) for each in others)
    if len(others) * 2 > len(forged) and _most(by_other, len(others)):
        settings = "give the clients one id (GrowthBook's `id` = Segment's anonymousId = OFREP's targetingKey)"
        return f"most are right for another id of the same page; {settings}, or send hashAttribute and hashValue too"
    outside = sum(expected_variant(own, each.visitor_id, each.user_id) is None for each in forged)
    if _most(outside, len(forged)):
        settings = "let the client read the payload of this service (/api/features), with its traffic and layers"
        return f"most of these visitors are outside of the experiment, so that other attributes decided; {settings}"
    return "no other id of their pages gives it either; let clients assign by this service, and name the visitor's id"


def _most(few: int, of: int) -> bool:
    return few >= FEWEST_EXPLAINED and few >= EXPLAINED * of


def _forged_exposures(cube: Cube, key: str, since: int) -> list[Forged]:
    beside: dict[str, list[str]] = {}
    rows = cube.once(arrivals_sql("ids_beside").bind(key=key, since=since))
    for visitor, other in zip(rows["visitor_id"].tolist(), rows["other"].tolist(), strict=True):
        beside.setdefault(str(visitor), []).append(str(other))
    rows = cube.once(arrivals_sql("forged_exposures").bind(key=key, since=since))
    columns = (rows[name].tolist() for name in ("visitor_id", "user_id", "variant", "properties"))
    return [
        Forged(str(visitor), user, str(variant), json.loads(properties or "{}"), beside.get(str(visitor), ())[:1])
        for visitor, user, variant, properties in zip(*columns, strict=True)
    ]


def day_began(lately: Lately) -> int:
    """Since when evaluations were counted, in µs."""
    return round(lately.since * SECOND_US)
