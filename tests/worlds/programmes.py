"""A shop that concludes experiments: real definitions kept by the real keeper, a log, and readouts of both."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from worlds import catalog_folders
from worlds.event_log import received, write_log
from worlds.readout_studies import DAY, HOUR, START, CheckedReadouts, Shop

from events.engines.duckdb import EventLog
from experiments.catalog.reader import CatalogReader
from experiments.readout.read import Readouts

EXPERIMENT = "key: {key}\nstatus: running\nvariants: [control, b]\ngoal: {goal}\nplan: {{days: 14}}\n"


def moment(days: float) -> datetime:
    """So many days after the start."""
    return datetime.fromtimestamp((START + days * DAY) / 1e6, UTC)


@dataclass
class Programme:
    """Experiments of two variants; each visitor is exposed within ten days and may buy within the window."""

    root: Path
    events: Shop = field(default_factory=Shop)
    written: bool = False

    def __post_init__(self) -> None:
        self.shop = catalog_folders.Shop(self.root, now=moment(0))

    def begin(self, *keys: str, goal: str = "purchase_rate", holdout: str = "", more: str = "") -> None:
        """Experiments that run from now on; `more` is what else their files say."""
        more += f"holdouts: [{holdout}]\n" if holdout else ""
        self.shop.boot(**{key: EXPERIMENT.format(key=key, goal=goal) + more for key in keys})

    def crowd(self, key: str, rates: tuple[float, float], units: tuple[int, int] = (400, 400), phase: int = 0) -> None:
        """Exposures and purchases, exactly at these rates."""
        chance = random.Random(f"{key}{phase}")
        for arm, (rate, count) in enumerate(zip(rates, units, strict=True)):
            for number in range(count):
                name = f"{key}-{phase}-{arm}-{number}"
                time = START + chance.randrange(10 * DAY) + 30 * DAY * phase
                self.events.expose(name, "b" if arm else "control", time, experiment=key, phase=phase)
                if number < round(rate * count):
                    self.events.buy(name, time + chance.randrange(1, DAY))

    def survey(self, key: str, scores: tuple[Sequence[float], Sequence[float]], units: int = 400) -> None:
        """Exposures, and answers that go through these scores in turn."""
        chance = random.Random(key)
        for arm, given in enumerate(scores):
            for number in range(units):
                name, time = f"{key}-{arm}-{number}", START + chance.randrange(10 * DAY)
                self.events.expose(name, "b" if arm else "control", time, experiment=key)
                asked = {"value": given[number % len(given)], "properties": {"survey": "nps"}}
                self.events.add("track", name, time + HOUR, event="Survey Answered", **asked)

    def conclude(self, key: str, day: float, decision: str, status: str = "stopped") -> None:
        """Stop it on a day, with what was decided."""
        self.shop.now = moment(day)
        text = (self.shop.definitions / f"{key}.yaml").read_text()
        text = text.replace("status: running", f"status: {status}") + f"decision: {decision}\n"
        assert self.shop.edit(text, f"{key}.yaml") == []

    def readouts(self, days: float) -> tuple[Readouts, CatalogReader]:
        """Readouts as of a day, and the catalogue's history."""
        if not self.written:
            write_log(self.shop.data, received(self.events.records), cut=500)
            self.written = True
        archive = self.shop.archive()
        return CheckedReadouts(EventLog(self.shop.data), archive, now=lambda: moment(days)), archive
