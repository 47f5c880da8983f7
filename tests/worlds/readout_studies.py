"""Small studies over real parts: definitions from files, a log from records, a clock that stands still."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oracles.public_reader import disagreements
from worlds.catalog_folders import catalog_in
from worlds.event_log import received, write_log

from events.engines.duckdb import EventLog
from events.records import Record
from experiments.answers.encoding import readout_json
from experiments.answers.readout import Readout
from experiments.catalog.catalog import Catalog
from experiments.catalog.phases import FrozenDesign
from experiments.readout.read import Readouts
from experiments.readout.study import ReadoutQuery

DAY = 86_400_000_000
HOUR = DAY // 24
START = 1_767_571_200_000_000  # 2026-01-05
SMALLEST = "key: banner\nstatus: running\nvariants: [control, b]\n"
GOAL = {"banner.yaml": SMALLEST + "goal: purchase_rate\n"}
RICH = {
    "banner.yaml": SMALLEST
    + "goals: [purchase_rate, revenue_per_visitor]\n"
    + "secondary: [average_order_value, engaged_time, time_on_site_p75, nps, return_d7, checkout_funnel]\n"
    + "guardrails: {refund_rate: 10%}\nplan: {dimensions: [device]}\n"
}


@dataclass(frozen=True)
class Definitions:
    """An archive of one catalogue that was never frozen, unless `frozen` says so."""

    catalog: Catalog
    frozen: FrozenDesign | None = None

    def latest(self) -> Catalog:
        return self.catalog

    def at(self, time: datetime) -> Catalog:
        return self.catalog

    def design(self, key: str, phase: int) -> FrozenDesign | None:
        return self.frozen if self.frozen and (self.frozen.key, self.frozen.phase) == (key, phase) else None

    def phases(self, key: str) -> tuple[FrozenDesign, ...]:
        return (self.frozen,) if self.frozen and self.frozen.key == key else ()


class CheckedReadouts(Readouts):
    """Readouts each of which is read once more, from its public form alone."""

    def read(self, key: str, query: ReadoutQuery = ReadoutQuery()) -> Readout:  # noqa: B008 - frozen
        found = super().read(key, query)
        agreed(found, query)
        return found

    def several(self, asked: Sequence[tuple[str, ReadoutQuery]]) -> list[Readout]:
        found = super().several(asked)
        for readout, (_, query) in zip(found, asked, strict=True):
            agreed(readout, query)
        return found


def agreed(found: Readout, query: ReadoutQuery) -> None:
    """A readout contradicts itself nowhere."""
    contradicted = disagreements(readout_json(found), whole=query.metric is None)
    assert not contradicted, contradicted


class Shop:
    """Records that are written to a log once they are read."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def add(self, kind: str, visitor: str, time: int, **fields: Any) -> None:
        fields.setdefault("message_id", f"m{len(self.records)}")
        self.records.append(Record(type=kind, visitor_id=visitor, time=time, **fields))

    def expose(self, visitor: str, variant: str, time: int = START, **fields: Any) -> None:
        fields = {"experiment": "banner", "phase": 0, **fields}
        self.add("exposure", visitor, time, variant=variant, **fields)

    def buy(self, visitor: str, time: int, value: float = 10.0, **fields: Any) -> None:
        fields = {"order_id": f"o{len(self.records)}", "currency": "EUR", **fields}
        self.add("track", visitor, time, event="Order Completed", value=value, **fields)


def crowd(visitors: int, lift: float = 0.0, seed: int = 1) -> Shop:
    """Visitors of both variants who buy, look and answer; those of b buy more often by the lift."""
    chance, shop = random.Random(seed), Shop()
    for number in range(visitors):
        variant = "b" if number % 2 else "control"
        time = START + chance.randrange(5 * DAY)
        name = f"v{number}"
        shop.expose(name, variant, time, properties={"device": chance.choice(["mobile", "desktop"])})
        if chance.random() < 0.3 * (1 + lift * (variant == "b")):
            shop.buy(name, time + chance.randrange(6 * DAY), value=float(chance.randrange(1, 100)))
        if chance.random() < 0.5:
            shop.add("page", name, time + chance.randrange(13 * DAY), page_view_id=f"p{number}")
        if chance.random() < 0.2:
            score = float(chance.randrange(11))
            shop.add("track", name, time + HOUR, event="Survey Answered", value=score, properties={"survey": "nps"})
    return shop


def readouts(
    data: Path, records: Sequence[Record], days: float, files: dict[str, str], delay_us: int = 1_000
) -> Readouts:
    """Readouts as of so many days after the start; `files` are definition files by name."""
    definitions = data / "definitions"
    definitions.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (definitions / name).write_text(text)
    write_log(data, received(records, delay_us), cut=500)
    now = datetime.fromtimestamp((START + days * DAY) / 1e6, UTC)
    return CheckedReadouts(EventLog(data), Definitions(catalog_in(definitions)), now=lambda: now)
