"""Recommendations: slots, strategies, the live model and how it was judged, what lists brought; and the list that a
visitor or a product would be shown now, which counts as shown to nobody.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import AttributionQuery
from app.dashboard.forms import PageRoute, posted
from app.dashboard.rendering import answered_soon, page
from app.dashboard.signed_in import Signed, SignedIn
from app.http.body import told_id
from app.http.errors import Problem
from app.identity.people import people_asking
from app.management.audit import Act, note, subject_of
from app.routes.dependencies import Asked, Worker
from app.routes.recommendations import MAX_LIMIT, MAX_SLOT, model_report
from app.worker.resources import Resources
from events.authority import OF_BACKEND
from experiments.definitions.shop import Slot
from recommender.ranking.request import STRATEGIES, Strategy

router = APIRouter(include_in_schema=False, route_class=PageRoute)

HERE: Final = "/dashboard/recommendations"
MOST_SLOTS: Final = 100
MOST_ITEMS: Final = 20  # of a list that is tried
SHOWS: Final[Mapping[Strategy, str]] = {
    "for_you": "what the visitor has not bought yet",
    "buy_again": "what the visitor buys again and again",
    "bought_together": "what goes with the cart, or with the last purchases",
    "popular": "what many bought lately",
}
"""What each strategy shows."""
JUDGED: Final[Mapping[str, tuple[Strategy, str]]] = {
    "next_basket": ("buy_again", "the next basket"),
    "novel": ("for_you", "what was never bought before"),
    "completion_guest": ("bought_together", "a hidden product of a basket, of a guest"),
    "completion_known": ("bought_together", "the same, of a known person"),
}
"""The strategy that each task of the validation judges, and what has to be foretold."""
BECAUSE: Final[Mapping[str, str]] = {
    "buy_again": "this visitor buys it again and again",
    "bought_together": "it is bought together with",
    "because_you_bought": "this visitor bought",
    "new_favourite": "many begin to buy it",
    "accessory": "the catalogue says that it belongs to",
    "new_product": "nobody has bought it yet; it rides on its category",
    "popular": "many bought it lately",
}
"""Each kind of reason in words; `because` names what follows."""
BEHIND: Final = frozenset({"bought_together", "because_you_bought", "accessory", "new_favourite", "new_product"})
"""The reasons that name products or a category behind their words."""
NO_SLOT: Final = "slot: there is no slot {!r} in recommendations.yaml"
NO_PRODUCT: Final = "product: enter a product id, as the catalogue of products has it"
NOBODY: Final = "id: enter the id of a visitor, as the cookie resonate_id has it"


class Tried(NamedTuple):
    """What a form asks for: the product of a page, a slot and a strategy, each empty where nothing is said."""

    product: str = ""
    slot: str = ""
    strategy: str = ""


@router.get(HERE)
async def recommendations_page(
    request: Request,
    signed: SignedIn,
    worker: Worker,
    product: Annotated[str, Query(max_length=256)] = "",
    slot: Annotated[str, Query(max_length=MAX_SLOT)] = "",
    strategy: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """All of it; with a product also the list of a page that shows it."""
    tried, shown = Tried(product.strip(), slot, strategy), None
    if tried != Tried():
        if not tried.product:
            raise Problem(400, "invalid_id", NO_PRODUCT)
        shown = await _list_of(worker, tried, ())
    return await _page(request, signed, worker, tried, shown)


@router.post(f"{HERE}/visitor")
async def recommended_to_visitor(request: Request, asked: Asked, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """The same with the list of one visitor, which tells what they bought: who looks stands in the audit first."""
    fields = await posted(request, signed)
    visitor = told_id(fields.get("id", "").strip() or None, "id")
    if visitor is None:
        raise Problem(400, "invalid_id", NOBODY)
    tried = Tried(fields.get("product", "").strip(), fields.get("slot", ""), fields.get("strategy", ""))
    await note(asked, worker, Act("access", subject_of("visitor", visitor)))
    shown = await _list_of(worker, tried, people_asking(OF_BACKEND, visitor, None))
    return await _page(request, signed, worker, tried, shown, visitor)


async def _list_of(worker: Resources, tried: Tried, people: tuple[str, ...]) -> dict[str, Any]:
    """The list as `POST /v1/recommendations` answers it. Raises Problem 400 for what it cannot be of."""
    slots = worker.catalogs.catalog.slots
    if tried.slot and tried.slot not in slots:
        raise Problem(400, "unknown_slot", NO_SLOT.format(tried.slot[:MAX_SLOT]))
    strategy: Strategy | None = next((each for each in STRATEGIES if each == tried.strategy), None)
    if tried.strategy and strategy is None:
        raise Problem(400, "unknown_strategy", f"strategy: it must be one of {', '.join(STRATEGIES)}")
    product = told_id(tried.product or None, "product")
    usual = slots.get(tried.slot)
    limit = min(usual.limit if usual else MOST_ITEMS, MOST_ITEMS, MAX_LIMIT)
    wanted = worker.recommender.request(
        tried.slot or None, people, () if product is None else (product,), strategy, limit
    )
    [answer] = await worker.recommender.lists([wanted], counted=False)
    return msgspec.json.decode(msgspec.json.encode(answer), type=dict[str, Any])


async def _page(
    request: Request, signed: Signed, worker: Resources, tried: Tried, shown: dict[str, Any] | None, visitor: str = ""
) -> HTMLResponse:
    catalog = worker.catalogs.catalog
    brought = await answered_soon(worker, signed, AttributionQuery())
    slots = [_slot(each) for each in catalog.slots.values()]
    return page(
        request,
        signed,
        "recommendations.html",
        answer=model_report(worker),
        brought=brought,
        currency=catalog.shop.currency,
        slots=slots[:MOST_SLOTS],
        more_slots=len(slots) - MOST_SLOTS,
        strategies=STRATEGIES,
        shows=SHOWS,
        judged=JUDGED,
        because=BECAUSE,
        behind=BEHIND,
        tried=tried,
        shown=shown,
        visitor=visitor,
        most_items=MOST_ITEMS,
    )


def _slot(slot: Slot) -> dict[str, Any]:
    """A slot with the rules that it has, as its file says them."""
    return {"slot": slot, "rules": slot.rules.model_dump(mode="json", exclude_defaults=True)}
