"""The definitions of one worker while it runs: what the supervisor tells holds at once, for all that obeys them."""

import logging
from collections.abc import Generator
from contextlib import contextmanager, nullcontext

from app.control.line import Line
from app.http.streams import Streams
from app.identity.consent import ConsentRules
from app.identity.recognition import Recognition
from events.scrubbing import Scrubber
from experiments.catalog.reader import CatalogReader

logger = logging.getLogger("resonate.worker")


class LiveDefinitions:
    """`catalogs` is what is served; what obeys it follows whenever it changes, and open streams tell of it.

    What came by the `line` to the supervisor holds when it comes; without one the files are looked at.
    """

    def __init__(
        self, catalogs: CatalogReader, scrubber: Scrubber, consent: ConsentRules, recognition: Recognition,
        streams: Streams,
    ) -> None:  # fmt: skip
        self.catalogs = catalogs
        self._scrubber = scrubber
        self._consent = consent
        self._recognition = recognition
        self._streams = streams
        self._obey()

    @contextmanager
    def told(self, line: Line | None) -> "Generator[LiveDefinitions]":
        """These, taking up what the supervisor tells while the block runs."""
        with nullcontext() if line is None else line.follow(self._taken):
            yield self

    async def look(self) -> None:
        """Done twice a second: what was published holds, and open streams tell of it."""
        self.take_up()

    def take_up(self) -> None:
        """Swaps in newer definitions, if there are, and tells open streams what changed, by time alone too."""
        version = self.catalogs.catalog.version
        self.catalogs.poll()
        self._changed_from(version)

    def _taken(self, topic: str, content: bytes) -> None:
        version = self.catalogs.catalog.version
        self.catalogs.take(topic, content)
        self._changed_from(version)

    def _changed_from(self, version: str) -> None:
        if self.catalogs.catalog.version != version:
            self._obey()
            logger.info("definitions swapped", extra={"version": self.catalogs.catalog.version})
        self._streams.look()

    def _obey(self) -> None:
        """What shop.yaml says of names, of consent and of the cookie holds from now on."""
        shop = self.catalogs.catalog.shop
        self._recognition.follow(shop)
        self._consent.follow(shop.privacy)
        self._scrubber.follow(shop.privacy.deny, shop.privacy.keep)
