"""What a caller is told of events that were stored and that nothing may read: a name that was meant otherwise, a score
off its scale, an order that is worth nothing.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, Final

from app.http.access import Grant
from app.http.exchange import Exchange
from app.http.parameters import DEBUG, query_pairs
from app.worker.resources import Resources
from events.dialects.names import EXPERIMENT_VIEWED, ORDER_COMPLETED, VOCABULARY, meant_name
from events.dialects.validation import Reading
from events.records import SURVEY_ANSWERED, TRACK, Record
from experiments.catalog.heard import Heard
from kit.suggestions import did_you_mean

Hint = dict[str, Any]
Hints = Sequence[Hint]
DEBUGGED: Final = b"debug=1"  # in every query that says so
MOST_REMEMBERED: Final = 1_000
LONGEST: Final = 100  # characters of a name that are told
LOOKED_INTO: Final = frozenset({ORDER_COMPLETED, SURVEY_ANSWERED})
NEEDED: Final = {ORDER_COMPLETED: "properties.order_id", EXPERIMENT_VIEWED: "the experiment and its variant"}


def hints_of(exchange: Exchange, reading: Reading, resources: Resources, grant: Grant) -> Hints:
    """The hints of all events of a request, in their order: to a secret key, and to any with `?debug=1`.

    Pages hear of no name that only the definitions know.
    """
    if not grant.secret and (DEBUG, "1") not in query_pairs(exchange):
        return ()
    heard, hints = resources.heard, list[Hint]()
    for place, record in enumerate(reading.records):
        if record.type != TRACK:
            continue
        said = list(_looked_into(record, heard)) if record.event in LOOKED_INTO else []
        if record.event not in heard.names:
            said.append(_unread(record.event or "", heard, secret=grant.secret))
        index = place if reading.places is None else reading.places[place]
        hints += [{"index": index, "code": code, "message": message} for code, message in said]
    return hints


def _looked_into(record: Record, heard: Heard) -> Iterator[tuple[str, str]]:
    if record.event == ORDER_COMPLETED:
        if record.value is None:
            yield (
                "order_without_value",
                "the order has no revenue, no total and no prices: it counts, and is worth nothing",
            )
        return
    survey = (record.properties or {}).get("survey")
    if type(survey) is not str or not survey:
        yield "survey_unnamed", "properties.survey is missing: no metric knows which survey was answered"
        return
    low, high = heard.scales.get(survey.casefold(), (-inf, inf))
    if record.value is not None and not low <= record.value <= high:
        scale = f"{survey[:LONGEST]!r} goes from {low:g} to {high:g}, this is {record.value:g}"
        yield "score_off_scale", f"the score is off its scale and does not count: {scale}"


def _unread(name: str, heard: Heard, *, secret: bool) -> tuple[str, str]:
    """What is said of a name that no metric reads; looked up once, because what was meant is searched for."""
    remembered = heard.kept.setdefault(_unread, {})
    said = remembered.get((name, secret))
    if said is None:
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        meant, told = meant_name(name), repr(name[:LONGEST])
        if meant != name:
            needed = NEEDED.get(meant, "what that needs")
            said = "near_name", f"{told} stays under its own name: as {meant} it would need {needed}"
        else:
            known = {*VOCABULARY, *(heard.names if secret else ())}
            near = did_you_mean(name, sorted(known - {name}), lead="; ")
            said = "no_metric_reads", f"no metric reads {told}{near}"
        remembered[name, secret] = said
    return said
