"""Frozen designs kept in the external store too: a new data directory must not analyse a running experiment anew."""

import asyncio
from typing import Any, cast

from app.settings import Settings
from app.store_address import store_connection
from events.connection import Connection
from events.keys import DESIGNS
from events.store_errors import StoreRefused, StoreUnavailable
from experiments.catalog_freeze import MirrorUnavailable
from experiments.catalog_phases import FrozenDesign


class DesignMirror:
    """Called with a frozen design, it answers the one that holds: the first that any service froze.

    One whose traffic was still awaited is completed by the service that learns it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, design: FrozenDesign) -> FrozenDesign:
        """Raises MirrorUnavailable where the store cannot be asked now."""
        try:
            return asyncio.run(self._held(design))
        except (StoreUnavailable, StoreRefused) as error:
            raise MirrorUnavailable(str(error)) from None

    async def _held(self, design: FrozenDesign) -> FrozenDesign:
        connection = await store_connection(self.settings)
        try:
            return await _first(connection, design)
        finally:
            await connection.close()


async def _first(connection: Connection, design: FrozenDesign) -> FrozenDesign:
    client = cast("Any", connection.client)
    field = f"{design.key}:{design.phase}"
    text = design.model_dump_json(exclude_defaults=True)
    if await connection.answer(client.hsetnx(DESIGNS, field, text)):
        return design
    held = FrozenDesign.model_validate_json(await connection.answer(client.hget(DESIGNS, field)))
    if held.traffic_awaited and held.fingerprint == design.fingerprint and not design.traffic_awaited:
        await connection.answer(client.hset(DESIGNS, field, text))
        return design
    return held
