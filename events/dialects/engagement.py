"""Our own beats of engaged time → records: the cumulative milliseconds of one page view, as its page reports them."""

from typing import Any, Final

from events.consent import Consent
from events.dialects.user_agents import client
from events.dialects.validation import Arrival, EventRefused, identifier, message_identifier, moment
from events.records import ENGAGEMENT, Record
from kit.time import DAY_SECONDS

LONGEST_PAGE_VIEW_MS: Final = 7 * DAY_SECONDS * 1_000
MAX_SEQUENCE: Final = 10_000_000


def beat(item: dict[str, Any], sent_at: Any, arrival: Arrival, consent: Consent) -> Record:
    """One beat `{messageId, anonymousId, pageViewId, seq, engagedMs, final, url}`. Raises Refused.

    The message id defaults to `<pageViewId>:<seq>`, which makes a beat that is sent twice one beat.
    """
    page_view = identifier(item.get("pageViewId"), "pageViewId")
    sequence = _whole(item.get("seq"), "seq", MAX_SEQUENCE)
    engaged = _whole(item.get("engagedMs"), "engagedMs", LONGEST_PAGE_VIEW_MS)
    final = item.get("final")
    if final is not None and type(final) is not bool:
        raise EventRefused("invalid_field", "final: it must be true or false")
    anonymous, user = item.get("anonymousId"), item.get("userId")
    if anonymous is None and user is None:
        raise EventRefused("missing_id", "anonymousId or userId is required")
    user_id = None if user is None else identifier(user, "userId")
    given = item.get("messageId")
    when = arrival.received_at
    happened = moment(item.get("timestamp"), "timestamp")
    if happened is not None:
        sent = moment(sent_at if sent_at is not None else item.get("sentAt"), "sentAt")
        when = happened if sent is None else arrival.received_at - (sent - happened)
    machine = client(arrival.user_agent)
    url = item.get("url")
    visitor_id = identifier(user if anonymous is None else anonymous, "anonymousId")
    return Record(
        message_id=message_identifier(f"{page_view}:{sequence}" if given is None else given),
        type=ENGAGEMENT,
        event=ENGAGEMENT,
        visitor_id=visitor_id,
        user_id=user_id,
        time=when,
        network=arrival.network,
        page_view_id=page_view,
        engaged_ms=engaged,
        url=url if type(url) is str else None,
        device=machine.device,
        country=arrival.country,
        bot=machine.bot,
        site=arrival.site,
        authority=arrival.authority_of(visitor_id, user_id, item, consent),
        quarantined=arrival.impossible(when),
        properties={"seq": sequence, "final": bool(final)},
    )


def _whole(value: Any, field: str, largest: int) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= largest:
        raise EventRefused("invalid_field", f"{field}: it must be a whole number from 0 to {largest}")
    return value
