"""What HTML and attributes of a change may not hold: what runs, what frames another page, what is no address of a page.

The tag leaves out what runs, whatever was checked (`app/tag/source/slots.js`, `extras.js`).
"""

import re
from collections.abc import Collection
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

FORBIDDEN: Final = (  # elements
    "script", "style", "link", "meta", "base", "object", "embed", "applet", "iframe", "frame", "frameset", "portal",
    "fencedframe", "noscript", "template", "set", "animate", "animatetransform", "animatemotion",
)  # fmt: skip
ADDRESSES: Final = (  # attributes
    "href", "src", "action", "formaction", "xlink:href", "poster", "background", "data", "cite", "ping", "srcset",
)  # fmt: skip
SCHEMES: Final = ("http", "https", "mailto", "tel")
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SLASHES: Final = re.compile(r"^(https?:)?/{2,}", re.IGNORECASE)
_FRAMEWORKS: Final = re.compile(r"(?:data-)?(?:hx|ng|v|x)-")  # htmx, Angular, Vue, Alpine: their values are code
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]*")


def attribute_mistake(name: str, value: str) -> str | None:
    """What is wrong with an attribute that a change sets."""
    lower = name.lower()
    if not _NAME.fullmatch(name):
        return f'"{name[:60]}" is no name of an attribute'
    if lower.startswith("on"):
        return f"{name} runs a script; listen with resonate.on in a script of the page's own"
    if _FRAMEWORKS.match(lower):
        return f"{name} is code to a framework of the page"
    if lower == "style" or lower == "srcdoc" or lower.startswith("data-resonate"):
        return f"{name} is not taken" + ("; write style: {property: value}, or add a class" if lower == "style" else "")
    if lower in ADDRESSES:
        return address_mistake(value)
    return None


def address_mistake(value: str) -> str | None:
    """What is wrong with an address that an element leads to or loads."""
    scheme = scheme_of(value)
    if scheme and scheme not in SCHEMES:
        return f"{scheme}: is no address here; allowed are http, https, mailto, tel and what has no scheme"
    return None


def scheme_of(value: str) -> str:
    """The scheme that a browser reads in an address, white space and control characters left out; "" without one."""
    seen = re.sub(r"[\x00-\x20]+", "", value)
    found = _SCHEME.match(seen)
    return found[1].lower() if found else ""


def host_of(value: str) -> str:
    """The host of an absolute address, "" of a relative one. Browsers read a backslash as a slash, and any number of
    slashes as two.
    """
    seen = _SLASHES.sub(r"\1//", re.sub(r"[\x00-\x20]+", "", value).replace("\\", "/"))
    try:
        return (urlsplit(seen).hostname or "").lower()
    except ValueError:
        return "?"


def is_among(host: str, hosts: Collection[str]) -> bool:
    """Whether a host is one of these, or lies below one that begins with a dot."""
    return any(host == each.removeprefix(".") or (each.startswith(".") and host.endswith(each)) for each in hosts)


def html_mistakes(html: str) -> list[str]:
    """What is wrong with HTML."""
    reader = _Reader()
    try:
        reader.feed(html)
    except AssertionError:  # of the standard library's, about `<![` with nothing known behind it
        return [*reader.told, f'"{html[:40]}" is no HTML']
    return [*reader.told, *([f'"{reader.rawdata[:40]}" is not ended'] if reader.rawdata else [])]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.told: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN:
            self.told.append(f"<{tag}> is not taken: a change holds no scripts, frames, or styles of whole pages")
            self.clear_cdata_mode()
            return
        for name, value in attrs:
            mistake = attribute_mistake(name, value or "")
            if mistake is not None:
                self.told.append(f"<{tag}>: {mistake}")
