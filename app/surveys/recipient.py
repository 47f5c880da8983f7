"""Whom a survey asks, what of it is stored, and whether they answered: by the id of the link, in every worker."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.http.exchange import Exchange
from app.surveys.question import MOST_DAYS, SurveyLink
from app.worker.resources import Resources
from events.authority import Authority
from events.consent import OF_WORD, Stated
from events.dialects.segment import read_single
from events.dialects.validation import Arrival, Reading
from events.store.keys import survey_answers_key
from kit.time import DAY_US, now_us, now_utc

CHANNEL: Final = "email"
LIBRARY: Final = "resonate-survey"


def read_of(link: SurveyLink, event: str, asked: Exchange, worker: Resources, score: int | None = None) -> Reading:
    """What became of the link, as any other event is read. Who may not be known answers as the visitor of this link.

    Who holds the link proved by that to be the user: nobody else was sent it. What the backend itself says by making
    one has its own authority.
    """
    answering = score is not None
    arrival = Arrival(
        received_at=now_us(),
        authority=asked.authority if not answering else Authority.PROVEN if link.user_id else Authority.PAGE,
        user_agent=asked.visitors_agent if answering else "",
        retention_us=worker.settings.retention_days * DAY_US,
        scrubber=worker.scrubber,
        network=worker.network_of(asked),
        site=link.site,
        consent=Stated(said=OF_WORD[link.consent]),
        scales=worker.heard.scales,
    )
    who = {"anonymousId": f"survey-{link.id}"} if link.user_id is None else {"userId": link.user_id}
    told = {"survey": link.survey, "kind": link.kind, "channel": CHANNEL}
    item: dict[str, Any] = {
        **who,
        "event": event,
        "messageId": f"{event}:{link.id}",
        "properties": told if score is None else {**told, "score": score},
        "context": {"library": {"name": LIBRARY}},
    }
    return read_single(item, 0, "track", arrival)


async def was_answered(link: SurveyLink, worker: Resources) -> bool:
    """Whether somebody pressed the button already. Raises StoreUnavailable."""
    [kept] = await worker.connection.ask_many([("HEXISTS", _key(link), link.id)])
    return bool(kept)


async def note_answered(link: SurveyLink, worker: Resources) -> None:
    """Notes it until the link is over; what is noted of links that are goes. Raises StoreUnavailable.

    Should the note be lost, the log still has one answer: that of a link has always the same messageId.
    """
    today = now_utc()
    over = [survey_answers_key((today - timedelta(days=days)).date().isoformat()) for days in range(1, MOST_DAYS)]
    await worker.connection.ask_many([("HSET", _key(link), link.id, "1"), ("UNLINK", *over)])


def _key(link: SurveyLink) -> str:
    return survey_answers_key(datetime.fromtimestamp(link.ends, UTC).date().isoformat())
