"""What a service tells those who started it: a person, its address and first keys; systemd (sd_notify), that it is
ready, how it is, that it ends, and that it is alive.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app.http.access import Keys
from app.keys.audit import Audit, AuditUnusable
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings
from kit.time import now_seconds

logger = logging.getLogger("resonate.supervisor")

MARKS: Final = 3  # signs of life in the time after which the service is taken for hung
MICROSECONDS: Final = 1e6
Causes: TypeAlias = Callable[[], Sequence[str]]  # of `/readyz`, as codes


@dataclass(slots=True)
class Notifier:
    """Says it to the socket of whoever started the service; to nobody where there is no `address`.

    `watchdog_seconds` is how long it may be silent once it was ready, None where nobody watches.
    """

    address: str | None = None
    watchdog_seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    _status: str | None = field(init=False, default=None)  # that was said, once it was ready
    _unsaid: dict[str, str] = field(init=False, default_factory=dict[str, str])
    _ends: bool = field(init=False, default=False)
    _alive_at: float = field(init=False, default=-1e9)

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """Taken out of the environment, so that no child speaks in the name of this process."""
        address, told = environment.pop("NOTIFY_SOCKET", ""), environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        watched = meant and told.isascii() and told.isdigit() and int(told) > 0
        return cls(address or None, int(told) / MICROSECONDS if watched else None)

    def ready(self, causes: Causes) -> None:
        """The first worker answers."""
        self._status = _status(causes)
        self._say("READY=1", self._status)

    def look(self, causes: Causes, *, healthy: bool) -> None:
        """Called again and again while the service runs: tells what changed, and that all of it lives if it does."""
        if self._status is None or self.address is None:  # nobody counts its signs of life before it is ready
            return
        status, now = _status(causes), self.clock()
        if status != self._status and not self._ends:
            self._status = status
            self._say(status)
        elif self._unsaid:
            self._say()
        if self.watchdog_seconds is not None and healthy and now - self._alive_at >= self.watchdog_seconds / MARKS:
            self._alive_at = now
            self._say("WATCHDOG=1")

    def stopping(self) -> bool:
        """The service ends. It is said once: True, then."""
        if self._ends:
            return False
        self._ends = True
        self._say("STOPPING=1", "STATUS=draining")
        return True

    def _say(self, *words: str) -> None:
        """At once where it is listened, at the next word where so many are unread that this one finds no room; whoever
        does not listen any more is no reason to end.
        """
        for word in words:
            name, _, value = word.partition("=")
            self._unsaid[name] = value
        told = "\n".join(map("=".join, self._unsaid.items()))
        try:
            if self.address is not None:
                place = "\0" + self.address[1:] if self.address.startswith("@") else self.address
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as spoken:
                    spoken.setblocking(False)
                    spoken.sendto(told.encode(), place)
        except BlockingIOError:
            self._unsaid.pop("WATCHDOG", None)
        except OSError:
            self._unsaid.clear()
        else:
            self._unsaid.clear()


def _status(causes: Causes) -> str:
    """In the words of `/readyz`."""
    told = ", ".join(causes())
    return f"STATUS=degraded: {told}" if told else "STATUS=ready"


def welcome(settings: Settings, address: str, store: str, keys: Keys, audit: Audit) -> None:
    """`store` is what the store is. Keys are shown once, on the start that made them; never logged."""
    if keys.generated is not None:
        print(f"publishable key {keys.generated.publishable}")
        print(f"secret key      {keys.generated.secret}")
    public = f", for pages {settings.public_url}" if settings.public_url else ""
    print(f"Resonate is ready on {address} (data {settings.data.absolute()}, store {store}{public})", flush=True)
    if settings.dashboard == "on":
        _invite(DataDirectory(settings.data.absolute()), settings.public_url or address, audit)


def _invite(directory: DataDirectory, address: str, audit: Audit) -> None:
    """Say where the first admin signs in, while there is nobody; never logged. Nothing of the service waits for it.

    Of a file of people that cannot be read or written only the pages know nothing.
    """
    from app.people.file import People, PeopleUnreadable
    from app.people.links import sign_in_address

    try:
        token = People(directory.people_file, audit).first_link(now_seconds())
    except (PeopleUnreadable, AuditUnusable, OSError) as error:
        logger.error("nobody can sign in to the pages: %s", error)
        return
    if token is not None:
        print(f"Sign in: {sign_in_address(address, token)}", flush=True)
