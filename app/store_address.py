"""Where the store of these settings is, for every process that connects to it."""

from app.settings import Settings
from events.connection import Connection, connect
from events.server import EmbeddedStore


async def store_connection(settings: Settings) -> Connection:
    """A connection to the external store, else to the embedded one of the data directory."""
    socket_path = None if settings.redis_url else EmbeddedStore(settings.data).socket
    return await connect(settings.redis_url, socket_path, shards=settings.shards, data=settings.data)
