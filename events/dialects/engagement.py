"""Our own beats of engaged time → records: the cumulative milliseconds of one page view, as its page reports them."""

from typing import Any, Final

from events.consent import Consent
from events.dialects.fields import (
    MAX_MESSAGE_ID,
    event_time,
    members_of,
    message_identifier,
    needed_id,
    noted,
    optional_text,
    repaired_fields,
    who_of,
)
from events.dialects.validation import Arrival, EventRefused
from events.libraries import told_library
from events.records import ENGAGEMENT, Record
from kit.time import DAY_SECONDS
from kit.values import Unusable, identifier, kind_of, number

LONGEST_PAGE_VIEW_MS: Final = 7 * DAY_SECONDS * 1_000
MAX_SEQUENCE: Final = 10_000_000


def beat(item: dict[str, Any], arrival: Arrival, consent: Consent) -> Record:
    """One beat `{messageId, anonymousId, pageViewId, seq, engagedMs, final, url}`. Raises Refused.

    The message id defaults to `<pageViewId>:<seq>`, which makes a beat that is sent twice one beat.
    """
    notes = arrival.notes
    page_view = needed_id(item.get("pageViewId"), field="pageViewId")
    sequence = _whole(item.get("seq"), "seq", MAX_SEQUENCE)
    engaged = _whole(item.get("engagedMs"), "engagedMs", LONGEST_PAGE_VIEW_MS)
    visitor_id, user_id = who_of(item, "anonymousId", notes)
    final = item.get("final")
    if final is not None and type(final) is not bool:
        noted(notes, "final", Unusable("invalid_field", f"it must be true or false, this is {kind_of(final)}"))
    context = members_of(item.get("context"), "context", notes)
    machine = arrival.client(context.get("userAgent"))
    given = identifier(item.get("messageId"))
    own = given if type(given) is str and len(given) <= MAX_MESSAGE_ID else None
    if own is None and item.get("messageId") is not None:
        noted(notes, "messageId", Unusable("invalid_id", f"it must be text of 1 to {MAX_MESSAGE_ID} characters"))
    when = event_time(item, arrival)
    url = optional_text(item.get("url"), "url", notes)
    return Record(
        message_id=own or message_identifier(f"{page_view}:{sequence}", item, []),
        type=ENGAGEMENT,
        event=ENGAGEMENT,
        visitor_id=visitor_id,
        user_id=user_id,
        time=when,
        network=arrival.network,
        page_view_id=page_view,
        engaged_ms=engaged,
        url=url,
        device=machine.device,
        country=arrival.country,
        bot=machine.bot,
        site=arrival.site,
        authority=arrival.authority_of(visitor_id, user_id, item, consent),
        quarantined=arrival.impossible(when),
        properties={"seq": sequence, "final": final is True},
        context=told_library(context) | repaired_fields(notes) or None,
    )


def _whole(value: Any, field: str, largest: int) -> int:
    found = number(value)
    if type(found) is not float or not found.is_integer() or not 0 <= found <= largest:
        raise EventRefused("invalid_field", field, f"it must be a whole number from 0 to {largest}")
    return int(found)
