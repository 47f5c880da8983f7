"""What a process that was started says of itself to the one that started it, over a pipe that only they two hold.

That something answers where it would answer proves nothing: a stranger may. So each start has a nonce, which the
process says together with what became of it.
"""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

Became = Literal["ready", "refused"]
LONGEST_SAID: Final = 4_096  # what a pipe takes at once, so that no word comes in pieces


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of a start, with what goes with it."""

    became: Became
    facts: Mapping[str, str]


class Hearing:
    """The end at which its starter hears; `argument` is for the process, with the `descriptor` that it is handed."""

    def __init__(self) -> None:
        self._nonce = secrets.token_hex(16)
        self._ours, self.descriptor = os.pipe()
        os.set_blocking(self._ours, False)
        self._said = b""

    @property
    def argument(self) -> str:
        """Which descriptor to speak on, and the nonce of this start."""
        return f"{self.descriptor}:{self._nonce}"

    def started(self) -> None:
        """The process has its end; this one closes its copy, so that silence can be heard."""
        os.close(self.descriptor)

    def hear(self) -> Announced | None:
        """What was said in whole by now. What is not of this start, or in no form of ours, was not said."""
        with suppress(BlockingIOError):
            self._said += os.read(self._ours, LONGEST_SAID)
        for line in self._said.split(b"\n")[:-1]:
            with suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                if secrets.compare_digest(told["nonce"], self._nonce):
                    return Announced(told["became"], told["facts"])
        return None

    def close(self) -> None:
        """Hear no more."""
        os.close(self._ours)


@dataclass(frozen=True, slots=True)
class Announcer:
    """The end at which a started process speaks, once; one that nobody started so says nothing."""

    descriptor: int = -1
    nonce: str = ""

    @classmethod
    def of(cls, argument: str | None) -> "Announcer":
        """By what a `Hearing` gave as its argument. Raises ValueError."""
        if argument is None:
            return cls()
        descriptor, _, nonce = argument.partition(":")
        os.set_inheritable(int(descriptor), False)  # what this process starts does not speak for it
        return cls(int(descriptor), nonce)

    def say(self, became: Became, **facts: str) -> None:
        """What became of the start; whoever started it may have gone."""
        if self.descriptor < 0:
            return
        said = json.dumps({"nonce": self.nonce, "became": became, "facts": facts}).encode() + b"\n"
        with suppress(OSError):
            os.write(self.descriptor, said)
            os.close(self.descriptor)
