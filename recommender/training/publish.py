"""A whole training: purchases in, a model published or refused, a report written."""

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from kit.files import replace_file
from recommender.model.artefact import (
    MODELS,
    ArtefactDamaged,
    current_version,
    new_version,
    publish_version,
    read_artefact,
    read_facts,
    write_artefact,
)
from recommender.model.identifiers import Index, Texts
from recommender.model.purchases import Purchases
from recommender.ranking.serving import DAY_SECONDS, model_of, published_products
from recommender.training.cooccurrence import Progress
from recommender.training.sources import purchases_from_log, purchases_from_table
from recommender.training.train import TrainedModel, train_model

JUDGED: Final = ("next_basket", "novel")  # the strategies that must beat popularity, by their tasks
TOLERANCE: Final = 0.2  # of its lift over popularity a model may lose against the live one
REPORT: Final = "last-training.json"
FEWEST_QUESTIONS: Final = 30  # below so many a comparison says nothing

Outcome = Literal["published", "refused", "too_little_data", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a training."""

    outcome: Outcome
    version: str | None
    reasons: tuple[str, ...]
    facts: Mapping[str, Any]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as `GET /v1/recommender` and the command line give it."""
        told = {"outcome": self.outcome, "version": self.version, "reasons": list(self.reasons)}
        return {**told, "finished_at": _now(), "seconds": round(self.seconds, 2), **self.facts}


def publish_unless_worse(folder: Path, trained: TrainedModel, seconds: float) -> Report:
    """Publishes the model unless it is worse than popularity or than the live one; the report is kept either way."""
    version = new_version()
    live = current_version(folder)
    try:
        live_facts = {} if live is None else read_facts(folder, live)
    except ArtefactDamaged:
        live_facts = {}
    reasons = refusals(trained, live_facts)
    facts = {"trained_at": _now(), **trained.as_json()}
    if not reasons:
        written = write_artefact(folder, version, trained.arrays.as_dict(), facts)
        reasons = changed_on_the_way(trained, written)
        if reasons:
            shutil.rmtree(written)
    if reasons:
        return keep(folder, Report("refused", None, tuple(reasons), facts, seconds))
    publish_version(folder, version)
    outcome: Outcome = "too_little_data" if trained.missing else "published"
    return keep(folder, Report(outcome, version, tuple(trained.missing), facts, seconds))


def refusals(trained: TrainedModel, live: Mapping[str, Any]) -> list[str]:
    """Why a model must not serve; empty when it may."""
    if trained.missing:
        serving = set(live.get("strategies", ())) - {"popular"}
        return [f"too little data to replace the live model: {text}" for text in trained.missing] if serving else []
    found: list[str] = []
    for task in JUDGED:
        score, before = trained.table[task], live.get("validation", {}).get(task)
        low, high = score.interval
        if score.questions < FEWEST_QUESTIONS:
            continue
        if high < 0:
            difference = f"95 % [{low:+.4f}, {high:+.4f}]"
            found.append(f"{task}: worse than popularity, {score.ndcg:.4f} against {score.popular:.4f} ({difference})")
        elif before and before["questions"] >= FEWEST_QUESTIONS and before["popular"] and score.popular:
            now, then = score.ndcg / score.popular, before["ndcg_10"] / before["popular"]
            if now < then * (1 - TOLERANCE) and 1 + high / score.popular < then:
                reached = f"{now:.2f} times popularity, the live model reached {then:.2f}"
                found.append(f"{task}: {reached}; {TOLERANCE:.0%} less is borne")
    return found


def changed_on_the_way(trained: TrainedModel, written: Path) -> list[str]:
    """What of the artefact, loaded as workers load it, is not what was trained; empty when all is the same."""
    try:
        served = model_of(read_artefact(written.parent, written.name))
    except ArtefactDamaged as damage:
        return [str(damage)]
    same = {
        "weights": served.weights == trained.weights,
        "cut_off": served.at_day == trained.at_day,
        "strategies": served.strategies == trained.strategies,
    }
    loaded = served.arrays.as_dict()
    same |= {name: np.array_equal(array, loaded[name]) for name, array in trained.arrays.as_dict().items()}
    return [f"{name}: not read as it was written" for name, equal in same.items() if not equal]


def keep(folder: Path, report: Report) -> Report:
    """Writes the report beside the models; what is no number becomes null, so that every reader can read the rest."""
    replace_file(folder / REPORT, msgspec.json.format(msgspec.json.encode(report.as_json()), indent=1))
    return report


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_training(data: Path, table: Path | None = None, progress: Progress | None = None) -> Report:
    """Trains on the log, or on a table, and settles what becomes of the model.

    Raises DataDamaged for a log that cannot be read, TableError for a table that cannot be used.
    """
    started = time.process_time()
    now_seconds = int(time.time())  # before the log is read: what comes while it is read is not of this model
    purchases = purchases_from_log(data) if table is None else purchases_from_table(table)
    cut_off = (
        now_seconds if table is None or not len(purchases) else math.ceil(purchases.days[-1] * DAY_SECONDS) + 1
    ) / DAY_SECONDS
    models = data / MODELS
    models.mkdir(parents=True, exist_ok=True)
    trained = train_model(purchases, categories_of(data, purchases), cut_off, progress, models)
    return publish_unless_worse(models, trained, time.process_time() - started)


def categories_of(data: Path, purchases: Purchases) -> list[str]:
    """The category path of each product from the catalogue, "" where it has none."""
    try:
        products = published_products(data)
    except ArtefactDamaged:
        products = None
    if products is None:
        return [""] * len(purchases.product_ids)
    names = Texts(products.category_blob, products.category_offsets).all()
    places = Index(products.id_digests, products.id_places).find(list(purchases.product_ids))
    return [names[int(products.category[place])] if place >= 0 else "" for place in places]
