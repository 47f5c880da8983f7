"""What becomes of a trained model: its strategies published, or refused one by one with reasons, and a report."""

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from events.authority import Authority
from kit.files import replace_file
from kit.time import now_utc
from recommender.model.artefact import (
    ArtefactDamaged,
    current_version,
    new_version,
    publish_version,
    read_artefact,
    write_artefact,
)
from recommender.model.identifiers import Bools
from recommender.model.model import Model
from recommender.publishing.concentration import Growth, growths
from recommender.publishing.former import Former, with_former
from recommender.publishing.gate import Refusals, refusals
from recommender.ranking.request import STRATEGIES, Strategy
from recommender.ranking.serving import model_of
from recommender.training.build import build
from recommender.training.scorecard import TASKS
from recommender.training.train import TrainedModel

logger = logging.getLogger(__name__)

REPORT: Final = "last-training.json"

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


def _logged(growth: Growth) -> None:
    logger.warning("accepted by hand: %s", growth)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Products that somebody lets grow although pages alone say so.

    `record` is told of each use before the model is published; where it raises, nothing is.
    """

    products: frozenset[str] = frozenset()
    record: Callable[[Growth], None] = _logged


NOTHING: Final = Acceptance()


@dataclass(frozen=True, slots=True)
class Settled:
    """The model that may serve, and what was said of it.

    `concentrated` are growths that were refused, `accepted` those that somebody let pass, `grown` those that rest on
    more than pages.
    """

    model: TrainedModel
    refused: Refusals
    concentrated: list[Growth]
    accepted: list[Growth]
    grown: list[Growth]

    @property
    def reasons(self) -> list[str]:
        """Why strategies were refused, each reason once."""
        return list(dict.fromkeys(text for told in self.refused.values() for text in told))


def publish_unless_worse(
    folder: Path,
    trained: TrainedModel,
    seconds: float,
    acceptance: Acceptance = NOTHING,
    sold: Bools | None = None,
    more: Mapping[str, Any] | None = None,
) -> Report:
    """Publishes the strategies that are no worse than popularity or than the live ones; the report is kept either way.

    A refused one keeps its former arrays, or does not serve where there are none. `sold` says of each product whether
    it can be shown, `more` is added to the report and the manifest.
    """
    version = new_version()
    former, live = _former(folder)
    settled = settle(trained, former, refusals(trained, live), acceptance, sold)
    facts = {"trained_at": _now(), **settled.model.as_json(), **_told(settled, former, live, version), **(more or {})}
    if trained.strategies <= settled.refused.keys():
        return keep(folder, Report("refused", None, tuple(settled.reasons), facts, seconds))
    for growth in settled.accepted:
        acceptance.record(growth)
    written = write_artefact(folder, version, settled.model.arrays.as_dict(), facts)
    damages = changed_on_the_way(settled.model, written)
    if damages:
        shutil.rmtree(written)
        return keep(folder, Report("refused", None, tuple(damages), facts, seconds))
    publish_version(folder, version)
    outcome: Outcome = "too_little_data" if trained.missing else "published"
    return keep(folder, Report(outcome, version, (*trained.missing, *settled.reasons), facts, seconds))


def settle(
    trained: TrainedModel, former: Former | None, refused: Refusals, acceptance: Acceptance, sold: Bools | None
) -> Settled:
    """Refuses strategies until none shows a product in many more lists than before because pages say so.

    A strategy that kept its own arrays may still show it by what it has in common with others: popularity.
    """
    refused = {strategy: list(told) for strategy, told in refused.items()}
    settled = Settled(with_former(trained, former, refused), refused, [], [], [])
    if former is None or trained.strategies <= refused.keys():
        return settled
    sold = np.ones(len(trained.arrays.popularity), np.bool_) if sold is None else sold
    believed = None
    while not trained.strategies <= refused.keys():
        model = with_former(trained, former, refused)
        found = growths(former.model, _served(model), trained.purchases, sold)
        if found and believed is None:
            believed = {(each.strategy, each.product) for each in _without_pages(trained, former, sold)}
        grown = [each for each in found if (each.strategy, each.product) in (believed or ())]
        accepted = [each for each in found if each not in grown and each.product in acceptance.products]
        offending = [each for each in found if each not in grown and each not in accepted]
        settled = Settled(model, refused, [*settled.concentrated, *offending], accepted, grown)
        if not offending:
            return settled
        fresh = [growth for growth in offending if growth.strategy not in refused]
        for growth in fresh:
            refused.setdefault(growth.strategy, []).append(str(growth))
        others: Iterable[Strategy] = STRATEGIES if "popular" in refused else ("popular",)
        for strategy in () if fresh else others:
            refused.setdefault(strategy, [str(growth) for growth in offending])
    return settled


def _without_pages(trained: TrainedModel, former: Former, sold: Bools) -> list[Growth]:
    """What would grow all the same if pages had told of nothing."""
    purchases = trained.purchases.where(trained.purchases.origins.authorities > Authority.PAGE)
    if not len(purchases):
        return []
    arrays = build(purchases, trained.categories, trained.at_day, trained.weights)
    model = Model(arrays, trained.weights, trained.at_day, trained.strategies)
    return growths(former.model, model, purchases, sold)


def _served(trained: TrainedModel) -> Model:
    return Model(trained.arrays, trained.weights, trained.at_day, trained.strategies)


def _former(folder: Path) -> tuple[Former | None, Mapping[str, Any]]:
    """The live model and its manifest, nothing where it cannot be used."""
    live = current_version(folder)
    try:
        if live is not None:
            artefact = read_artefact(folder, live)
            return Former(live, model_of(artefact)), artefact.facts
    except ArtefactDamaged:
        pass
    return None, {}


def _told(settled: Settled, former: Former | None, live: Mapping[str, Any], version: str) -> dict[str, Any]:
    """What manifest and report say of each strategy: the version that its arrays are of, and how it was judged."""
    model = settled.model
    before = live.get("versions", {})
    versions = {
        strategy: before.get(strategy, former.version) if former is not None and strategy in model.kept else version
        for strategy in sorted(model.strategies)
    }
    judged = {task: score.as_json() for task, score in model.table.items()}
    judged |= {task: said for task, said in live.get("validation", {}).items() if TASKS.get(task) in model.kept}
    return {
        "versions": versions,
        "validation": judged,
        "refused": settled.refused,
        **{name: [str(growth) for growth in getattr(settled, name)] for name in ("concentrated", "accepted", "grown")},
    }


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
    return now_utc().isoformat(timespec="seconds")
