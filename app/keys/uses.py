"""When each key was used last, and from which network: a note in memory a request, a shared file a minute."""

from pathlib import Path
from typing import Final

import msgspec

from kit.files import locked, read_or_none, replace_file
from kit.time import SECOND_US, iso, moment_of

USES: Final = "key-uses.json"
MINUTE_SECONDS: Final = 60


class KeyUse(msgspec.Struct, frozen=True):
    """The last use of a key: a minute (since 1970), and the number that its network had on that shop day."""

    minute: int
    network: int | None = None

    @property
    def told(self) -> dict[str, str | None]:
        """As it is listed."""
        minute = iso(moment_of(self.minute * MINUTE_SECONDS * SECOND_US))
        return {"minute": minute, "network": None if self.network is None else f"{self.network:08x}"}


class KeyUses:
    """What a worker notes: `latest` has the network of each key's latest request, by its name, since the last look."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._minute = 0
        self.latest: dict[str, str] = {}

    def due(self, now: float, *, ending: bool = False) -> dict[str, str]:
        """What is to be kept, once a minute (`now` in epoch seconds) and at the end; it is noted no more."""
        minute = int(now) // MINUTE_SECONDS
        if (minute == self._minute and not ending) or not self.latest:
            return {}
        noted, self._minute = dict(self.latest), minute
        self.latest.clear()
        return noted

    def keep(self, uses: dict[str, KeyUse]) -> None:
        """Put uses among those of all workers; what a crash of the machine takes is no loss. Raises OSError."""
        with locked(self._data / USES):
            known = read_uses(self._data)
            for name, use in uses.items():
                if name not in known or known[name].minute <= use.minute:
                    known[name] = use
            replace_file(self._data / USES, msgspec.json.encode(known), durable=False)


def read_uses(data: Path) -> dict[str, KeyUse]:
    """The last use of each key by its name; those that nobody can read any more are none."""
    try:
        return msgspec.json.decode(read_or_none(data / USES) or b"{}", type=dict[str, KeyUse])
    except msgspec.MsgspecError:
        return {}
