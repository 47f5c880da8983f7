"""Whose visitor id a request is about that names none: the cookie's, else one that is issued now."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.identity.cookies import CookieRules, Pairs, Renewals, Whereabouts, seconds_until
from app.identity.visitor_ids import VisitorIds, day_of
from events.consent import Consent
from experiments.definitions.shop import Shop
from kit.time import now_seconds

UNFIT_DOMAIN: Final = "cookie_domain"  # as /readyz and the counters name it


@dataclass(frozen=True, slots=True)
class Recognised:
    """A visitor, and what the answer says to the browser.

    `visitor_id` is None where nobody may be recognised. One that `is_new` was never seen before. `ends` is the day
    (from 1970) at whose beginning the cookie ends; None where that is not known here, or there is no cookie to be.
    """

    visitor_id: str | None
    is_new: bool = False
    headers: Pairs = field(default_factory=list[tuple[bytes, bytes]])
    ends: int | None = None


class Recognition:
    """The visitors of one worker's callers, by the cookie as the shop has it at the moment."""

    def __init__(
        self, ids: VisitorIds, shop: Shop, count: Callable[[str], None], now: Callable[[], float] = now_seconds
    ) -> None:
        """`count` is called with what went wrong; `now` gives epoch seconds."""
        self.ids = ids
        self._count = count
        self._now = now
        self._renewals = Renewals()
        self.follow(shop)

    def follow(self, shop: Shop) -> None:
        """From now on what shop.yaml says of the cookie holds."""
        self.rules = CookieRules.of(shop)

    def recognise(
        self,
        mode: Consent,
        named: str | None,
        cookies: bytes | None,
        site: Whereabouts | None,
        since: int | None = None,
    ) -> Recognised:
        """The visitor that the caller names, else the cookie's, else a new one; who refuses has none.

        `cookies` is the header that the browser sent, `site` where it is; None where this page may use no cookie, which
        then is neither read nor set. `since` is the day from which the browser has held the id that is named: a cookie
        that a script of the page made is set again, because browsers keep those of scripts for a week; its end is that
        of the first one.
        """
        if mode is Consent.NONE:
            return Recognised(None)
        held = None if site is None or cookies is None else self.rules.read(cookies)
        wanted = named or held
        is_new = (
            wanted is None or self._end(wanted, mode, since) <= self.ids.today
        )  # it was there for as long as may be
        visitor_id = self.ids.issue() if wanted is None or is_new else wanted
        ends = self._end(visitor_id, mode, None if is_new else since)
        if site is None:
            return Recognised(visitor_id, is_new, ends=ends)
        if mode is Consent.PERSONAL:
            moves = self._renewals.due(visitor_id, self.ids.today) or visitor_id != held
        else:
            moves = visitor_id != held or since is not None
        if not moves:
            known = mode is Consent.PERSONAL or self.ids.issued(visitor_id)
            return Recognised(visitor_id, is_new, ends=ends if known else None)
        if not self.rules.fits(site.host):
            self._count(UNFIT_DOMAIN)
        lasting = self.rules.set(visitor_id, seconds_until(ends, self._now()), site)
        return Recognised(visitor_id, is_new, lasting, ends)

    def forget(self, cookies: bytes, site: Whereabouts) -> Pairs:
        """What deletes the cookie of who refuses, where there is one: so once."""
        return self.rules.delete(site) if self.rules.holds(cookies) else []

    def _end(self, visitor_id: str, mode: Consent, since: int | None) -> int:
        """The day on which a cookie that is set now ends.

        Of an id that is measured that stands fast from its first day on, however often it is set: the day on which it
        was issued here, else `since`, of which there is none in the future.
        """
        if mode is not Consent.MEASURE:
            return self.ids.today + self.rules.days
        issued = day_of(visitor_id) if self.ids.issued(visitor_id) else since
        return (self.ids.today if issued is None else min(issued, self.ids.today)) + self.rules.days
