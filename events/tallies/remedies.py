"""What ends it that events are refused, repaired or dropped: by each code that may be told of them."""

from collections.abc import Mapping
from typing import Final

ALONE_REMEDY: Final = (
    "send anonymousId with every event; where the shop may know its users, write privacy: {default_consent: personal}, "
    "of backends {backend_consent: personal}, or send context.consent.resonate"
)
OTHERWISE: Final = "send what their messages ask for"
REMEDIES: Final[Mapping[str, str]] = {
    "missing_id": "send anonymousId, or userId, with every event",
    "invalid_id": "send each id as the text or whole number that is the visitor's own",
    "missing_event": "send the event's name as `event`",
    "missing_order_id": "send properties.order_id with every order",
    "unknown_type": "send the type track, page, screen, identify, group or alias",
    "event_too_large": "send less with an event, at most 32 kB",
    "too_deep": "send objects that are nested at most 32 levels deep",
    "too_many_keys": "send at most 512 keys with an event",
    "number_too_large": "send numbers between −2⁶³ and 2⁶³, and what is an id as text",
    "invalid_time": "send times as 2026-01-20T09:00:00Z, or leave them out: then it is the time of arrival",
    "invalid_currency": "send the currency as a code of ISO 4217, as EUR",
    "invalid_products": "send properties.products as a list of objects, each with its product_id, price and quantity",
    "invalid_field": "send the field as its message says",
    "unknown_consent": "send none, measure or personal as the consent",
    "unreadable_event": "send each event as a JSON object, in a batch as an item of its list",
    "unreadable_body": "send JSON, as docs/clients.md has it for each client",
    "batch_too_large": "send at most 2,500 events at once",
    "body_too_large": "send smaller bodies: several of them instead of one",
    "encoding_not_supported": "send the body as it is, or compressed by gzip",
    "unauthorized": "send a key that is in force; GET /v1/keys lists them",
    "secret_key_required": "let a backend send it with a secret key, or the page what it may send",
    "secret_key_in_address": "send a secret key as `Authorization: Bearer`, never in an address",
    "scope_missing": "give the client a key with the scope track",
    "origin_not_allowed": "add the page's origin to the key or to RESONATE_ORIGINS",
    "unknown_path": "set the client's address as docs/clients.md has it",
    "unknown_parameter": "leave out the parameter that the message names",
    "host_missing": "send the header Host",
    "method_not_allowed": "send it with POST, as docs/clients.md has it",
    "not_found": "set the client's address as docs/clients.md has it",
    "invalid_request": "send what its message asks for",
    "nothing_reads_it": "nothing is to be done; RESONATE_KEEP_FEATURE_EVALUATIONS=1 stores them all the same",
    "user_alone": ALONE_REMEDY,
    "respelled": "nothing is to be done; docs/events.md has the names that are meant",
    "number_as_text": "nothing is to be done; numbers need no quotes",
    "survey_unnamed": "send properties.survey, the name of the survey",
    "score_missing": "send properties.score, a number",
    "score_off_scale": "send scores of nps from 0 to 10, of csat from 1 to 5, of ces from 1 to 7",
    "survey_of_no_kind": "send properties.kind, nps, csat or ces, or name the survey in a metric",
    "ticket_unnamed": "send properties.ticket_id, the id that the help desk gives the ticket",
    "ticket_of_page": "let the help desk's webhook send tickets with a secret key (docs/recipes/helpdesk.md)",
    "answered_by_nobody": "send properties.by, agent or bot, with Ticket Answered",
}


def remedy_of(code: str) -> str:
    """What ends it."""
    return REMEDIES.get(code, OTHERWISE)
