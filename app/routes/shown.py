"""What a request may see, and the variants that it is shown without their being drawn: by a link, or forced by name."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from app.http.access import Grant
from app.http.exchange import Exchange
from app.http.parameters import query_pairs
from app.worker.resources import Resources
from events.consent import Consent
from experiments.catalog.visible import Visible

FORCE: Final = "resonate_force"
FORCE_ATTRIBUTE: Final = "resonate.force"
LINK: Final = "resonate_preview"
LINK_ATTRIBUTE: Final = "resonate.preview"
MOST_LINKS: Final = 20  # of one request
SHOWN: Final = b',"preview":"shown"'
EXPIRED: Final = b',"preview":"expired"'


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
