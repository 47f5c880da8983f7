"""What customers say of service, and what service did for them: answers to surveys, and the life of a ticket.

Whatever is said is stored; what then is in no figure is noted under one of `COUNTS_NOWHERE`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from events.authority import OF_BACKEND
from events.dialects.fields import Notes, noted
from events.dialects.validation import (
    ANSWERED_BY_NOBODY,
    KIND_UNKNOWN,
    SCORE_MISSING,
    SCORE_OFF_SCALE,
    SURVEY_UNNAMED,
    TICKET_OF_PAGE,
    TICKET_UNNAMED,
    Arrival,
)
from events.records import EVERY_SURVEY, SURVEY_SCALES, SURVEY_SHOWN, TICKET_ANSWERED
from events.scrubbing import name_of
from kit.values import Unusable, identifier, number, small_letters

SCORES: Final = ("score", "value", "rating", "answer")
ANSWERED_BY: Final = ("agent", "bot")
OF_SURVEYS: Final = {"survey": "survey", "kind": "kind", "score": "score", "channel": "channel"}
OF_TICKETS: Final = {"ticketid": "ticket_id", "by": "by", "channel": "channel", "priority": "priority"}
SPELLING: Final = re.compile(r"[A-Za-z _-]{1,16}")
RESPELLED: Final = "respelled"
LONGEST: Final = 100  # characters of a name that are told


def told_of_survey(fields: dict[str, Any], name: str, properties: dict[str, Any], arrival: Arrival) -> None:
    """Adds the score of an answer as the value, and makes the survey and its kind those that figures go by: the name as
    it was sent, under `survey`; of the kind, where one is told, the small letters.
    """
    notes = arrival.notes
    _respell(properties, OF_SURVEYS, notes)
    kind, called = _kind(properties, notes), _name(properties, notes)
    if called is None:
        noted(notes, "properties.survey", Unusable(SURVEY_UNNAMED, "it is missing: no figure knows which survey it is"))
    if name == SURVEY_SHOWN:
        return
    score = fields["value"] = _score(properties, notes)
    if score is None:
        noted(notes, "properties.score", Unusable(SCORE_MISSING, "an answer counts by its score, a number"))
    if called is None:
        return
    known, every = arrival.scales.get(small_letters(called)), arrival.scales.get(EVERY_SURVEY)
    scale = known or every if kind is None else SURVEY_SCALES[kind]
    if scale is None:
        unknown = f"nothing says on which scale {called[:LONGEST]!r} is answered: send kind nps, csat or ces"
        noted(notes, "properties.kind", Unusable(KIND_UNKNOWN, unknown))
    elif score is not None and not scale[0] <= score <= scale[1]:
        off = f"{called[:LONGEST]!r} goes from {scale[0]:g} to {scale[1]:g}, this is {score:g}"
        wrong = f"the score is off its scale and does not count: {off}"
        noted(notes, "properties.score", Unusable(SCORE_OFF_SCALE, wrong))


def told_of_ticket(name: str, properties: dict[str, Any], arrival: Arrival) -> None:
    """Makes the id of the ticket a text, and who answered it `agent` or `bot`."""
    notes = arrival.notes
    _respell(properties, OF_TICKETS, notes)
    if arrival.authority is not OF_BACKEND:
        noted(
            notes, "event", Unusable(TICKET_OF_PAGE, "backends tell of tickets, with a secret key: it counts nowhere")
        )
    found = identifier(properties.get("ticket_id"))
    if type(found) is str:
        properties["ticket_id"] = found
    else:
        reason = found.reason if isinstance(found, Unusable) else "it is missing: nobody knows which ticket it is"
        noted(notes, "properties.ticket_id", Unusable(TICKET_UNNAMED, reason))
    if name != TICKET_ANSWERED:
        return
    by = properties.get("by")
    folded = by.strip().casefold() if type(by) is str else None
    if folded not in ANSWERED_BY:
        noted(notes, "properties.by", Unusable(ANSWERED_BY_NOBODY, "it must be agent or bot"))
    elif folded != by:
        properties["by"] = folded
        noted(notes, "properties.by", Unusable(RESPELLED, f"it was taken for {folded}"))


def _respell(properties: dict[str, Any], names: Mapping[str, str], notes: Notes) -> None:
    """Members that only their spelling keeps from being known get the name that is meant, where nothing else has it."""
    for told in [each for each in properties if SPELLING.fullmatch(each) and names.get(name_of(each), each) != each]:
        meant = names[name_of(told)]
        if properties.get(meant) is None:
            properties[meant] = properties.pop(told)
            noted(notes, f"properties.{told}", Unusable(RESPELLED, f"it was taken for {meant}"))


def _kind(properties: dict[str, Any], notes: Notes) -> str | None:
    """What is asked, None where nothing says so that can be used; the latter goes."""
    told = properties.get("kind")
    if told is None:
        return None
    folded = told.strip().casefold() if type(told) is str else ""
    if folded not in SURVEY_SCALES:
        del properties["kind"]
        noted(notes, "properties.kind", Unusable("invalid_field", "it must be nps, csat or ces; it was left out"))
        return None
    if folded != told:
        properties["kind"] = folded
        noted(notes, "properties.kind", Unusable(RESPELLED, f"it was taken for {folded}"))
    return folded


def _name(properties: dict[str, Any], notes: Notes) -> str | None:
    """What the survey is called; one without a name is called as its kind."""
    told = properties.get("survey")
    if type(told) is str and told.strip():
        if told not in SURVEY_SCALES and told.casefold() in SURVEY_SCALES:
            noted(notes, "properties.survey", Unusable(RESPELLED, f"it was taken for {told.casefold()}"))
        return told
    kind = properties.get("kind")
    if kind is not None:
        properties["survey"] = kind
        noted(notes, "properties.survey", Unusable("invalid_field", "it is no name: the kind stands in"))
    return kind


def _score(properties: dict[str, Any], notes: Notes) -> float | None:
    """The answer to a survey, by whichever of its names says a number."""
    spelt = [each for each in properties if type(each) is str and SPELLING.fullmatch(each)]
    told = {each: number(properties[each]) for name in SCORES for each in spelt if name_of(each) == name}
    for name, score in told.items():
        if type(score) is float:
            if name != SCORES[0]:
                noted(notes, f"properties.{name}", Unusable(RESPELLED, "it was taken for score"))
            if type(properties[name]) is str:
                noted(notes, f"properties.{name}", Unusable("number_as_text", "it is a text, its number was taken"))
            return score
    for name, wrong in told.items():
        if isinstance(wrong, Unusable):
            noted(notes, f"properties.{name}", wrong)
            break
    return None
