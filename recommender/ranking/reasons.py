"""Why a product is shown, in words that a page can print."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from recommender.model.frequency import Habit
from recommender.model.identifiers import Ints
from recommender.model.model import Model
from recommender.ranking.assortment import Assortment
from recommender.ranking.candidates import Evidence, Scratch
from recommender.ranking.request import Because, Strategy
from recommender.ranking.strategies import ProductScores

NAMED: Final = 3  # products that a reason names at most
FAINT: Final = 0.02  # of EASE's scale: taste says next to nothing


class Voices(msgspec.Struct, frozen=True):
    """What speaks for one product: those that say most, strongest first, and how strong all of them are together."""

    sources: Sequence[int] = ()
    strength: float = 0.0


def popular(assortment: Assortment, place: int) -> Because:
    """What many buy; or, without any purchase, simply what the catalogue holds."""
    code = int(assortment.model_codes[place]) if len(assortment.model_codes) else -1
    if assortment.model is None or code < 0:
        return newcomer(assortment, place)
    return Because("popular", (), int(assortment.model.arrays.baskets[code]))


def newcomer(assortment: Assortment, place: int) -> Because:
    """A product that nobody has bought yet; it rides on its category."""
    category = assortment.categories[int(assortment.category[place])] if assortment.size else ""
    return Because("new_product", (category,) if category else ())


def accessory(main: str) -> Because:
    """The merchant says that they belong together."""
    return Because("accessory", (main,))


def reasons(
    model: Model, strategy: Strategy, found: ProductScores, chosen: Ints, habit: Habit | None, scratch: Scratch
) -> list[Because]:
    """The reason for each of the chosen products (codes of the model)."""
    if strategy == "buy_again" and habit is not None:
        return _rhythms(model, habit, chosen, scratch)
    if strategy == "popular":
        return [Because("popular", (), int(count)) for count in model.arrays.baskets.take(chosen).tolist()]
    spoken = _spoken(found.evidence, chosen, scratch)
    told = _by_others(model, strategy, chosen, spoken)
    if strategy == "bought_together" and habit is not None and not all(said.sources for said in spoken):
        silent = [place for place, said in enumerate(spoken) if not said.sources]
        owned = set(habit.items.tolist())
        own = [place for place in silent if int(chosen[place]) in owned]
        for place, rhythm in zip(own, _rhythms(model, habit, chosen[own], scratch), strict=True):
            told[place] = rhythm
    return told


def _by_others(model: Model, strategy: Strategy, chosen: Ints, spoken: Sequence[Voices]) -> list[Because]:
    arrays = model.arrays
    categories = arrays.category.take(chosen).tolist()
    counts = arrays.rise_long.take(chosen).tolist()
    supports = [0] * len(spoken)  # in how many baskets each product was with the one that says most for it
    if any(said.sources for said in spoken):
        first = [said.sources[0] if said.sources else 0 for said in spoken]
        pairs = arrays.neighbour_items.take(first, 0) == chosen[:, None]
        supports = (arrays.neighbour_supports.take(first, 0) * pairs).sum(1).tolist()
    kind = "bought_together" if strategy == "bought_together" else "because_you_bought"
    told: list[Because] = []
    for place, said in enumerate(spoken):
        faint = strategy == "for_you" and said.strength < FAINT
        category = model.categories[categories[place]] if faint or not said.sources else ""
        if category or not said.sources:
            told.append(Because("new_favourite", (category,) if category else (), round(counts[place])))
        else:
            told.append(Because(kind, tuple([model.ids[source] for source in said.sources]), supports[place]))
    return told


def _rhythms(model: Model, habit: Habit, chosen: Ints, scratch: Scratch) -> list[Because]:
    """How often the person buys these products."""
    places = scratch.places(chosen, habit.items)
    counts, last, first = (column.take(places).tolist() for column in (habit.counts, habit.last, habit.first))
    told: list[Because] = []
    for place, code in enumerate(chosen.tolist()):
        gap = (last[place] - first[place]) / max(1, counts[place] - 1)
        every = max(1, round(gap)) if counts[place] > 1 and gap > 0 else None
        told.append(Because("buy_again", (model.ids[code],), int(counts[place]), every))
    return told


def _spoken(evidence: Evidence, chosen: Ints, scratch: Scratch) -> list[Voices]:
    """For each chosen product what speaks for it."""
    nothing = [Voices()] * len(chosen)
    if not len(evidence.items) or not len(chosen):
        return nothing
    places = scratch.places(evidence.items, chosen)
    hits = (places >= 0).nonzero()[0]
    strengths = evidence.strengths.take(hits)
    if len(hits) and strengths.min() <= 0:
        hits = hits[strengths > 0]
        strengths = evidence.strengths.take(hits)
    if not len(hits):
        return nothing
    owners = places.take(hits)
    order = np.lexsort((-strengths, owners))
    sources = evidence.sources(hits.take(order)).tolist()
    totals = np.bincount(owners, strengths, len(chosen)).tolist()
    ends = np.bincount(owners, minlength=len(chosen)).cumsum().tolist()
    starts = [0, *ends[:-1]]
    return [
        Voices(sources[start : min(end, start + NAMED)], total)
        for start, end, total in zip(starts, ends, totals, strict=True)
    ]
