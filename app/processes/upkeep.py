"""What a supervisor sees to beside its processes: files that wait for the disk, audit lines, leftovers, trainings."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.keys.audit import Audit
from app.runtime.ailments import AilmentCode
from kit.files import FileMark, FilesToKeep, leftovers, mark_of, remove_leftovers, why_unwritten
from kit.time import monotonic_of

logger = logging.getLogger("resonate.supervisor")

SWEEP_SECONDS: Final = 60.0
OLDEST_UPLOAD_SECONDS: Final = 300.0  # well beyond the deadlines of an upload and of its reading
KEEP_SECONDS: Final = 1.0
FIRST_TRAINING_SECONDS: Final = 20.0  # after the start, so that a start is quick
TRAINING_LOOK_SECONDS: Final = 60.0  # between looks at when the last training was


class Upkeep:
    """Asked to `look` a few times a second. No disk ends the service: what it does not take is named, and tried again.

    `note` tells `/readyz`, `pace` counts the seconds between two looks.
    """

    def __init__(
        self,
        uploads: Path,
        audit: Audit,
        note: Callable[[AilmentCode, str | None], None],
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._uploads = uploads
        self._found: dict[Path, float] = {}  # what lies among the uploads, and since when, by `pace`
        self._audit = audit
        self._note = note
        self._files = FilesToKeep()
        self._unwritten: set[str] = set()
        self._sweep_at = self._keep_at = 0.0

    def put(self, path: Path, content: bytes) -> None:
        """Give a file this content, now or as soon as its disk takes it."""
        self._files.put(path, content)
        self._keep()

    def forget(self, path: Path) -> None:
        """The file is to be gone, at the end of the service."""
        with self.meeting(path.name):
            path.unlink(missing_ok=True)

    @contextmanager
    def meeting(self, name: str) -> Generator[None]:
        """What a disk refuses in the block is named as `name` until the block is passed; nothing else is caught."""
        try:
            yield
        except OSError as error:
            why = why_unwritten(error)
            if why is None:
                raise
            self.told(name, why)
        else:
            self.told(name, None)

    def told(self, name: str, why: str | None) -> None:
        """Something could not be written, and why; or (None) it is."""
        if why is not None and name not in self._unwritten:
            logger.error("%s cannot be written: %s", name, why)
        changed = {name} if why is not None else set[str]()
        if changed != self._unwritten & {name}:
            self._unwritten = (self._unwritten - {name}) | changed
            self._note("files_not_kept", ", ".join(sorted(self._unwritten)) or None)

    def look(self) -> None:
        """See to all of it."""
        now = self._pace()
        if now >= self._sweep_at:  # what killed workers left of uploads
            self._sweep_at = now + SWEEP_SECONDS
            with self.meeting("uploads"):
                self._found = {path: self._found.get(path, now) for path in leftovers(self._uploads)}
                young = {path for path, since in self._found.items() if now - since < OLDEST_UPLOAD_SECONDS}
                remove_leftovers(self._uploads, young)
        if now >= self._keep_at:
            self._keep_at = now + KEEP_SECONDS
            self._keep()
            self._audit.catch_up()
        self._note("audit_not_kept", "" if self._audit.waits else None)

    def _keep(self) -> None:
        with self.meeting("run"):
            self._files.keep()


class TrainingSchedule:
    """Says when a training is due; `hours` 0 is never. `last-training.json` is written by each of them."""

    def __init__(self, data: Path, hours: float) -> None:
        self.models = data / "models"
        self.seconds = hours * 3600
        self._look_at = time.monotonic() + FIRST_TRAINING_SECONDS
        self._last: FileMark | None = None  # of the report of the last training that is known
        self._ended_at = 0.0  # monotonic time of its end

    def due(self) -> bool:
        """Asked often, it looks at the disk once a minute."""
        if not self.seconds or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + TRAINING_LOOK_SECONDS
        live = mark_of(self.models / "current")  # without a model it is due, whatever came of the last training
        trained = live and mark_of(self.models / "last-training.json")
        if trained is None:
            return True
        if trained != self._last:
            self._last, self._ended_at = trained, monotonic_of(trained[0] / 1e9)
        return time.monotonic() - self._ended_at >= self.seconds
