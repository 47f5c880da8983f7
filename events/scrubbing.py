"""What is never stored: the one scrubber that every event passes at the door, and that no event is refused by."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from unicodedata import normalize

import msgspec

from events.addresses import PARTS, REMOVED, WORDS, is_address, secret_word, without_secrets
from events.records import Record

# Names are compared without case and without what is neither letter nor digit.
ADDRESSES: Final = frozenset(
    {
        "ip", "ipaddress", "ipaddr", "ipv4", "ipv6", "remoteaddr", "remoteaddress", "remoteip", "xforwardedfor",
        "forwardedfor", "clientip", "clientipaddress", "xclientip", "trueclientip", "realip", "xrealip", "userip",
        "useripaddress", "visitorip", "customerip", "sourceip", "cfconnectingip", "fastlyclientip",
    }
)  # fmt: skip
ADVERTISING: Final = frozenset(
    {
        "advertisingid", "idfa", "gaid", "aaid", "adid", "gclid", "gclsrc", "dclid", "wbraid", "gbraid", "fbclid",
        "fbc", "fbp", "msclkid", "ttclid", "twclid", "lifatid", "yclid", "sccid", "epik", "rdtcid", "irclickid",
        "clickid", "igshid", "mceid", "mkttok",
    }
)  # fmt: skip
OWN_TOKENS: Final = frozenset({"resonatepreview", "resonateusertoken"})  # whoever holds one is shown what it opens
# Without these an event or an exposure is not what it is: no shop can deny them.
NEEDED: Final = frozenset(
    {
        "orderid", "experimentid", "variationid", "variationkey", "hashattribute", "hashvalue", "inexperiment", "id",
        "groupid", "targetingkey",
    }
)  # fmt: skip
DENIED: Final = "denied"  # the label of all that a shop denies by itself
IN_NAME: Final = "in_name"  # of a member whose name tells what no text may tell
LABELS: Final = (
    *sorted(ADDRESSES | ADVERTISING | OWN_TOKENS), DENIED, IN_NAME, "address", "user_info", "fragment", "unreadable",
    *sorted({*WORDS.values(), *PARTS.values()}),
)  # fmt: skip
MOST_KNOWN: Final = 20_000
LONGEST_KNOWN: Final = 400  # characters or bytes of what is remembered

_encode: Final = msgspec.json.Encoder().encode
# What stands in every URL that tells too much, in JSON: these, or a query.
_MARKS: Final = (
    *map(re.compile, (rb"@", rb"#", rb";")),
    re.compile(rb"%(?:25)*(?:40|3[adfADF])"),  # `@`, or `:`, `=`, `?` of a URL in another one's path
)
_QUERIES: Final = re.compile(rb'\?[^"]*')
# Of a text that is an address nothing is left but three dots or two colons at least, where these are deleted. What is
# left of records is much the same for all that are alike, and tells of most that nothing need be looked for.
_NO_SIGNS: Final = bytes(set(range(256)) - set(b'".:@#;%?'))
_ADDRESSES: Final = (re.compile(rb"\.\d{1,3}\.\d"), re.compile(rb":(?::|[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:)"))
_SPEAKING: Final = re.compile(r"[.:@?#/%]")  # in every name that may be an address or a URL
_TEXTS: Final = ("event", "url", "path", "device", "country")  # columns that hold whatever a client wrote

Text = TypeVar("Text", str, bytes)
Count = Callable[[str, int], None]


def name_of(spelling: str) -> str:
    """What a name is compared by: `X-Forwarded-For`, `xForwardedFor` and `x_forwarded_for` are one."""
    if not spelling.isascii():
        spelling = normalize("NFKC", spelling)
    return "".join(filter(str.isalnum, spelling.casefold()))


def is_scrubbed(spelling: str) -> bool:
    """Whether a member or a parameter of this name is removed where a shop says nothing."""
    return name_of(spelling) in ADDRESSES | ADVERTISING | OWN_TOKENS or secret_word(spelling) is not None


class Scrubber:
    """Takes out what no row may hold, and counts it by name, one of LABELS.

    `harmless` are spellings of names that were met and may stay: names are few, and looking them up costs a tenth of
    looking at them. Names are looked at while an object is walked (`drop`, `members`), texts once a record is
    written (`written`): few of them have a mark of what is looked for.
    """

    def __init__(self, count: Count | None = None) -> None:
        self.harmless: set[str] = set()
        self._count = count
        self._deny: frozenset[str] = frozenset()
        self._keep: frozenset[str] = frozenset()
        self._clean: set[bytes] = set()
        self._telling_nothing: set[bytes] = set()  # signs

    def follow(self, deny: Iterable[str], keep: Iterable[str]) -> None:
        """From now on these names are dropped too, and those are not, whatever they are spelled like."""
        self._deny, self._keep = frozenset(map(name_of, deny)), frozenset(map(name_of, keep))
        self.harmless.clear()
        self._clean.clear()

    def drop(self, members: dict[str, Any]) -> None:
        """Takes the members out of one object that may not stay; the objects in it are not looked at."""
        found: list[str] = []
        for name in [name for name in members if name not in self.harmless and self._is_dropped(name, found)]:
            del members[name]
        self._told(found)

    def text(self, text: str) -> str:
        """A text that stands in no record, as it may be stored."""
        return self._text(text, [], is_version=False)

    def members(self, members: dict[str, Any]) -> dict[str, Any]:
        """An object without those members, at any depth; the same one where there are none."""
        if self._are_harmless(members):
            return members
        found: list[str] = []
        cleaned = self._object(members, found)
        self._told(found)
        return cleaned

    def written(self, records: Sequence[Record]) -> list[bytes]:
        """The records as JSON, as they may be stored."""
        texts: list[bytes] = []
        for record in records:
            text = _encode(record)
            signs = text.translate(None, _NO_SIGNS)
            if signs not in self._telling_nothing and self._may_tell(text, signs):
                text = _encode(self._cleaned(record))
            texts.append(text)
        return texts

    def _may_tell(self, text: bytes, signs: bytes) -> bool:
        """Whether a record has a piece that may not stay; what no text with these signs can have is remembered."""
        pieces = _QUERIES.findall(text) if b"?" in signs else []
        if b"@" in signs or b"#" in signs or b";" in signs or b"%" in signs:
            pieces += _pieces(text, _MARKS)
        dots = signs.translate(None, b"@#;%?")
        if b'"::' in dots or b'"...' in dots:
            pieces += _pieces(text, _ADDRESSES)
        if not pieces:
            _remember(self._telling_nothing, signs)
        return not self._clean.issuperset(pieces) and not all(map(self._is_clean, pieces))

    def _is_clean(self, piece: bytes) -> bool:
        """Whether a piece of JSON between two quotes, or the query in it, may stay under any name; it is remembered."""
        if piece in self._clean:
            return True
        if b"\\" in piece:
            return False
        text = piece.decode()
        if self._text(text, [], is_version=False) != text:
            return False
        _remember(self._clean, piece)
        return True

    def _cleaned(self, record: Record) -> Record:
        """The ids of a record are what they are: they stay."""
        found: list[str] = []
        texts = {name: getattr(record, name) for name in _TEXTS}
        columns: dict[str, Any] = {
            name: self._text(text, found, is_version=False) for name, text in texts.items() if text
        }
        for name in ("properties", "context"):
            members = getattr(record, name)
            if members:
                columns[name] = self._object(members, found)
        self._told(found)
        return msgspec.structs.replace(record, **columns)

    def _told(self, found: list[str]) -> None:
        if self._count is not None:
            for label, count in Counter(found).items():
                self._count(label, count)

    def _are_harmless(self, members: Mapping[str, Any]) -> bool:
        if not self.harmless.issuperset(members):
            return False
        for item in members.values():
            kind = type(item)
            if kind is list or (kind is dict and not self._are_harmless(item)):
                return False
        return True

    def _object(self, members: Mapping[str, Any], found: list[str]) -> dict[str, Any]:
        return {
            name: self._value(item, found, is_version="version" in name.casefold())
            for name, item in members.items()
            if name in self.harmless or not self._is_dropped(name, found)
        }

    def _value(self, value: Any, found: list[str], *, is_version: bool) -> Any:
        if type(value) is str:
            return self._text(value, found, is_version=is_version)
        if type(value) is dict:
            return self._object(value, found)
        if type(value) is list:
            return [self._value(item, found, is_version=is_version) for item in value]
        return value

    def _text(self, text: str, found: list[str], *, is_version: bool) -> str:
        if is_address(text, is_version=is_version):
            found.append("address")
            return REMOVED
        return without_secrets(text, self.parameter, found)

    def _is_dropped(self, spelling: str, found: list[str]) -> bool:
        """Whether a member of a name that was not met lately is dropped; one that is not is met from now on."""
        label = self._denied(name_of(spelling))
        if label is None and _SPEAKING.search(spelling) and self._text(spelling, [], is_version=False) != spelling:
            label = IN_NAME
        if label is not None:
            found.append(label)
        else:
            _remember(self.harmless, spelling)
        return label is not None

    def _denied(self, name: str) -> str | None:
        if name in self._deny:
            return DENIED
        return name if name in ADDRESSES | OWN_TOKENS or (name in ADVERTISING and name not in self._keep) else None

    def parameter(self, spelling: str) -> str | None:
        """The label under which a URL parameter of this name is removed, whatever it holds; None where it stays."""
        name = name_of(spelling)
        return self._denied(name) or (None if name in self._keep else secret_word(spelling))


def _remember(known: set[Text], text: Text) -> None:
    if len(text) <= LONGEST_KNOWN:
        if len(known) >= MOST_KNOWN:
            known.clear()
        known.add(text)


def _pieces(text: bytes, patterns: Iterable[re.Pattern[bytes]]) -> Iterator[bytes]:
    """What stands between two quotes of JSON where a pattern is found, once for each pattern."""
    for pattern in patterns:
        match = pattern.search(text)
        while match is not None:
            begins, ends = text.rfind(b'"', 0, match.start()) + 1, text.find(b'"', match.start())
            yield text[begins:ends]
            match = pattern.search(text, ends)
