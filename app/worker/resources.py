"""What one HTTP worker holds while it lives: opened at start-up in order, closed in reverse."""

import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial
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
from experiments.catalog.reader import CatalogFollower
from kit.tasks import Tasks

logger = logging.getLogger(__name__)


POLL_SECONDS: Final = 0.5


@dataclass(slots=True)
class Resources:
    """The typed state of one worker."""

    settings: Settings
    catalogs: CatalogFollower
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
        stream, history = Stream(connection), History(connection)
        stack.push_async_callback(stream.close)
        stack.push_async_callback(history.close)
        telemetry = Telemetry(directory.run / "metrics", routes)
        stack.callback(telemetry.close)
        catalogs = CatalogFollower(settings.data)
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
        tasks = await stack.enter_async_context(Tasks())
        for follow, name in ((follow_definitions, "following the definitions"), (follow_models, "following models")):
            tasks.repeat(partial(follow, resources), name, POLL_SECONDS, POLL_SECONDS)
        yield resources


async def follow_definitions(resources: Resources) -> None:
    """Looks for newer definitions, and swaps them in as a whole."""
    version = resources.catalogs.catalog.version
    resources.catalogs.poll()
    if resources.catalogs.catalog.version != version:
        logger.info("definitions swapped", extra={"version": resources.catalogs.catalog.version})


async def follow_models(resources: Resources) -> None:
    """Looks for a newer model or newer products, and begins to load them."""
    if resources.recommender.poll():
        logger.info("a newer recommendation model or catalogue is being loaded")


def _access(settings: Settings, telemetry: Telemetry) -> AccessPolicy:
    limiter = RateLimiter(
        publishable=Rate(settings.rate_limit_per_second, settings.rate_limit_burst).share(settings.workers),
        secret=Rate(settings.secret_rate_limit_per_second, settings.secret_rate_limit_burst).share(settings.workers),
    )
    keys = Keys.open(settings.publishable_keys, settings.secret_keys, settings.data / "keys.json", settings.origins)
    return AccessPolicy(keys, limiter, settings.trusted_proxies, telemetry)
