"""The keys of one worker while it runs: those that are listed come and go, their uses are kept, and so is the audit."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.http.access import configured_keys, listed_grants
from app.identity.users import Users
from app.keys.audit import Audit
from app.keys.named import FollowedKeys
from app.keys.uses import MINUTE_SECONDS, KeyUse, KeyUses
from app.runtime.settings import Settings, TokenKey, token_key
from app.runtime.telemetry import Telemetry
from events.ingest.network_digests import NetworkDigests
from kit.time import now_seconds

if TYPE_CHECKING:
    from app.identity.user_tokens import UserTokens

logger = logging.getLogger(__name__)

Verifying = Callable[[Sequence[TokenKey]], "UserTokens | None"]


class LiveKeys:
    """`known` are all keys now; `verifying` makes what verifies user tokens of their keys, for `users`."""

    def __init__(self, settings: Settings, users: Users, verifying: Verifying) -> None:
        self.known = configured_keys(settings, settings.data)
        self.listed = FollowedKeys(settings.data)
        self.uses = KeyUses(settings.data)
        self.audit = Audit(settings.data)
        self._settings = settings
        self._users = users
        self._verifying = verifying
        users.tokens = verifying(settings.token_keys)
        self.take_up()

    async def look(self) -> None:
        """Takes up what is listed by now."""
        self.take_up()

    def take_up(self) -> None:
        """Swaps in the listed keys that are in force now, if others are; those of user tokens with them."""
        tokens = self.listed.user_tokens
        if self._settings.keys is None or not self.listed.poll(now_seconds()):
            return
        self.known.follow(listed_grants(self.listed.in_force, self._settings.origins), self.listed.ended)
        if self.listed.user_tokens != tokens:
            listed = map(token_key, self.listed.user_tokens)
            self._users.tokens = self._verifying([*listed, *self._settings.token_keys])
        logger.info("keys swapped", extra={"keys": len(self.listed.in_force)})

    async def keep_uses(self, networks: NetworkDigests, *, ending: bool = False) -> None:
        """Once a minute and at the end it is kept which keys were used, for all workers."""
        now = now_seconds()
        noted = self.uses.due(now, ending=ending)
        if noted:
            minute = int(now) // MINUTE_SECONDS
            found = {name: KeyUse(minute, networks.of(network)) for name, network in noted.items()}
            with contextlib.suppress(OSError):  # a full disk: the next use is noted again
                await asyncio.to_thread(self.uses.keep, found)

    async def catch_up(self, telemetry: Telemetry) -> None:
        """Keeps the lines of acts that could not wait, once there is room for them."""
        if self.audit.waits and not await asyncio.to_thread(self.audit.catch_up):
            telemetry.went_wrong("audit_not_kept")
