"""Events as pages send them where they cannot send JSON: in a form, or in base64."""

import base64
import binascii
import re
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

DATA: Final = "data"
MOST_FIELDS: Final = 20  # of a form
LONGEST_HEAD: Final = 1_000  # bytes of what stands before a field, in which its name must be
BOUNDARY: Final = re.compile(rb'boundary=(?:"(?P<quoted>[^"\r\n]{1,200})"|(?P<plain>[^\s;",]{1,200}))', re.IGNORECASE)
NAME: Final = re.compile(rb'[;\s]name="([^"\r\n]*)"', re.IGNORECASE)


class Wrapped(NamedTuple):
    """What a body holds, and the key that stands beside it."""

    body: bytes
    key: str | None = None


def unwrapped(body: bytes, content_type: bytes) -> Wrapped:
    """The JSON of a body that is none itself: of `data` in a form of either encoding, or of base64; else the body.

    `sendBeacon` sends what it is given as a form where that is `URLSearchParams` or `FormData`.
    """
    start = body.lstrip()[:1]
    if start in (b"", b"{", b"["):
        return Wrapped(body)
    if content_type.lower().startswith(b"multipart/form-data"):
        fields = _multipart(body, content_type)
    elif b"=" in body.rstrip(b"=\r\n \t"):
        try:
            fields = dict(parse_qsl(body.decode(), max_num_fields=MOST_FIELDS))
        except ValueError:
            return Wrapped(body)
    else:
        return Wrapped(json_of(body.decode("latin-1")) or body)
    data = fields.get(DATA)
    return Wrapped(body) if data is None else Wrapped(json_of(data) or body, fields.get("writeKey"))


def json_of(text: str) -> bytes:
    """The JSON that a text is, or is the base64 of, in either alphabet; empty where it is neither."""
    text = text.strip()
    if text[:1] in ("{", "["):
        return text.encode()
    plain = text.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")  # a blank was a plus in an address
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if found.lstrip()[:1] in (b"{", b"[") else b""


def _multipart(body: bytes, content_type: bytes) -> dict[str, str]:
    """The fields as browsers write them, and no more of e-mail than that: whoever has no key yet may send a form."""
    found = BOUNDARY.search(content_type)
    if found is None:
        return {}
    mark = b"\r\n--" + (found["quoted"] or found["plain"])
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(mark, MOST_FIELDS + 1)[1 : MOST_FIELDS + 1]:
        head, _, held = part.partition(b"\r\n\r\n")
        name = NAME.search(head[:LONGEST_HEAD])
        if name is not None:
            fields[name[1].decode("utf-8", "replace")] = held.decode("utf-8", "replace")
    return fields
