"""Why a product is shown, in words that a page can print."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from recommender.arrays import Floats, Ints
from recommender.candidates import Scratch
from recommender.frequency import Habit
from recommender.model import Model
from recommender.shelf import Shelf
from recommender.strategies import Scored, Strategy

NAMED: Final = 3  # products that a reason names at most


@dataclass(frozen=True, slots=True)
class Because:
    """`type` says what kind of reason; `because` names products or a category; `support` counts what it rests on."""

    type: str
    because: tuple[str, ...] = ()
    support: int | None = None
    every_days: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The wire form; what is not known is left out."""
        told: dict[str, Any] = {"type": self.type, "because": list(self.because)}
        if self.support is not None:
            told["support"] = self.support
        if self.every_days is not None:
            told["every_days"] = self.every_days
        return told


def popular(shelf: Shelf, place: int) -> Because:
    """What many buy; or, without any purchase, simply what the catalogue holds."""
    code = int(shelf.model_codes[place]) if len(shelf.model_codes) else -1
    if shelf.model is None or code < 0:
        return newcomer(shelf, place)
    return Because("popular", support=int(shelf.model.arrays.baskets[code]))


def newcomer(shelf: Shelf, place: int) -> Because:
    """A product that nobody has bought yet; it rides on its category."""
    category = shelf.categories[int(shelf.category[place])] if shelf.size else ""
    return Because("new_product", (category,) if category else ())


def accessory(main: str) -> Because:
    """The merchant says that they belong together."""
    return Because("accessory", (main,))


def reasons(
    model: Model, strategy: Strategy, found: Scored, chosen: Ints, habit: Habit | None, scratch: Scratch
) -> list[Because]:
    """The reason for each of the chosen products (codes of the model)."""
    if strategy == "buy_again" and habit is not None:
        return _rhythms(model, habit, chosen, scratch)
    if strategy == "popular":
        return [Because("popular", support=int(count)) for count in model.arrays.baskets[chosen]]
    spoken = _sources(found, chosen, scratch)
    told: list[Because] = []
    own = set(habit.items.tolist()) if habit is not None and strategy == "bought_together" else set[int]()
    for place, code in enumerate(chosen.tolist()):
        sources, strengths = spoken[place]
        if code in own and not len(sources):
            told += _rhythms(model, habit, chosen[place : place + 1], scratch) if habit is not None else []
        else:
            told.append(_because(model, strategy, code, sources, strengths))
    return told


def _because(model: Model, strategy: Strategy, code: int, sources: Ints, strengths: Floats) -> Because:
    category = model.categories[int(model.arrays.category[code])]
    rising = strategy == "for_you" and category and float(strengths.sum()) < _FAINT
    if not len(sources) or rising:
        count = round(float(model.arrays.rise_long[code]))
        return Because("new_favourite", (category,) if category else (), count)
    named = tuple(model.ids[int(source)] for source in sources[:NAMED])
    kind = "bought_together" if strategy == "bought_together" else "because_you_bought"
    return Because(kind, named, _support(model, int(sources[0]), code))


def _support(model: Model, source: int, code: int) -> int:
    """In how many baskets both were."""
    row = model.arrays.neighbour_items[source]
    return int(model.arrays.neighbour_supports[source][row == code].sum())


def _rhythms(model: Model, habit: Habit, chosen: Ints, scratch: Scratch) -> list[Because]:
    """How often the customer buys these products."""
    told: list[Because] = []
    for place, code in zip(scratch.places(chosen, habit.items).tolist(), chosen.tolist(), strict=True):
        count = int(habit.counts[place])
        gap = float(habit.last[place] - habit.first[place]) / max(1, count - 1)
        every = max(1, round(gap)) if count > 1 and gap > 0 else None
        told.append(Because("buy_again", (model.ids[code],), count, every))
    return told


def _sources(found: Scored, chosen: Ints, scratch: Scratch) -> list[tuple[Ints, Floats]]:
    """For each chosen product what speaks for it, strongest first."""
    evidence = found.evidence
    none = (np.empty(0, np.int32), np.empty(0, np.float32))
    if not len(evidence.items):
        return [none] * len(chosen)
    places = scratch.places(evidence.items, chosen)
    hits = np.flatnonzero((places >= 0) & (evidence.strengths > 0))
    hits = hits[np.argsort(-evidence.strengths[hits], kind="stable")]
    owner, sources, strengths = places[hits], evidence.sources[hits], evidence.strengths[hits]
    return [(sources[owner == place], strengths[owner == place]) for place in range(len(chosen))]


_FAINT: Final = 0.02  # of EASE's scale: taste says next to nothing
