"""What one HTTP worker holds while it lives: opened at start-up in order, closed in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.access import Keys
from app.analysis_client import AnalysisClient
from app.data_directory import DataDirectory
from app.rate_limit import Rate, RateLimiter
from app.settings import Settings
from app.store_address import store_connection
from app.telemetry import Telemetry
from events.connection import Connection
from events.history import History
from events.stream import Stream
from experiments.catalog_follower import CatalogFollower

POLL_SECONDS: Final = 0.5

logger = logging.getLogger(__name__)


class Recommender(Protocol):
    """What the routes need of a live recommendation model; the model itself lives in `recommender/`."""

    async def recommend(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer one request body of `POST /v1/recommendations` with the answer body that the same route documents."""
        ...

    def poll(self) -> bool:
        """Look for a newer published model; True when it was swapped in."""
        ...


@dataclass(slots=True)
class Resources:
    """The typed state of one worker. `recommender` is None until a model exists."""

    settings: Settings
    catalogs: CatalogFollower
    connection: Connection
    stream: Stream
    history: History
    keys: Keys
    limiter: RateLimiter
    analysis: AnalysisClient
    telemetry: Telemetry
    recommender: Recommender | None = None


@contextlib.asynccontextmanager
async def open_resources(settings: Settings, routes: Sequence[str]) -> AsyncGenerator[Resources]:
    """Opens everything a worker needs; `routes` are the names its telemetry counts by."""
    directory = DataDirectory(settings.data)
    directory.make()
    async with contextlib.AsyncExitStack() as stack:
        connection = await store_connection(settings)
        stack.push_async_callback(connection.close)
        stream = Stream(connection)
        stack.push_async_callback(stream.close)
        telemetry = Telemetry(directory.run / "metrics", routes)
        stack.callback(telemetry.close)
        resources = Resources(
            settings=settings,
            catalogs=CatalogFollower(settings.data),
            connection=connection,
            stream=stream,
            history=History(connection),
            keys=Keys.open(
                settings.publishable_keys, settings.secret_keys, settings.data / "keys.json", settings.origins
            ),
            limiter=_limiter(settings),
            analysis=AnalysisClient(directory.analysis_socket, settings.analysis_timeout_seconds),
            telemetry=telemetry,
        )
        follower = asyncio.create_task(follow(resources))
        stack.push_async_callback(_stop, follower)
        yield resources


async def follow(resources: Resources) -> None:
    """Twice a second looks for newer definitions and a newer model, and swaps them in as a whole."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            if resources.catalogs.poll():
                logger.info("definitions swapped", extra={"version": resources.catalogs.catalog.version})
            if resources.recommender is not None and resources.recommender.poll():
                logger.info("recommendation model swapped")
        except (OSError, ValueError) as error:  # a snapshot that cannot be read now is read at the next look
            logger.warning("definitions or model could not be read: %s", error)


def _limiter(settings: Settings) -> RateLimiter:
    return RateLimiter(
        publishable=Rate(settings.rate_limit_per_second, settings.rate_limit_burst),
        secret=Rate(settings.secret_rate_limit_per_second, settings.secret_rate_limit_burst),
    )


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
