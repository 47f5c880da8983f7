"""Variants that are shown without being drawn: by a link, which shows a draft's too, or forced by name."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

from app.http.access import Grant
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.http.parameters import query_pairs
from app.identity.audit import LONGEST_REASON
from app.routes.audit import Act, note
from app.routes.dependencies import Asked, Secret, Worker
from app.worker.previews import LINK, linked
from app.worker.resources import Resources
from events.consent import Consent
from experiments.catalog.catalog import NoSuchVariant, NothingToShow
from experiments.catalog.visible import Visible

FORCE: Final = "resonate_force"
FORCE_ATTRIBUTE: Final = "resonate.force"
LINK_ATTRIBUTE: Final = "resonate.preview"
MOST_LINKS: Final = 20  # of one request
SHOWN: Final = b',"preview":"shown"'
EXPIRED: Final = b',"preview":"expired"'

router = APIRouter(tags=["Results"])


class Shown(NamedTuple):
    """What a request may see, the variants that it asked for by experiment, and what its answer says of its links."""

    visible: Visible
    forced: Mapping[str, str] | None
    told: bytes = b""


def shown_to(
    exchange: Exchange, resources: Resources, grant: Grant, consent: Consent, attributes: dict[str, Any], now: float
) -> Shown:
    """What the caller may see, and by a link one variant of an experiment that they could not; never an exposure.

    `?resonate_force=KEY:VARIANT` or the attribute `resonate.force` shows a page variants of what runs, a secret key's
    holder those of all that is answered, and nothing to somebody who refuses. `?resonate_preview=TOKEN` or
    `resonate.preview`, which is taken off the attributes, shows what the token says; one that is over, or was not made
    here, shows nothing and is told of.
    """
    visible = resources.visible_to(grant, now)
    if not exchange.scope["query_string"] and FORCE_ATTRIBUTE not in attributes and LINK_ATTRIBUTE not in attributes:
        return Shown(visible, None)
    pairs = query_pairs(exchange)
    texts = [value for name, value in pairs if name == FORCE and value]
    attribute = attributes.get(FORCE_ATTRIBUTE)
    if type(attribute) is str:
        texts.append(attribute)
    named = [text.partition(":") for part in texts for text in part.split(",")]
    forcible = () if consent is Consent.NONE else visible.forcible
    forced = {key: variant for key, _, variant in named if key in forcible}
    tokens: list[Any] = [value for name, value in pairs if name == LINK]
    if LINK_ATTRIBUTE in attributes:
        tokens.append(attributes.pop(LINK_ATTRIBUTE))
    if not tokens:
        return Shown(visible, forced)
    links = resources.previews.read(tokens[:MOST_LINKS])
    catalog = resources.catalogs.catalog
    found = [
        (link.variant, experiment)
        for link in links
        if link is not None and (experiment := catalog.previewed(link.experiment, link.phase, link.variant)) is not None
    ]
    forced |= {experiment.key: variant for variant, experiment in found}
    told = SHOWN if len(found) == len(tokens) else EXPIRED
    return Shown(visible.beside([experiment for _, experiment in found]), forced, told)


class PreviewRequest(BaseModel):
    """What a link is to show, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str = Field(max_length=100, description="The variant that is shown.", examples=["free_over_50"])
    days: float = Field(7, gt=0, le=30, description="How long the link holds.")
    url: AnyHttpUrl | None = Field(None, description="The page to be looked at.", examples=["https://shop.example/"])
    reason: str | None = Field(None, max_length=LONGEST_REASON)


@router.post("/v1/experiments/{key}/preview", summary="A link that shows one variant, a draft's too", status_code=201)
async def preview(
    key: Annotated[str, Path(max_length=100)], _: Secret, asked: Asked, worker: Worker, wanted: PreviewRequest
) -> JSONResponse:
    """Whoever opens the link sees this variant in this phase, and is never counted. `url` is the page with the token; a
    page that passes `resonate_preview` on to the service shows it.
    """
    try:
        phase = worker.catalogs.catalog.previewable(key, wanted.variant).phase
        token, ends = worker.previews.make(key, phase, wanted.variant, wanted.days)
    except NoSuchVariant as error:
        raise Problem(400, "unknown_variant", f"variant: {error}") from None
    except NothingToShow as error:
        raise Problem(404, "unknown_experiment", str(error)) from None
    except OSError as error:
        raise retry_later(503, "preview_key_not_kept", f"no key can be kept for links: {error.strerror}", 60) from None
    expires = datetime.fromtimestamp(ends, UTC).isoformat()
    shown = {"variant": wanted.variant, "phase": phase, "expires": expires}
    await note(asked, worker, Act("preview", key, after=shown, reason=wanted.reason))
    url = linked(str(wanted.url or ""), token)
    return JSONResponse({"token": token, "expires": expires, "url": url}, 201, headers={"cache-control": "no-store"})
