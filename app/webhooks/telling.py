"""The process that tells of changes: it looks at the experiments, and sends to each receiver beside the others.

Nothing waits for it. It asks the analysis as any reader does, and has no part in what visitors are answered.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import quote

import msgspec

from app.analysis.client import AnalysisClient, AnalysisError
from app.analysis.queries import ExperimentsQuery
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings
from app.runtime.webhook_addresses import Receiver
from app.webhooks.changes import changed_since
from app.webhooks.outbox import NotDelivered, Outbox
from app.webhooks.sending import Sender
from kit.files import read_or_none
from kit.tasks import Tasks
from kit.time import now_seconds

logger = logging.getLogger("resonate.webhooks")

GLANCE_SECONDS: Final = 5.0  # between looks at what is known: the definitions, and what others have read
READ_SECONDS: Final = 600.0  # between looks that read all results anew
LARGEST_SHARE: Final = 0.05  # of the time that reading takes
SEND_SECONDS: Final = 1.0
JUMP_SECONDS: Final = 1.0  # less is set right by and by, as NTP does
ASKER: Final = "webhooks"


class Teller:
    """Looks and sends, a round at a time; `clock` is in seconds since 1970, `pace` counts those that pass."""

    def __init__(
        self,
        settings: Settings,
        version: str,
        clock: Callable[[], float] = now_seconds,
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.directory = DataDirectory(settings.data)
        self.analysis = AnalysisClient(self.directory.analysis_socket, settings.analysis_timeout_seconds)
        self.receivers = settings.webhooks
        self.outbox = Outbox(settings.data, self.receivers)
        self.sender = Sender(settings.webhook_secret, settings.webhook_networks, version)
        self.clock = clock
        self.pace = pace
        self._ahead = clock() - pace()
        self._read_at = 0.0
        self._is_away = False

    async def look(self) -> None:
        """Put what has changed into the outbox; results are read anew every ten minutes, or less often.

        Where they are not known, nothing has changed. Raises OSError where nothing can be kept: then it was not seen.
        """
        began = self.pace()
        reads = self.outbox.seen is None or began >= self._read_at
        try:
            answer = await self.analysis.ask(ExperimentsQuery("now" if reads else "known"), ASKER)
        except AnalysisError as error:
            if not self._is_away:
                logger.warning("changes are not seen meanwhile: %s", error.detail)
            self._is_away = True
            return
        answered, self._is_away = self.pace(), False
        if reads:
            self._read_at = answered + max(READ_SECONDS, (answered - began) / LARGEST_SHARE)
        moment = datetime.fromtimestamp(int(self.now()), UTC)
        listed = msgspec.json.decode(answer.body)["experiments"]
        self.outbox.put(*changed_since(self.outbox.seen, listed, moment, self.address_of))

    async def tell(self, receiver: Receiver) -> None:
        """Send a receiver what is due, the oldest first, until it does not take one. Raises OSError."""
        for waiting in self.outbox.due(receiver, self.now()):
            try:
                await self.sender.send(receiver, waiting.message)
            except NotDelivered as failure:
                logger.warning("a change is not taken by %s: %s", receiver.name, failure)
                self.outbox.failed(receiver, waiting, self.now(), failure)
                return
            self.outbox.delivered(receiver, waiting, self.now())

    def now(self) -> float:
        """The wall clock. Where it has jumped, what waits goes with it, and waits as long as it would have."""
        counted, now = self.pace(), self.clock()
        jumped = now - counted - self._ahead
        if abs(jumped) >= JUMP_SECONDS:
            self._ahead += jumped
            self.outbox.move(jumped)
        return now

    def address_of(self, experiment: str) -> str:
        """Where people read of an experiment: its page, or its results where there are no pages."""
        public = self.settings.public_url
        if public is None:
            public = json.loads(read_or_none(self.directory.address_file) or b'{"url": ""}')["url"]
        key = quote(experiment, safe="")
        if self.settings.dashboard == "on":
            return f"{public}/dashboard/experiments/{key}"
        return f"{public}/v1/experiments/{key}/results"


async def run_webhooks(teller: Teller, stop: asyncio.Event) -> None:
    """Look and send until `stop` is set; what is under way then is given up, and sent after the next start."""
    async with Tasks() as tasks:
        tasks.repeat(teller.look, "looking for changes", GLANCE_SECONDS)
        for receiver in teller.receivers:
            tasks.repeat(partial(teller.tell, receiver), f"telling {receiver.name}", SEND_SECONDS)
        await stop.wait()
    await teller.sender.close()
