"""Surveys by e-mail: a backend makes a link for one person, whose answer is stored once, when a button is pressed.

Programs that look at the links of mails open addresses and press nothing: so `GET` shows and `POST` answers.
"""

import logging
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from msgspec import Meta

from app.dashboard.forms import form_fields
from app.http.body import decode, told_id
from app.http.errors import Problem, retry_later
from app.http.exchange import Exchange
from app.intake.tracking import not_stored, stored
from app.management.openapi import json_body
from app.routes.dependencies import Anyone, Asked, Secret, Worker
from app.runtime.data_directory import DataDirectory
from app.surveys.asking import links_at, question_page, said_page
from app.surveys.question import MOST_DAYS, SCALES, SurveyKind, SurveyLink
from app.surveys.recipient import note_answered, read_of, was_answered
from app.worker.resources import Resources
from events.consent import NONE, PERSONAL, ConsentWord
from events.dialects.validation import Reading
from events.records import SURVEY_ANSWERED, SURVEY_SCALES, SURVEY_SHOWN
from events.store.availability import StoreUnavailable
from kit.time import now_seconds

logger = logging.getLogger(__name__)
router = APIRouter(tags=["Surveys"])

SURVEYS: Final = "/survey"
MOST_QUESTION: Final = 300
MOST_NAME: Final = 100
NEVER_STORED: Final = {"cache-control": "no-store"}
NO_KIND: Final = "nothing says on which scale it is answered: send kind nps, csat or ces"
REFUSES: Final = "this user refuses everything (consent none), so nobody asks them"
UNKNOWN: Final = (
    "There is no question at this address. Perhaps the link was cut off in the mail: open it from there once more."
)
OVER: Final = "This link is over: answers were taken until {}. Nothing was stored."
ANSWERED: Final = "This question was answered already by this link. Your first answer holds."
STORED: Final = "Your answer is stored. You may close this page."
LATER: Final = "Your answer could not be stored just now. Go back and press the button once more in a minute."
NOT_SHOWN: Final = "The question cannot be shown just now. Open the link once more in a minute."
CHOOSE: Final = "Choose one of the numbers first."
WANTED: Final = json_body(
    {
        "type": "object",
        "required": ["survey", "user_id"],
        "additionalProperties": False,
        "properties": {
            "survey": {"type": "string", "pattern": "\\S", "maxLength": MOST_NAME, "description": "Its free name."},
            "kind": {
                "type": "string",
                "enum": list(SURVEY_SCALES),
                "description": "What is asked; it may be left out where the survey is called so.",
            },
            "user_id": {
                "type": ["string", "integer"],
                "description": "Who is asked, as events name the user. No address tells it.",
            },
            "days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": 30},
            "question": {
                "type": "string",
                "maxLength": MOST_QUESTION,
                "description": "In your own words; else one in English.",
            },
            "consent": {
                "type": "string",
                "enum": ["none", "measure", "personal"],
                "description": "What this user allows. `measure` stores the answer without its user. Without it that "
                "of the shop's backends holds.",
            },
        },
    },
    {"survey": "after delivery", "kind": "nps", "user_id": "u-1042", "days": 14},
)
SHOWN: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": description, "content": {"text/html": {}}}
    for status, description in (
        (200, "The question, or that the answer is stored."),
        (400, "The question, and what is wrong with the answer."),
        (404, "A page that says that no question is there."),
        (405, "A page that says how it is answered."),
        (410, "A page that says that the link is over, or was answered already."),
        (429, "A page that says when to try again."),
        (503, "A page that says that nothing can be stored now."),
    )
}


class LinkWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is asked what, for how long, in which words."""

    survey: Annotated[str, Meta(max_length=MOST_NAME, pattern=r"\S")]
    user_id: Any
    kind: SurveyKind | None = None
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 30
    question: Annotated[str, Meta(max_length=MOST_QUESTION)] = ""
    consent: ConsentWord | None = None


WANTED_DECODER: Final = msgspec.json.Decoder(LinkWanted)
Token = Annotated[str, Path(description="What the link ends with.")]
Proposed = Annotated[
    str | None, Query(alias="score", max_length=10, description="The number that is chosen when the page opens.")
]


@router.post(
    "/v1/surveys/links",
    summary="A link by which one person answers a survey, once",
    status_code=201,
    openapi_extra=WANTED,
)
async def survey_link(request: Request, _: Secret, asked: Asked, worker: Worker) -> JSONResponse:
    """For an e-mail: the page behind it shows the question, and its button stores the answer. Making a link counts as
    asking (`Survey Shown`). `?score=9` behind the address chooses a number, which counts only once the button is
    pressed.
    """
    wanted = decode(await request.body(), WANTED_DECODER)
    told = _told(wanted, asked, worker)
    try:
        link, token = links_at(_key_file(worker)).make(wanted.days, **told)
        await _append(read_of(link, SURVEY_SHOWN, asked, worker), worker)
    except OSError as error:
        raise retry_later(503, "survey_key_not_kept", f"no key can be kept for links: {error}", 60) from None
    except StoreUnavailable as unavailable:
        raise not_stored(worker, unavailable) from None
    url = f"{worker.addresses.of(asked.scope, asked.headers).url}{SURVEYS}/{token}"
    return JSONResponse({"id": link.id, "url": url, "expires_at": link.ends_at}, 201, NEVER_STORED)


@router.get("/survey/{token}", summary="The question of a survey's link", responses=SHOWN)
async def survey_page(token: Token, _: Anyone, worker: Worker, score: Proposed = None) -> Response:
    """Needs no key, and stores nothing: programs that read mails open it too."""
    link = await _opened(token, worker)
    return link if isinstance(link, HTMLResponse) else question_page(link, link.score(score))


@router.post("/survey/{token}", summary="The answer to a survey", responses=SHOWN)
async def survey_answered(token: Token, request: Request, _: Anyone, asked: Asked, worker: Worker) -> Response:
    """The form of the page. The first answer of a link is stored, in whichever worker it comes."""
    link = await _opened(token, worker)
    if isinstance(link, HTMLResponse):
        return link
    score = link.score((await form_fields(request)).get("score"))
    if score is None:
        return question_page(link, None, CHOOSE, 400)
    try:
        before = await _append(read_of(link, SURVEY_ANSWERED, asked, worker, score), worker)
    except StoreUnavailable as unavailable:
        return said_page("Not now", LATER, 503, {"retry-after": str(unavailable.retry_after_seconds)})
    with suppress(StoreUnavailable):  # the log has one answer of each link, whatever is noted
        await note_answered(link, worker)
    return said_page("Answered already", ANSWERED, 410) if before else said_page("Thank you", STORED, 200)


def is_survey(path: str) -> bool:
    """Whether who asks for an address answers a survey, or would."""
    return path == SURVEYS or path.startswith(f"{SURVEYS}/")


def survey_refused(problem: Problem) -> HTMLResponse:
    """What is answered where such an address cannot be, or cannot be in this way."""
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    if problem.status == 404:
        return said_page("No question", UNKNOWN, 404)
    if problem.status >= 500 or problem.status == 429:
        return said_page("Not now", NOT_SHOWN, problem.status, headers)
    return said_page("That cannot be read", CHOOSE, problem.status, headers)


def _told(wanted: LinkWanted, asked: Exchange, worker: Resources) -> dict[str, Any]:
    """What is wanted, as a link has it. Raises Problem 400 or 409."""
    kind = wanted.kind or next((each for each in SCALES if each == wanted.survey.strip().casefold()), None)
    if kind is None:
        raise Problem(400, "survey_of_no_kind", f"kind: {NO_KIND}")
    user = told_id(wanted.user_id, "user_id")
    if user is None:
        raise Problem(400, "invalid_id", "user_id: it is missing; send the id by which events name the user")
    consent = worker.consent_of_events(asked).of_event(None, wanted.consent)
    if consent is NONE:
        raise Problem(409, "consent_none", REFUSES)
    return {
        "survey": wanted.survey,
        "kind": kind,
        "user_id": user if consent is PERSONAL else None,
        "consent": "personal" if consent is PERSONAL else "measure",
        "question": wanted.question.strip(),
        "site": asked.grant.site if asked.grant else None,
    }


async def _opened(token: str, worker: Resources) -> SurveyLink | HTMLResponse:
    """The link that may still be answered, else the page that says why it may not."""
    try:
        link = links_at(_key_file(worker)).open(token)
        if link is None:
            return said_page("No question", UNKNOWN, 404)
        if link.ends <= now_seconds():
            return said_page("This question is closed", OVER.format(link.ends_at[:10]), 410)
        if await was_answered(link, worker):
            return said_page("Answered already", ANSWERED, 410)
    except (OSError, StoreUnavailable) as error:
        logger.warning("a survey is not shown: %s", error)
        return said_page("Not now", NOT_SHOWN, 503, {"retry-after": "5"})
    return link


async def _append(reading: Reading, worker: Resources) -> int:
    """Stores what was read; how many of it were stored before. Raises StoreUnavailable."""
    appended = await worker.stream.append(reading.records)
    stored(reading, worker, (), reading.records, appended.duplicates)
    return appended.duplicates


def _key_file(worker: Resources) -> FilePath:
    return DataDirectory(worker.settings.data).survey_key_file
