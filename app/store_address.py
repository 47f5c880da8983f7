"""Where the store of these settings is, for every process that connects to it."""

from app.settings import Settings
from events.connection import Connection, connect
from events.server import EmbeddedStore


async def store_connection(settings: Settings) -> Connection:
    """A connection to the external store, else to the embedded one of the data directory."""
    if settings.redis_url is not None:
        return await connect(settings.redis_url, shards=settings.shards)
    socket_path = EmbeddedStore(settings.data).socket
    return await connect(None, socket_path, shards=settings.shards, data=settings.data)
