"""Orders to an experiment as they are carried out, whoever gives them: checked first, and kept in the audit."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from app.analysis.queries import ResultsQuery
from app.control.line import LineSilent, TooManyOrders
from app.control.orders import OrderAsked, OrderDone, written_order
from app.http.errors import Problem, retry_later
from app.keys.audit import AuditLine, AuditUnusable
from app.management.audit import unkept
from app.routes.dependencies import analysed_for
from app.routes.evaluation import LINK
from app.worker.resources import Resources
from experiments.catalog.catalog import NoSuchVariant, NothingToShow
from experiments.catalog.check import start_mistakes
from experiments.catalog.overrides import (
    ExperimentStopped,
    NothingToOverride,
    NoVariantToShip,
    Order,
    OverrideRefused,
)
from kit.time import now_utc
from kit.urls import with_parameter

MOST_MISTAKES: Final = 5  # of the files, in one answer
DECISION_SECONDS: Final = 2.0


async def ignored(worker: Resources, asker: str, told: Order) -> str | None:
    """What a ship goes against: the decision, or that it is not known yet; None where it is to ship this variant."""
    try:
        async with asyncio.timeout(DECISION_SECONDS):
            answer = await analysed_for(asker, worker, ResultsQuery(told.key))
    except (TimeoutError, Problem):
        return "the decision is not known"
    decision: dict[str, Any] = msgspec.json.decode(answer.body)["decision"]
    if (decision["action"], decision["variant"]) == ("ship", told.variant):
        return None
    return "; ".join(decision["because"][:MOST_MISTAKES]) or f"the decision is {decision['action']}"


async def steered(worker: Resources, told: Order, line: AuditLine, against: str | None = None) -> OrderDone:
    """Carries an order out. Pause and stop are done whatever becomes of their line in the audit, which then follows.

    A start is checked first, as `resonate check` does. Raises Problem 404 or 409 with nothing done, 503 where what must
    wait for its line has none, where too many orders wait, or where nobody says what became of it.
    """
    if told.action == "start":
        await _checked(worker, told.key)
    asked = OrderAsked(told.key, told.action, line, told.variant, against)
    try:
        if worker.line is not None:
            answer = await worker.line.order(asked)
        else:
            data, catalog = worker.settings.data, worker.catalogs.catalog
            answer = await asyncio.to_thread(written_order, data, catalog, worker.audit, asked)
    except AuditUnusable as error:
        raise unkept(error) from None
    except TooManyOrders as many:
        raise retry_later(503, "overloaded", f"{many}; send it again", 1) from None
    except LineSilent as silent:
        raise retry_later(503, "order_not_confirmed", f"{silent}; see its status before it is sent again", 5) from None
    except tuple(_REFUSED) as error:
        status, code = next(said for kind, said in _REFUSED.items() if isinstance(error, kind))
        raise Problem(status, code, str(error)) from None
    if not answer.noted:
        worker.telemetry.went_wrong("audit_not_kept")
    return answer


async def _checked(worker: Resources, key: str) -> None:
    """Raises Problem 409 for a draft whose files have mistakes."""
    settings, now = worker.settings, now_utc()
    if key not in worker.catalogs.catalog.experiments:
        return
    mistakes = await asyncio.to_thread(start_mistakes, settings.definitions, settings.data, key, now)
    if mistakes:
        more = f" (and {len(mistakes) - MOST_MISTAKES} more)" if len(mistakes) > MOST_MISTAKES else ""
        detail = f"the definition files have mistakes, mend them first: {'; '.join(mistakes[:MOST_MISTAKES])}{more}"
        raise Problem(409, "check_failed", detail)


_REFUSED: Final[dict[type[OverrideRefused], tuple[int, str]]] = {
    NothingToOverride: (404, "unknown_experiment"),
    NoVariantToShip: (404, "unknown_variant"),
    ExperimentStopped: (409, "experiment_stopped"),
    OverrideRefused: (409, "order_refused"),
}


class SignedPreview(NamedTuple):
    """A link that shows a variant: its token, the page with it, and what the audit says of it."""

    token: str
    url: str
    shown: dict[str, Any]


def previewed(worker: Resources, key: str, variant: str, days: float, page: str) -> SignedPreview:
    """A link to a page of the shop, that nobody was told yet. Raises Problem 400 for a page that has no address, 404,
    or 503 where no link can be signed.
    """
    try:
        url = with_parameter(page, LINK, "")
    except ValueError as error:
        raise Problem(400, "invalid_url", f"url: {page[:100]!r} is no address of a page: {error}") from None
    try:
        phase = worker.catalogs.catalog.previewable(key, variant).phase
        token, ends = worker.previews.make(key, phase, variant, days)
    except NoSuchVariant as error:
        raise Problem(404, "unknown_variant", f"variant: {error}") from None
    except NothingToShow as error:
        raise Problem(404, "unknown_experiment", str(error)) from None
    except OSError as error:
        raise retry_later(503, "preview_key_not_kept", f"no key can be kept for links: {error}", 60) from None
    shown = {"variant": variant, "phase": phase, "expires": datetime.fromtimestamp(ends, UTC).isoformat()}
    return SignedPreview(token, with_parameter(url, LINK, token), shown)
