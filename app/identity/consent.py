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
HEADS: Final = frozenset({HEADER, b"cookie", OPTED_OUT})  # without any of these a head says nothing

Scope = Mapping[str, Any]  # of ASGI
Heads = Mapping[bytes, bytes]  # the headers of a request by their lower-case names


class ConsentRules:
    """What a shop lets hold, as its definitions say at the moment.

    `unsaid` is the mode of who says nothing, `unsaid_by_backend` that of an event which a backend sends, `opted_out`
    the most where a browser sends `Sec-GPC: 1` besides. `chosen` is false where nobody has said anything and pages
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
        self.silent_page = Stated(None, self.unsaid, self.categories)
        self.silent_backend = Stated(None, self.unsaid_by_backend, self.categories)

    def of_request(self, scope: Scope, headers: Heads, told: Any = None, among: Any = None) -> Consent:
        """The mode of a request whose body says `told`, and its attributes `among` them. Raises UnknownConsent."""
        query: bytes = scope["query_string"]
        if told is None and among is None and HEADS.isdisjoint(headers) and not (query and may_say(query)):
            return self.unsaid
        said = strictest((said_in_head(scope), mode_of(told, PARAMETER), mode_of(among, ATTRIBUTE)))
        return self._objected(headers, self.unsaid) if said is None else said

    def of_address(self, scope: Scope) -> Consent:
        """The mode of everybody who asks for this address and says nothing else. Raises UnknownConsent."""
        query: bytes = scope["query_string"]
        said = strictest(_in_query(query)) if may_say(query) else None
        return self.unsaid if said is None else said

    def of_events(self, scope: Scope, headers: Heads, authority: Authority) -> Stated:
        """What holds for the events of a request, each of which may say its own. Raises UnknownConsent."""
        silent = self.silent_backend if authority is Authority.BACKEND else self.silent_page
        query: bytes = scope["query_string"]
        if HEADS.isdisjoint(headers) and not (query and may_say(query)):
            return silent
        return Stated(said_in_head(scope), self._objected(headers, silent.unsaid), silent.categories)

    def _objected(self, headers: Heads, unsaid: Consent) -> Consent:
        """Global Privacy Control objects where it is `1`; it never allows what would not hold without it."""
        return min(unsaid, self.opted_out) if headers.get(OPTED_OUT, b"").strip() == b"1" else unsaid


def may_say(query: bytes) -> bool:
    """Whether a query may name consent; what is percent-encoded may name anything."""
    return b"consent" in query or b"%" in query


def said_in_head(scope: Scope) -> Consent | None:
    """The strictest of what header, cookie and query say; None where they say nothing. Raises UnknownConsent."""
    return strictest((*_in_headers(scope["headers"]), *_in_query(scope["query_string"])))


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
