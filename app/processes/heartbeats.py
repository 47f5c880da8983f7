"""Who of a service still works: each child beats from the loop that does its work; one that does not is replaced.

A training has no loop: it beats while it computes, and has minutes instead of seconds.
"""

import logging
import signal
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.runtime.ailments import AilmentCode
from app.runtime.board import BEAT_SECONDS, Desk, RoleName

logger = logging.getLogger("resonate.supervisor")

STALLED_SECONDS: Final = 3.0
IMPORT_SECONDS: Final = 60.0  # of a child that is not ready yet
LOOK_SECONDS: Final = 1.0  # counted between two looks, at most: who slept longer was not watching, and beat as little
LOOP_SECONDS: Final = 60.0
LOOP_ENDINGS: Final = 5  # within these seconds
CALM_SECONDS: Final = 8.0  # without another one it is over, in less than 10 s; starts come up to 5 s apart
STALLED: Final[Mapping[RoleName, AilmentCode]] = {
    "worker": "worker_stalled",
    "writer": "writer_stalled",
    "analysis": "analysis_stalled",
    "webhooks": "webhooks_stalled",
    "trainer": "trainer_stalled",
    "store": "store_timeout",
}

PATIENT: Final[Mapping[RoleName, tuple[float, float]]] = {"trainer": (60.0, 600.0)}  # with whom: until named, and ended
COMPUTED_SECONDS: Final = 0.02  # between two looks: who hangs needs less
LONGEST_TRAINING_SECONDS: Final = 6 * 3600.0  # a training that goes round in circles computes too


class Watched(Protocol):
    """A process that says on its desk that it works."""

    @property
    def desk(self) -> Desk: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def ready(self) -> bool: ...
    def send(self, signal_number: signal.Signals) -> None: ...


@dataclass(slots=True)
class _Silence:
    """Of one process: its last sign of life, and for how long there was none since."""

    pid: int
    sign: tuple[bool, float]  # of life: whether it is ready, and its last beat
    seconds: float = 0.0
    ended: bool = False


class Watch:
    """Looks at the desks a few times a second, names who is silent or dies again and again, and ends who hangs.

    Silence is added up from look to look, and no look counts for more than a second. So after a machine slept, or this
    process stood still, nobody is older than before: the clocks of two processes are never compared.
    """

    def __init__(
        self,
        children: Sequence[Watched],
        desk: Desk,
        hung_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`desk` is that of the supervisor, who names the causes; `hung_seconds` 0 ends nobody."""
        self._children = children
        self._desk = desk
        self._hung_seconds = hung_seconds
        self._clock = clock
        self._looked_at = clock()
        self._silences: dict[int, _Silence] = {}
        self._restarts = defaultdict[RoleName, deque[float]](deque)
        self._seen = Counter[RoleName]()
        self._ended_at: dict[RoleName, float] = {}  # when a process was last seen to be gone: it is replaced later

    def look(self) -> None:
        """To be called by the loop of the supervisor, at each of its turns."""
        now = self._clock()
        passed, self._looked_at = min(now - self._looked_at, LOOK_SECONDS), now
        stalled = defaultdict[RoleName, list[str]](list)
        for number, child in enumerate(self._children):
            if number in self._silences and self._silences[number].pid != child.pid:
                self._ended_at[child.desk.role] = now
            silence = self._silence(number, child, passed)
            child.desk.was_silent(silence.seconds if silence else 0.0)
            if silence is None:
                continue
            patience, _ = PATIENT.get(child.desk.role, (STALLED_SECONDS, 0.0))
            if child.ready and silence.seconds >= patience:
                stalled[child.desk.role].append(str(silence.pid))
            if self._hangs(child, silence):
                silence.ended = True
                message = "%s gave no sign of life for %.0f s and is killed"
                logger.error(message, child.desk.role, silence.seconds, extra={"child": silence.pid})
                child.send(signal.SIGKILL)
        for role, code in STALLED.items():
            self._name(code, stalled.get(role), f"{role} gives no sign of life")
        self._name("crash_loop", self._looping(now), "what dies is started again and again")

    @property
    def healthy(self) -> bool:
        """Whether nobody is silent for longer than it may be."""
        return not any(silence.ended for silence in self._silences.values())

    def _silence(self, number: int, child: Watched, passed: float) -> _Silence | None:
        pid, sign = child.pid, (child.ready, child.desk.beat_at)
        known = self._silences.get(number)
        if pid is None:
            self._silences.pop(number, None)
            return None
        if known is None or known.pid != pid:
            known = self._silences[number] = _Silence(pid, sign)
        elif known.sign != sign:
            known.sign, known.seconds = sign, 0.0
        else:
            known.seconds += passed
        return known

    def _hangs(self, child: Watched, silence: _Silence) -> bool:
        _, patience = PATIENT.get(child.desk.role, (0.0, 0.0))
        longest = max(patience if child.ready else IMPORT_SECONDS, self._hung_seconds)
        return bool(self._hung_seconds) and silence.seconds >= longest and not silence.ended

    def _looping(self, now: float) -> list[str]:
        """The roles whose processes were replaced five times within a minute, the last of which ended a moment ago."""
        restarts = Counter[RoleName]()
        for child in self._children:
            restarts[child.desk.role] += child.desk.restarts
        looping: list[str] = []
        for role, count in restarts.items():
            times = self._restarts[role]
            times.extend([now] * (count - self._seen[role]))
            while times and times[0] < now - LOOP_SECONDS:
                times.popleft()
            if len(times) >= LOOP_ENDINGS and now - self._ended_at.get(role, times[-1]) < CALM_SECONDS:
                looping.append(role)
        self._seen = restarts
        return looping

    def _name(self, code: AilmentCode, named: Sequence[str] | None, sentence: str) -> None:
        text = ", ".join(named) if named else None
        if text is not None and code not in {each.code for each in self._desk.causes()}:
            logger.error("%s: %s (%s)", code, sentence, text)
        self._desk.note(code, text)


class Computing:
    """Whether this process computes: the sign of life of work that is one long call and turns no loop."""

    def __init__(
        self,
        beat: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        cpu_seconds: Callable[[], float] = time.process_time,
    ) -> None:
        """`beat` is called where it does; not any more once it has for `LONGEST_TRAINING_SECONDS`."""
        self._beat = beat
        self._clock = clock
        self._cpu_seconds = cpu_seconds
        self._until = clock() + LONGEST_TRAINING_SECONDS
        self._computed = cpu_seconds()

    def look(self) -> None:
        """To be called once a second."""
        before, self._computed = self._computed, self._cpu_seconds()
        if self._computed - before >= COMPUTED_SECONDS and self._clock() < self._until:
            self._beat()

    def watch(self) -> None:
        """Looks from now on, in a thread that ends with the process."""

        def go_on() -> None:
            while True:
                time.sleep(BEAT_SECONDS)
                self.look()

        threading.Thread(target=go_on, name="computing", daemon=True).start()
