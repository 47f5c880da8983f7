"""Events in the address of a picture, as e-mails and pages without scripts send them."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.http.admission import admit
from app.http.exchange import NEVER_STORED, Awaited, Exchange, HttpAnswer, Reply
from app.http.parameters import query_pairs
from app.intake.forms import DATA, json_of
from app.intake.tracking import arrival, store
from app.worker.resources import Resources
from events.dialects.segment import read_single
from events.dialects.validation import Reading, Refusal
from events.records import IDENTIFY, PAGE, TRACK

GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
GIF_TYPE: Final = b"image/gif"
EXAMPLE: Final = b'{"anonymousId": "v-1", "event": "Mail Opened", "messageId": "mail-7-v-1"}'
PIXELS: Final = (TRACK, PAGE, IDENTIFY)
OBJECT: Final = msgspec.json.Decoder(dict[str, Any])


class Pixel:
    """`GET /v1/pixel/{kind}?data=base64(JSON)&writeKey=`: a picture of one dot, whatever became of the event."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, exchange: Exchange, resources: Resources, body: bytes) -> Reply:
        grant = admit(exchange, resources.access)
        if exchange.scope["method"] == "HEAD":
            return _picture()
        named = resources.users.named_by_events(exchange.user_token)
        text = json_of(dict(query_pairs(exchange)).get(DATA, ""))
        try:
            item = OBJECT.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            wrong = "data: it must be the base64 of one event as JSON"
            reading = Reading([], [Refusal(0, None, DATA, "unreadable_event", wrong, self._kind)])
        else:
            reading = read_single(item, len(text), self._kind, arrival(exchange, resources, grant, named))
        return _pictured(store(exchange, reading, resources, grant, named))


def _picture() -> HttpAnswer:
    return HttpAnswer(200, GIF, GIF_TYPE, [NEVER_STORED])


def _pictured(reply: Reply) -> Reply:
    """The picture in place of a success, at the moment of that; what went wrong is told as everywhere."""
    if isinstance(reply, HttpAnswer):
        return _picture()
    if isinstance(reply, Awaited):
        make = reply.make
        return Awaited(reply.future, lambda: _instead(make()))

    async def later() -> HttpAnswer:
        return _instead(await reply)

    return later()


def _instead(_stored: HttpAnswer) -> HttpAnswer:
    return _picture()


def pixel_paths(security: Any, failures: Mapping[str, Any]) -> dict[str, Any]:
    """What the OpenAPI says of the pictures; `failures` are the other answers."""
    said = {"data": ("Base64 of the event as JSON, or the JSON itself.", b64encode(EXAMPLE).decode()),
            "writeKey": ("A publishable key.", "pk_demo")}  # fmt: skip
    parameters = [
        {"name": name, "in": "query", "required": True, "schema": {"type": "string"}, "description": words,
         "example": example}
        for name, (words, example) in said.items()
    ]  # fmt: skip
    picture = {"description": "A picture of one dot, also where the event was refused.",
               "content": {GIF_TYPE.decode(): {"schema": {"type": "string"}}}}  # fmt: skip
    return {
        f"/v1/pixel/{kind}": {
            "get": {
                "tags": ["Tracking"],
                "summary": f"One {kind} event in the address of a picture",
                "security": security,
                "parameters": parameters,
                "responses": {"200": picture, **failures},
            }
        }
        for kind in PIXELS
    }
