"""The mode of consent of a request: the strictest of what is said in it, else what its shop lets hold."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from events.authority import Authority
from events.consent import OF_WORD, Categories, Consent, Stated, mode_of, strictest
from experiments.definitions.shop import Privacy

PARAMETER: Final = "consent"  # of the query
ATTRIBUTE: Final = "resonate.consent"
HEADER: Final = b"x-resonate-consent"
COOKIE: Final = "resonate_consent"
OPTED_OUT: Final = b"sec-gpc"

Scope = Mapping[str, Any]  # of ASGI
Heads = Mapping[bytes, bytes]  # the headers of a request by their lower-case names


class ConsentRules:
    """What a shop lets hold, as its definitions say at the moment.

    `unsaid` is the mode of who says nothing, `unsaid_by_backend` that of an event which a backend sends, `opted_out`
    the most where a browser sends `Sec-GPC: 1` besides. `chosen` is false where the shop has said nothing and pages
    reach the service from elsewhere.
    """

    def __init__(self, privacy: Privacy, *, public: bool) -> None:
        """`public`: pages reach the service by an address that is not its own machine alone."""
        self._public = public
        self.follow(privacy)

    def follow(self, privacy: Privacy) -> None:
        """From now on what `privacy:` of shop.yaml says holds.

        Where it says nothing, everything may be stored on a service that is tried out on its own machine, and one that
        is public counts and no more.
        """
        wanted, given = privacy.default_consent, privacy.consent_categories
        self.chosen = wanted is not None or not self._public
        fallback = Consent.PERSONAL if wanted is None and self.chosen else Consent.MEASURE
        self.unsaid = fallback if wanted is None else OF_WORD[wanted]
        self.unsaid_by_backend = fallback if privacy.backend_consent is None else OF_WORD[privacy.backend_consent]
        self.opted_out = OF_WORD.get(privacy.gpc, Consent.PERSONAL)
        self.categories = None if given is None else Categories(given.measure, given.personal)

    def of_request(self, scope: Scope, headers: Heads, told: Any = None, among: Any = None) -> Consent:
        """The mode of a request whose body says `told`, and its attributes `among` them. Raises UnknownConsent."""
        said = said_in_head(scope, headers)
        if told is not None or among is not None:
            said = strictest((said, mode_of(told, PARAMETER), mode_of(among, ATTRIBUTE)))
        if said is not None:
            return said
        return self.unsaid if OPTED_OUT not in headers else self._objected(headers, self.unsaid)

    def of_address(self, scope: Scope) -> Consent:
        """The mode of everybody who asks for this address and says nothing else. Raises UnknownConsent."""
        query: bytes = scope["query_string"]
        said = strictest(_in_query(query)) if query else None
        return self.unsaid if said is None else said

    def of_events(self, scope: Scope, headers: Heads, authority: Authority) -> Stated:
        """What holds for the events of a request, each of which may say its own. Raises UnknownConsent."""
        unsaid = self.unsaid_by_backend if authority is Authority.BACKEND else self.unsaid
        if OPTED_OUT in headers:
            unsaid = self._objected(headers, unsaid)
        return Stated(said_in_head(scope, headers), unsaid, self.categories)

    def _objected(self, headers: Heads, unsaid: Consent) -> Consent:
        """Global Privacy Control objects where it is `1`; it never allows what would not hold without it."""
        return min(unsaid, self.opted_out) if headers[OPTED_OUT].strip() == b"1" else unsaid


def said_in_head(scope: Scope, headers: Heads) -> Consent | None:
    """The strictest of what header, cookie and query say; None where they say nothing. Raises UnknownConsent."""
    query: bytes = scope["query_string"]
    if HEADER not in headers and b"cookie" not in headers and not (b"consent" in query or b"%" in query):
        return None
    return strictest((*_in_headers(scope["headers"]), *_in_query(query)))


def _in_headers(pairs: list[tuple[bytes, bytes]]) -> Iterator[Consent | None]:
    """Every line that says it, because proxies join lines or leave them apart."""
    for name, value in pairs:
        if name == HEADER:
            for word in value.decode("latin-1").split(","):
                yield mode_of(word.strip(), "X-Resonate-Consent")
        elif name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                cookie, _, word = pair.partition("=")
                if cookie.strip() == COOKIE:
                    yield mode_of(word.strip().strip('"'), f"cookie {COOKIE}")


def _in_query(query: bytes) -> Iterator[Consent | None]:
    for name, word in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == PARAMETER:
            yield mode_of(word, f"query {PARAMETER}")
