"""What one HTTP worker holds while it lives: opened at start-up in order, closed in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from app.analysis.client import AnalysisClient
from app.http.access import Keys
from app.http.admission import AccessPolicy, Rate, RateLimiter
from app.runtime.data_directory import DataDirectory, store_connection
from app.runtime.settings import Settings
from app.runtime.telemetry import RecommendationCounts, Telemetry
from app.worker.recommendations import LiveRecommender, open_recommender
from events.ingest.history import History
from events.ingest.stream import Stream
from events.store.connection import Connection
from experiments.catalog.reader import CatalogReader

logger = logging.getLogger(__name__)


POLL_SECONDS: Final = 0.5


@dataclass(slots=True)
class Resources:
    """The typed state of one worker."""

    settings: Settings
    catalogs: CatalogReader
    connection: Connection
    stream: Stream
    history: History
    access: AccessPolicy
    analysis: AnalysisClient
    telemetry: Telemetry
    recommender: LiveRecommender


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
        catalogs, history = CatalogReader(settings.data), History(connection)
        counts = RecommendationCounts(directory.run / "metrics")
        recommender = await open_recommender(settings.data, catalogs, history, counts)
        stack.push_async_callback(recommender.close)
        resources = Resources(
            settings=settings,
            catalogs=catalogs,
            connection=connection,
            stream=stream,
            history=history,
            access=_access(settings, telemetry),
            analysis=AnalysisClient(directory.analysis_socket, settings.analysis_timeout_seconds),
            telemetry=telemetry,
            recommender=recommender,
        )
        follower = asyncio.create_task(follow(resources))
        stack.push_async_callback(_stop, follower)
        yield resources


async def follow(resources: Resources) -> None:
    """Twice a second looks for newer definitions and a newer model, and swaps them in as a whole."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            version = resources.catalogs.catalog.version
            resources.catalogs.poll()
            if resources.catalogs.catalog.version != version:
                logger.info("definitions swapped", extra={"version": resources.catalogs.catalog.version})
            if resources.recommender.poll():
                logger.info("a newer recommendation model or catalogue is being loaded")
        except (OSError, ValueError) as error:  # a snapshot that cannot be read now is read at the next look
            logger.warning("definitions or model could not be read: %s", error)


def _access(settings: Settings, telemetry: Telemetry) -> AccessPolicy:
    limiter = RateLimiter(
        publishable=Rate(settings.rate_limit_per_second, settings.rate_limit_burst),
        secret=Rate(settings.secret_rate_limit_per_second, settings.secret_rate_limit_burst),
    )
    keys = Keys.open(settings.publishable_keys, settings.secret_keys, settings.data / "keys.json", settings.origins)
    return AccessPolicy(keys, limiter, settings.trusted_proxies, telemetry)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
