"""The tag as it was built, and the lines that a shop writes into its pages."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Final
from urllib.parse import quote, urlsplit

BUILT: Final = files("app") / "tag" / "built"
LIBRARY: Final = re.compile(r"resonate-[0-9a-f]{16}\.js")
PARTS: Final = re.compile(r"resonate-parts-[0-9a-f]{16}\.js")
PLAIN: Final = "library.js"
ASKING: Final = (b'"condition"', b'"changes"')  # in a payload that asks about visitors, or changes pages
TYPES: Final = "resonate.d.ts"  # as written: nothing of them is built
SOURCE: Final = files("app") / "tag" / "source"
STYLE: Final = (
    "<style>[data-resonate]:not([data-resonate-done]){visibility:hidden;"
    "animation:resonate-show 0s .8s forwards!important}@keyframes resonate-show{to{visibility:visible}}</style>"
)
PREFIX_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class BuiltTag:
    """The built files by their names, of which the hash of the content is a part."""

    library: str  # all of it; where no payload stands before it, it asks the service
    parts: str
    contents: Mapping[str, bytes]

    @classmethod
    def read(cls) -> "BuiltTag":
        """As they are in the package."""
        contents = {each.name: each.read_bytes() for each in BUILT.iterdir()}
        contents[TYPES] = (SOURCE / TYPES).read_bytes()
        library = next(name for name in contents if LIBRARY.fullmatch(name))
        parts = next(name for name in contents if PARTS.fullmatch(name))
        return cls(library, parts, contents)

    def following(self, features: bytes) -> bytes:
        """What follows a payload in the script: no more of the library than it needs."""
        return self.contents[self.library if any(word in features for word in ASKING) else PLAIN]

    @property
    def integrity(self) -> str:
        """What `integrity` says of the library."""
        digest = hashlib.sha384(self.contents[self.library]).digest()
        return f"sha384-{base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class TagLines:
    """What a page has in its head: `script` and `style`; or `bare` in the place of `script`, which is the same file for
    ever, may be served from anywhere, and asks the service for what it decides by.
    """

    script: str
    style: str
    bare: str

    @classmethod
    def of(cls, address: str, key: str, consent: str | None = None) -> "TagLines":
        """For a service at an address, with a publishable key; `consent` is that of who has not answered.

        Where that is None, what the shop lets hold does; the bare library, which is not told of it, asks.
        """
        tag = BuiltTag.read()
        said = "" if consent is None else f' data-consent="{consent}"'
        script = f'<script async src="{escape(f"{address}/resonate.js?key={quote(key)}")}"{said}></script>'
        bare = (
            f'<script async src="{escape(f"{address}/{tag.library}")}" integrity="{tag.integrity}" '
            f'crossorigin="anonymous" data-service="{escape(address)}" data-key="{escape(key)}" '
            f'data-consent="{consent or "ask"}"></script>'
        )
        return cls(script, STYLE, bare)


def proposed_prefix(address: str) -> str | None:
    """An address below this one that no list of blocked names has; None where it has a path of its own already."""
    if urlsplit(address).path.strip("/"):
        return None
    return f"{address.rstrip('/')}/{secrets.choice('abcdefghkmnprstuvwxyz')}{secrets.token_hex(PREFIX_BYTES)}"
