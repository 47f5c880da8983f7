"""What a caller is told of events that were stored and that nothing may read: a name that was meant otherwise, a score
off its scale, an order that is worth nothing.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from app.http.access import Grant
from app.http.exchange import Exchange
from app.http.parameters import DEBUG, query_pairs
from app.worker.resources import Resources
from events.dialects.names import EXPERIMENT_VIEWED, ORDER_COMPLETED, VOCABULARY, meant_name
from events.dialects.validation import Reading
from events.records import TRACK
from experiments.catalog.heard import Heard
from kit.suggestions import Names, did_you_mean

Hint = dict[str, Any]
Hints = Sequence[Hint]
DEBUGGED: Final = b"debug=1"  # in every query that says so
MOST_REMEMBERED: Final = 1_000
MOST_SEARCHED: Final = 20  # names a second: strangers make up names, and what was meant takes a third of a millisecond
LONGEST: Final = 100  # characters of a name that are told
WORTH_NOTHING: Final = (
    "order_without_value",
    "the order has no revenue, no total and no prices: it counts, and is worth nothing",
)
NEEDED: Final = {ORDER_COMPLETED: "properties.order_id", EXPERIMENT_VIEWED: "the experiment and its variant"}


def hints_of(exchange: Exchange, reading: Reading, resources: Resources, grant: Grant) -> Hints:
    """The hints of all events of a request, in their order: to a secret key, and to any with `?debug=1`. Why an event
    is in no figure everybody hears.

    Pages hear of no name that only the definitions know.
    """
    hints: list[Hint] = [{"index": each.index, "code": each.code, "message": each.message} for each in reading.useless]
    if not grant.secret and (DEBUG, "1") not in query_pairs(exchange):
        return hints
    heard = resources.heard
    unread = heard.kept.get(Unread) or heard.kept.setdefault(Unread, Unread(heard))
    for place, record in enumerate(reading.records):
        if record.type != TRACK:
            continue
        said = [WORTH_NOTHING] if record.event == ORDER_COMPLETED and record.value is None else []
        if record.event not in heard.names:
            said.append(unread.told(record.event or "", secret=grant.secret))
        index = place if reading.places is None else reading.places[place]
        hints += [{"index": index, "code": code, "message": message} for code, message in said]
    return sorted(hints, key=lambda hint: hint["index"])


class Unread:
    """What is said of names that no metric reads: it is remembered, because what was meant is searched for."""

    def __init__(self, heard: Heard) -> None:
        self._told: dict[tuple[str, bool], tuple[str, str]] = {}
        words = {False: frozenset(VOCABULARY), True: heard.names.union(VOCABULARY)}  # to pages, to secret keys
        self._words, self._known = words, {secret: Names(known) for secret, known in words.items()}
        self._second = 0.0
        self._searched = 0  # in this second

    def told(self, name: str, *, secret: bool) -> tuple[str, str]:
        """The code and the sentence; one without what was meant where too much was searched for in this second."""
        said = self._told.get((name, secret))
        if said is not None:
            return said
        meant, told = meant_name(name), repr(name[:LONGEST])
        if meant != name:
            needed = NEEDED.get(meant, "what that needs")
            said = "near_name", f"{told} stays under its own name: as {meant} it would need {needed}"
        elif self._may_search():
            known = self._words[secret] - {name} if name in VOCABULARY else self._known[secret]
            said = "no_metric_reads", f"no metric reads {told}{did_you_mean(name, known, lead='; ')}"
        else:
            return "no_metric_reads", f"no metric reads {told}"
        if len(self._told) >= MOST_REMEMBERED:
            self._told.clear()
        self._told[name, secret] = said
        return said

    def _may_search(self) -> bool:
        second = monotonic() // 1
        if second != self._second:
            self._second, self._searched = second, 0
        self._searched += 1
        return self._searched <= MOST_SEARCHED
