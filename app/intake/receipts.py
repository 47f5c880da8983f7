"""What a page left by a beacon as it went: that it is stored is told the browser by a cookie, for the next page."""

import re
from dataclasses import replace
from typing import Final

from app.http.exchange import Exchange, HttpAnswer, Reply
from app.worker.resources import Resources
from kit.time import DAY_SECONDS

COOKIE: Final = "resonate_left"
LEFT: Final = re.compile(rb"(?:^|&)left=([0-9a-z]{1,64})(?:&|$)")
SECONDS: Final = 7 * DAY_SECONDS  # as long as the browser keeps the events themselves


def with_receipt(exchange: Exchange, resources: Resources, reply: Reply) -> Reply:
    """The same answer, with the beacon's name that the address gives in a cookie. A refusal is raised, and has none."""
    named = LEFT.search(exchange.scope["query_string"])
    return reply if named is None else _received(exchange, resources, reply, named[1].decode())


async def _received(exchange: Exchange, resources: Resources, reply: Reply, name: str) -> HttpAnswer:
    answer = reply if isinstance(reply, HttpAnswer) else await reply
    place = resources.cookie_place(exchange)
    if place is None:
        return answer
    rules = replace(resources.recognition.rules, name=COOKIE, http_only=False)
    return answer._replace(headers=[*answer.headers, *rules.set(name, SECONDS, place)])
