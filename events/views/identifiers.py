"""What the ids in the log tell by themselves: those that anybody guesses, and those that are e-mail addresses."""

from dataclasses import dataclass
from typing import Final

from events.authority import Authority
from events.engines.duckdb import EventLog
from events.engines.sql import Expression, Statement
from events.records import EXPOSURE, REFUSED
from events.views.orders import view
from kit.time import DAY_US

# The next one is known to whoever has one of them: a word perhaps, and at most 13 digits, as a count or a time has.
COUNTER: Final = "^[A-Za-z]{0,12}[-_.:#]?[0-9]{1,13}$"
EMAIL: Final = "^[^@ ]+@[^@ ]+[.][A-Za-z]{2,}$"
CONSENT_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class IdSurvey:
    """Of distinct ids: `users`, `emails` among them; `visitors` that pages told of, those that were `issued` and those
    that are `guessable`. In the last 30 days the answers that pages were given to see by the mode of consent (`none`:
    to those who refuse), and the visitors by it.
    """

    users: int
    emails: int
    visitors: int
    issued: int
    guessable: int
    answers: dict[str, int]
    visitors_by_consent: dict[str, int]


def looks(column: str, pattern: str) -> Expression:
    """Whether an id has the form of a pattern."""
    return Expression.of(f"coalesce(regexp_matches({column}, $pattern), FALSE)", pattern=pattern)


def is_guessable(column: str) -> Expression:
    """Whether a visitor id is a count or an e-mail address by its looks."""
    return looks(column, f"{COUNTER}|{EMAIL}")


def survey_ids(log: EventLog, now_us: int) -> IdSurvey:
    """Of the whole log. Raises DataDamaged."""
    backend, since = int(Authority.BACKEND), now_us - CONSENT_DAYS * DAY_US
    with log.open(log.snapshot()) as engine:
        [(users, emails)] = engine.rows(view("user_ids").bind(email=looks("i.id", EMAIL)))
        [(visitors, issued, guessable)] = engine.rows(
            view("visitor_ids").bind(backend=backend, guessable=is_guessable("i.id"))
        )
        bound: Statement = view("consented").bind(backend=backend, since=since, exposure=EXPOSURE, refused=REFUSED)
        answers, people = {"none": 0, "measure": 0, "personal": 0}, {"measure": 0, "personal": 0}
        for mode, told, known in engine.rows(bound):
            answers[mode] = int(told or 0)
            if mode in people:
                people[mode] = int(known)
    return IdSurvey(int(users), int(emails), int(visitors), int(issued), int(guessable), answers, people)
