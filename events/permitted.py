"""What a mode of consent lets be stored of a record: the one function that decides it, at the door, before the store.

Behind it no code asks for consent: what may not be known of a person is not in the rows.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from events.authority import sender
from events.consent import Consent
from events.libraries import told_library
from events.records import ALIAS, EVENT_NAME, EXPOSURE, GROUP, IDENTIFY, REPAIRED, TEST, Record, is_test
from events.scrubbing import name_of

# Of these kinds nothing is left without a user and traits.
OF_USERS: Final = frozenset({IDENTIFY, GROUP, ALIAS})
# Members that say who somebody is, whatever the event; names are compared as the scrubber does.
WHO: Final = frozenset(
    {
        "user", "userid", "username", "userkey", "useremail", "customer", "customerid", "customeremail", "memberid",
        "accountid", "account", "clientid", "contactid", "crmid", "externalid", "loyaltyid", "subscriberid", "login",
        "anonymousid", "visitorid", "previousid", "groupid", "traits", "attributes", "identities", "externalids",
        "email", "emailaddress", "mail", "phone", "phonenumber", "mobile", "tel", "name", "firstname", "lastname",
        "fullname", "surname", "givenname", "familyname", "nickname", "birthday", "birthdate", "dateofbirth", "dob",
        "age", "gender", "sex", "address", "street", "zip", "zipcode", "postcode", "postalcode", "billing", "shipping",
        "billingaddress", "shippingaddress", "deliveryaddress", "avatar", "consent", "search", "query", "querystring",
        "useragent", "latitude", "longitude", "lat", "lng", "lon", "location",
    }
)  # fmt: skip
PAGE_NAMES: Final = frozenset({"name"})  # what pages and products are called is nobody's name
WORD: Final = re.compile(r"\S+")
QUERY: Final = re.compile(r"[?#]|%(?:25)*(?:3[fF]|23)")  # where what is asked for begins, encoded or not
BROWSER: Final = "browser"


def permitted(record: Record, consent: Consent) -> Record | None:
    """The record as this mode lets it be stored, None where nothing of it may be.

    `measure` leaves a row under the visitor id alone: no user, and so no proof of one, no attributes, no traits, no
    edge from an id to another; of the context what says nothing of a person; URLs without what follows `?` and `#`.
    An id that is the user's is no visitor id: an order of a backend is left without one, anything else is gone.
    """
    if consent is Consent.PERSONAL:
        return record
    if consent is Consent.NONE or record.type in OF_USERS:
        return None
    authority = sender(secret=record.authority.knows_orders_alone)
    visitor_id = "" if record.visitor_id == record.user_id else record.visitor_id
    if not visitor_id and not (authority.knows_orders_alone and record.order_id is not None):
        return None
    properties = None if record.type == EXPOSURE or not record.properties else without_who(record.properties)
    return msgspec.structs.replace(
        record,
        visitor_id=visitor_id,
        user_id=None,
        url=None if record.url is None else _asking_nothing(record.url),
        path=None if record.path is None else _asking_nothing(record.path),
        authority=authority,
        properties=properties or None,
        context=_of_the_program(record) or None,
        consent="measure",
    )


def _of_the_program(record: Record) -> dict[str, Any]:
    """Of the context: which browser and which library sent the event, under which name, what of it could not be used,
    and that it is a test.
    """
    context = record.context or {}
    kept = told_library(context) | {name: context[name] for name in (EVENT_NAME, REPAIRED) if name in context}
    if type(context.get(BROWSER)) is str:
        kept[BROWSER] = context[BROWSER]
    if is_test(record):
        kept[TEST] = True
    return kept


def without_who(members: Mapping[str, Any]) -> dict[str, Any]:
    """What a properties object says of what happened, without who did it."""
    return {name: _value(value) for name, value in members.items() if name in PAGE_NAMES or name_of(name) not in WHO}


def _value(value: Any) -> Any:
    if type(value) is str:
        return WORD.sub(lambda word: _asking_nothing(word[0], certain=False), value) if QUERY.search(value) else value
    if type(value) is dict:
        return without_who(value)
    return [_value(each) for each in value] if type(value) is list else value


def _asking_nothing(url: str, *, certain: bool = True) -> str:
    """A URL without query and fragment. What is not `certain` to be one is cut where it looks like one."""
    found = QUERY.search(url)
    if found is None:
        return url
    before, after = url[: found.start()], url[found.end() :]
    looks_so = bool(after) if not before else "/" in before or "%" in found[0] or "=" in after
    return before if certain or looks_so else url
