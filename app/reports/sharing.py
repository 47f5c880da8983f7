"""Making links to reports and taking them back, for keys and people alike: looked at first, in the audit, then done."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from app.analysis.queries import ReportQuery
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.management.audit import Act, auditing
from app.reports.shares import ShareLink, ShareLinks, SharesUnreadable, TooManyShares, new_share
from app.routes.dependencies import analysed_for
from app.worker.resources import Resources
from kit.suggestions import did_you_mean
from kit.time import now_utc

RETRY_SECONDS: Final = 60
NO_SUCH_LINK: Final = "there is no such link; those that hold are in the list of links"


@dataclass(frozen=True, slots=True)
class WantedLink:
    """What a link is to show, for how long, and why."""

    experiment: str
    days: int
    at: str | None = None
    reason: str | None = None


def links_of(worker: Resources) -> ShareLinks:
    """The links of this service."""
    return ShareLinks(worker.settings.data)


def link_told(share: ShareLink) -> dict[str, Any]:
    """What may be told of a link: all but what would open it."""
    return {name: getattr(share, name) for name in ShareLink.__struct_fields__ if name != "digest"}


async def held_links(worker: Resources) -> list[ShareLink]:
    """Those that hold, the newest first."""
    async with _kept():
        return await asyncio.to_thread(links_of(worker).listed, now_utc())


async def opened_link(worker: Resources, token: str) -> ShareLink | None:
    """The link that a token opens; None for one that is unknown, over, or was taken back. Raises Problem 503."""
    async with _kept():
        return await asyncio.to_thread(links_of(worker).find, token, now_utc())


async def make_link(asked: Exchange, worker: Resources, wanted: WantedLink) -> tuple[ShareLink, str]:
    """A link, and the address that opens it. Raises Problem where there is nothing to show, or nothing can be kept."""
    who = f"person {asked.person}" if asked.person else f"key {asked.grant.name}" if asked.grant else ""
    known = worker.catalogs.catalog.experiments
    if wanted.experiment not in known:
        told = did_you_mean(wanted.experiment, known)
        raise Problem(404, "unknown_experiment", f"there is no experiment {wanted.experiment!r}{told}")
    if wanted.at is not None:
        await analysed_for(who, worker, ReportQuery(wanted.experiment, wanted.at))
    token, made = new_share(wanted.experiment, who, wanted.days, wanted.at, now_utc())
    act = Act("share", wanted.experiment, after=link_told(made), reason=wanted.reason)
    async with auditing(asked, worker, act), _kept():
        await asyncio.to_thread(links_of(worker).keep, made, now_utc())
    return made, f"{worker.addresses.of(asked.scope, asked.headers).url}/share/{token}"


async def end_link(asked: Exchange, worker: Resources, identifier: str, reason: str | None = None) -> ShareLink:
    """Takes a link back. Raises Problem where there is none of this id."""
    found = next((each for each in await held_links(worker) if each.id == identifier), None)
    if found is None:
        raise Problem(404, "unknown_share", NO_SUCH_LINK)
    act = Act("unshare", found.experiment, before=link_told(found), reason=reason)
    async with auditing(asked, worker, act), _kept():
        ended = await asyncio.to_thread(links_of(worker).take_back, identifier, now_utc())
        if ended is None:  # somebody else took it back meanwhile
            raise Problem(404, "unknown_share", NO_SUCH_LINK)
    return found


@asynccontextmanager
async def _kept() -> AsyncGenerator[None]:
    """What reads or keeps links inside is refused in words where it cannot. Raises Problem."""
    try:
        yield
    except SharesUnreadable as error:
        raise retry_later(503, "shares_unreadable", str(error), RETRY_SECONDS) from None
    except TooManyShares as error:
        raise Problem(409, "too_many_shares", str(error)) from None
    except OSError as error:
        raise retry_later(503, "share_not_kept", f"no link can be kept: {error.strerror}", RETRY_SECONDS) from None
