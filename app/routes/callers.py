"""Who may call a cold route, as FastAPI dependencies; and the worker's resources for its handlers."""

from typing import Annotated

from fastapi import Depends, Request

from app.access import Grant, needs_secret
from app.cold import EXCHANGE
from app.hot.exchange import Exchange
from app.hot.gate import admit
from app.resources import Resources


def exchange_of(request: Request) -> Exchange:
    """The request as the front door saw it."""
    return request.scope["state"][EXCHANGE]


def resources_of(request: Request) -> Resources:
    """The worker's resources."""
    return request.app.state.resources


async def known_key(request: Request) -> Grant:
    """Any key. Raises Problem 401, 403 (origin) or 429."""
    return admit(exchange_of(request), resources_of(request))


async def secret_key(request: Request) -> Grant:
    """A secret key. Raises Problem 401, 403 or 429."""
    grant = await known_key(request)
    if not grant.secret:
        raise needs_secret()
    return grant


Known = Annotated[Grant, Depends(known_key)]
Secret = Annotated[Grant, Depends(secret_key)]
Worker = Annotated[Resources, Depends(resources_of)]
Asked = Annotated[Exchange, Depends(exchange_of)]
