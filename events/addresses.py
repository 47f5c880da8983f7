"""What a text says that nobody asked for: the address of a machine, or a URL with secrets in it; and the text without.

`ipaddress` and `urllib.parse` read; what stands here is which part of a URL says too much.
"""

import re
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Final
from urllib.parse import quote_plus, unquote_plus, urlsplit, urlunsplit

REMOVED: Final = "removed"
MOST_DECODED: Final = 3  # what is percent-encoded more often is left out
DEEPEST: Final = 2  # of a URL in a parameter of a URL
MOST_PARAMETERS: Final = 200  # of one URL
MOST_URLS: Final = 100  # in one text
MOST_ADDRESSES: Final = 20  # in one list
LONGEST_ADDRESS: Final = 100  # characters

# What a parameter may be called that holds a secret or a way to reach somebody: a whole word of its name, or a part.
WORDS: Final = {
    "token": "token", "tokens": "token", "tok": "token", "jwt": "token", "csrf": "token", "xsrf": "token",
    "ticket": "token", "otp": "code", "code": "code", "key": "key", "secret": "secret", "credential": "secret",
    "password": "password", "pass": "password", "pwd": "password", "pin": "password", "session": "session",
    "sid": "sid", "sig": "sig", "auth": "auth", "email": "email", "mail": "email", "phone": "phone", "tel": "phone",
    "mobile": "phone",
}  # fmt: skip
PARTS: Final = {
    "token": "token", "passw": "password", "secret": "secret", "credential": "secret", "session": "session",
    "sessid": "session", "signature": "sig", "apikey": "key", "accesskey": "key", "authkey": "key",
    "authcode": "code", "oauth": "auth", "authoriz": "auth", "email": "email", "phone": "phone",
    "resonatepreview": "token",
}  # fmt: skip
WORD_OF_NAME: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Every pattern takes time in proportion to the text, whatever it holds: a client wrote it.
WORD: Final = re.compile(r"[^\s\"'<>`]+")
PARAMETER: Final = re.compile(r"[?&;][^=&;?#]+=")
HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?[/?#]")
SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*$")
LONGEST_SCHEME: Final = 20
AT: Final = re.compile(r"@|%(?:25)*40")
DOT: Final = re.compile(r"\w(?:\.|%(?:25)*2e)\w", re.IGNORECASE)
BETWEEN: Final = re.compile(r"([\s/?#&;=,:\"'<>()]+)")  # what no e-mail address goes on beyond

Named = Callable[[str], str | None]
"""Under which label a parameter of this name is removed, whatever it holds; None where it may stay."""


def secret_word(name: str) -> str | None:
    """The kind of secret that a parameter is called by, one of the values of WORDS."""
    words = [word.lower() for word in WORD_OF_NAME.findall(name)]
    whole = "".join(words)
    exact = (WORDS[word] for word in words if word in WORDS)
    return next(exact, None) or next((kind for part, kind in PARTS.items() if part in whole), None)


def is_address(text: str, *, is_version: bool) -> bool:
    """Whether a text is an IP address or a list of them, with ports, brackets and lengths of networks or without.

    Under a name that speaks of a version, four numbers between dots are one.
    """
    pieces = text.split(",", MOST_ADDRESSES)
    return all(_is_one(piece.strip(' \t\r\n"'), is_version) for piece in pieces)


def _is_one(text: str, is_version: bool) -> bool:
    if len(text) > LONGEST_ADDRESS or not ("." in text or ":" in text):
        return False
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_interface(text)
    except ValueError:
        return False
    return found.version == 6 or not is_version


def without_secrets(text: str, named: Named, found: list[str], depth: int = 0) -> str:
    """The text with `removed` in place of what its URLs tell too much; `found` is added a label for each.

    What may be text for people is looked at word by word. The same text comes back where nothing is found.
    """
    urls = 0

    def cleaned(match: re.Match[str]) -> str:
        nonlocal urls
        word = match[0]
        if not _is_url(word):
            return word
        urls += 1
        if urls > MOST_URLS or depth > DEEPEST:
            found.append("unreadable")
            return REMOVED
        begins = _scheme_of(word)
        return word[:begins] + _url(word[begins:], named, found, depth)

    return WORD.sub(cleaned, text)


def _is_url(word: str) -> bool:
    return (
        word[0] in "/?"
        or "://" in word
        or word.startswith(("mailto:", "#/", "#!"))
        or (word[0] == "#" and ("=" in word or "@" in word))
        or PARAMETER.search(word) is not None
        or HOST.match(word) is not None
        or ("/" in word and AT.search(word) is not None)
    )


def _scheme_of(text: str) -> int:
    """Where the scheme of the first URL in a text begins, 0 where it has none."""
    at = text.find("://")
    scheme = SCHEME.search(text[max(0, at - LONGEST_SCHEME) : at]) if at > 0 else None
    return at - len(scheme[0]) if scheme else 0


def _url(url: str, named: Named, found: list[str], depth: int) -> str:
    before = len(found)
    try:
        scheme, place, path, query, fragment = urlsplit(url)
    except ValueError:  # nobody can say what it holds
        found.append("unreadable")
        return REMOVED
    user, at, host = place.rpartition("@")
    if at and user != REMOVED:
        found.append("user_info")
        place = f"{REMOVED}@{host}"
    path, semicolon, parameters = path.partition(";")
    path = _path(path, named, found, depth) + semicolon + _pairs(parameters, named, found, depth)
    query = _pairs(query, named, found, depth)
    if fragment and fragment != REMOVED:
        found.append("fragment")
        fragment = REMOVED
    return url if len(found) == before else urlunsplit((scheme, place, path, query, fragment))


def _path(path: str, named: Named, found: list[str], depth: int) -> str:
    begins = _scheme_of(path)
    if begins:
        return _path(path[:begins], named, found, depth) + without_secrets(path[begins:], named, found, depth + 1)
    if "%" in path:
        path = "/".join([_value(each, named, found, depth) for each in path.split("/")])
    return _without_e_mails(path, found)


def _without_e_mails(text: str, found: list[str]) -> str:
    if AT.search(text) is None:
        return text
    pieces = BETWEEN.split(text)
    for number, piece in enumerate(pieces):
        at = AT.search(piece)
        if at and at.start() and DOT.search(piece, at.end()):
            found.append("email")
            pieces[number] = REMOVED
    return "".join(pieces)


def _pairs(text: str, named: Named, found: list[str], depth: int) -> str:
    """Each `name=value` of a query, or of the parameters of a path."""
    pairs = re.split("([&;])", text, maxsplit=MOST_PARAMETERS)
    if len(pairs) > 2 * MOST_PARAMETERS:
        found.append("unreadable")
        return REMOVED
    return "".join([_pair(each, named, found, depth) for each in pairs])


def _pair(pair: str, named: Named, found: list[str], depth: int) -> str:
    name, equals, value = pair.partition("=")
    label = named(unquote_plus(unquote_plus(name))) if value and value != REMOVED else None
    if label is not None:
        found.append(label)
        return f"{name}={REMOVED}"
    cleaned = _value(name, named, found, depth)
    return f"{cleaned}={_value(value, named, found, depth)}" if equals else cleaned


def _value(value: str, named: Named, found: list[str], depth: int) -> str:
    """A value as it stood, or what is left of it once it is decoded; what is nested too deep is left out."""
    if not value or value == REMOVED:
        return value
    before, told = len(found), value
    for _ in range(MOST_DECODED):
        if is_address(told, is_version=False):
            found.append("address")
            return REMOVED
        told = _without_e_mails(without_secrets(told, named, found, depth + 1), found)
        if len(found) > before:
            return quote_plus(told)
        decoded = unquote_plus(told)
        if decoded == told:
            return value
        told = decoded
    found.append("unreadable")
    return REMOVED
