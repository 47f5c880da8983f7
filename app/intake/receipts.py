"""What a page left by a beacon as it went: that it is stored is told the browser by a cookie, for the next page."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.http.exchange import Exchange, HttpAnswer, Reply
from app.worker.resources import Resources
from kit.time import DAY_SECONDS

COOKIE: Final = "resonate_left"
LEFT: Final = re.compile(rb"(?:^|&)left=([0-9a-z]{1,64})(?:&|$)")
LEFT_PARAMETER: Final[Mapping[str, Any]] = {
    "name": "left", "in": "query", "schema": {"type": "string"},
    "description": "A name, of letters and digits, for what a page sends as it goes: once that is stored the cookie "
    "`resonate_left` has it, for the next page.",
}  # fmt: skip
SECONDS: Final = 7 * DAY_SECONDS  # as long as the browser keeps the events themselves


def with_receipt(exchange: Exchange, resources: Resources, reply: Reply) -> Reply:
    """The same answer, with the name that the address gives the beacon in a cookie. A refusal is raised: it has none."""
    named = LEFT.search(exchange.scope["query_string"])
    return reply if named is None else _received(exchange, resources, reply, named[1].decode())


async def _received(exchange: Exchange, resources: Resources, reply: Reply, name: str) -> HttpAnswer:
    answer = reply if isinstance(reply, HttpAnswer) else await reply
    place = resources.cookie_place(exchange)
    if place is None:
        return answer
    rules = replace(resources.recognition.rules, name=COOKIE, http_only=False)
    return answer._replace(headers=[*answer.headers, *rules.set(name, SECONDS, place)])
