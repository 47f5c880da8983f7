"""What freezing a design asks: the site's traffic by the log, and the designs that an external store already holds.

The log is read by a process of its own, because that needs the analysis engine, which neither the supervisor nor a
worker may load; and nobody waits for it, because a new experiment goes live before the log is read.
"""

import asyncio
import logging
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.processes.supervised import ENTRY
from app.runtime.data_directory import store_connection
from app.runtime.settings import Settings
from events.parts.manifest import holds_log
from events.store.availability import StoreRefused, StoreUnavailable
from events.store.connection import Connection
from events.store.keys import DESIGNS
from experiments.catalog.freeze import MirrorUnavailable
from experiments.catalog.phases import FrozenDesign
from kit.child import Asked, ChildFailed
from kit.time import monotonic_of

if TYPE_CHECKING:
    from experiments.definitions.model import Experiment


logger = logging.getLogger("resonate.supervisor")


LOOKBACK: Final = timedelta(days=28)
TIMEOUT_SECONDS: Final = 120.0
NICENESS: Final = 10
WRITTEN_SECONDS: Final = 3.0  # by then the writer has put into the log what was acknowledged before
TOGETHER_SECONDS: Final = 300.0  # experiments that begin within them share one reading that found traffic


class SiteTraffic:
    """Units a day of a data directory's log; None where nothing was logged or the log cannot be read.

    What the whole site sees is asked once for all experiments that begin at about the same time, and by one process.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._passed: dict[datetime, float] = {}  # when each moment was that was asked about, monotonic
        self._questions: dict[tuple[str, str], _Question] = {}

    def __call__(self, experiment: "Experiment", before: datetime) -> float | None:
        """By what was received before a moment. Raises TrafficAwaited while the log is being written and read."""
        from experiments.catalog.phases import TrafficAwaited

        passed_at = self._passed.setdefault(before, monotonic_of(before.timestamp()))
        if time.monotonic() - passed_at < WRITTEN_SECONDS:
            raise TrafficAwaited
        if not holds_log(self.data):
            return None
        kind = experiment.unit, experiment.plan.identity
        question = self._questions.get(kind)
        if question is None or (question.answered and not question.holds_for(before)):
            try:
                question = self._questions[kind] = _Question(self.data, experiment, before)
            except OSError:  # no room for its answer, or no process more: it is asked again
                raise TrafficAwaited from None
        everyone = question.answer()
        if not question.holds_for(before):  # it was another's, and is answered now: this one's turn is next
            raise TrafficAwaited
        return None if everyone is None else everyone * share_of_everyone(experiment)

    def close(self) -> None:
        """End what is being read."""
        for question in self._questions.values():
            question.end()


class _Question:
    """One reading of the log by a process of its own."""

    def __init__(self, data: Path, experiment: "Experiment", before: datetime) -> None:
        self._key = experiment.key
        self._before = before
        self._answer: float | None = None
        self._asked: Asked | None = Asked(
            ENTRY,
            ("traffic", str(data)),
            [experiment.model_dump(mode="json"), before.isoformat()],
            deadline_seconds=TIMEOUT_SECONDS,
            niceness=NICENESS,
        )

    @property
    def answered(self) -> bool:
        return self._asked is None

    def holds_for(self, before: datetime) -> bool:
        """Whether the answer is that of another moment too: soon after nothing there may be something."""
        apart = abs((before - self._before).total_seconds())
        return apart == 0.0 or (self._answer is not None and apart < TOGETHER_SECONDS)

    def answer(self) -> float | None:
        """What everyone on the site would be. Raises TrafficAwaited."""
        from experiments.catalog.phases import TrafficAwaited

        if self._asked is None:
            return self._answer
        if not self._asked.ended:
            raise TrafficAwaited
        try:
            self._answer = self._asked.answer()
        except (ChildFailed, OSError) as failure:
            logger.warning("the traffic of %s is not known, its planned units are assumed: %s", self._key, failure)
        self._asked = None
        return self._answer

    def end(self) -> None:
        """End the process, if it still reads."""
        if self._asked is not None:
            self._asked.close()
            self._asked = None


def share_of_everyone(experiment: "Experiment") -> float:
    """The share of the site's units that traffic and layer let in; whom the audience lets in, nobody knows before."""
    layer = experiment.layer
    return experiment.traffic[-1].share * (layer.end - layer.start if layer else 1.0)


def answer_traffic(data: Path, question: Any) -> float | None:
    """The units of the whole site on a day before a moment, as an experiment tells units apart; None: too few.

    `question` is what `SiteTraffic` asks its process: the experiment as JSON, and the moment.
    """
    from app.analysis.site_history import site_plan
    from events.engines.duckdb import EventLog
    from experiments.catalog.reader import CatalogReader, NoCatalog
    from experiments.definitions.model import Experiment, TrafficStep
    from experiments.readout.read import Readouts
    from experiments.readout.study import ReadoutQuery

    experiment, before = Experiment.model_validate(question[0]), datetime.fromisoformat(question[1])
    everyone = experiment.model_copy(update={"traffic": (TrafficStep(since=None, share=1.0),), "layer": None})
    try:
        plan = site_plan(Readouts(EventLog(data), CatalogReader(data)), everyone, query=ReadoutQuery(at=before))
    except NoCatalog:
        return None
    return plan and plan.units_per_day


class DesignMirror:
    """Called with a frozen design, it answers the one that holds: the first that any service froze.

    One whose traffic was still awaited is completed by the service that learns it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, design: FrozenDesign) -> FrozenDesign:
        """Raises MirrorUnavailable where the store cannot be asked now."""
        try:
            return asyncio.run(self._first(design))
        except (StoreUnavailable, StoreRefused) as error:
            raise MirrorUnavailable(str(error)) from None

    async def _first(self, design: FrozenDesign) -> FrozenDesign:
        connection = await store_connection(self.settings)
        try:
            return await first_design(connection, design)
        finally:
            await connection.close()


async def first_design(connection: Connection, design: FrozenDesign) -> FrozenDesign:
    """The design that a store holds for this key and phase, which is the one given where none was; StoreUnavailable."""
    field = f"{design.key}:{design.phase}"
    text = design.model_dump_json()
    if await connection.ask("HSETNX", DESIGNS, field, text):
        return design
    held = FrozenDesign.model_validate_json(await connection.ask("HGET", DESIGNS, field))
    if held.traffic_awaited and held.fingerprint == design.fingerprint and not design.traffic_awaited:
        await connection.ask("HSET", DESIGNS, field, text)
        return design
    return held
