"""The days before the demo's first start, as a backend reports them afterwards: who saw which variant, who bought, what
they said of it, and who was helped how soon.

What was assigned is asked of the service, which tells it of anybody at any time; nobody is told who was not assigned.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.demo.crowd import BATCH, CHOSEN_ANEW, EXPERIMENTS, Crowd, Event, send
from app.demo.shop import BROWSERS, SimulatedPerson

EARLIER_DAYS: Final = 3
VISITORS_A_DAY: Final = 600
OPENS, BUSIEST, CLOSES = 6.0, 19.0, 23.9  # hours of a day
SECONDS_APART: Final = 40  # between two things that a visitor does
ASKED: Final = 0.4  # shares of visitors, of those who are asked, of visitors, of tickets
ANSWER: Final = 0.5
NEED_HELP: Final = 0.06
REOPENED: Final = 0.1
ANSWERED_AFTER_HOURS: Final = 2.5
RESOLVED_AFTER_HOURS: Final = 9.0
SCORES: Final = {  # and how often each is given
    "csat": ((1, 2, 3, 4, 5), (4, 6, 14, 40, 36)),
    "nps": (tuple(range(11)), (3, 1, 1, 2, 2, 5, 6, 14, 22, 24, 20)),
    "ces": ((1, 2, 3, 4, 5, 6, 7), (25, 28, 20, 12, 8, 4, 3)),
}
REPORTED: Final = tuple(key for key in EXPERIMENTS if key not in CHOSEN_ANEW)
"""No earlier day is told of lists that are made for each visit: nobody knows what a list of then would have held."""


async def live_earlier_days(crowd: Crowd, now: datetime) -> None:
    """Reports the visits of the last three days. Told once more, none of them counts twice.

    Raises httpx.HTTPError.
    """
    visitors = [crowd.earlier_visitor(number) for number in range(EARLIER_DAYS * VISITORS_A_DAY)]
    asked = "\n".join(
        json.dumps(
            {
                "visitor_id": visitor.visitor_id,
                "attributes": {"device": visitor.device},
                "experiments": REPORTED,
                "consent": visitor.consent,
            }
        )
        for visitor in visitors
    )
    answer = await crowd.backend.post("/v1/personalize/batch", content=asked)
    answer.raise_for_status()
    pages = [json.loads(line) for line in answer.text.splitlines()]
    events: list[Event] = []
    for number, (visitor, page) in enumerate(zip(visitors, pages, strict=True)):
        arrived = moment_of_visit(visitor, number, now)
        events += visit(crowd, visitor, page, arrived)
        events += service(crowd, visitor, arrived, now)
    for start in range(0, len(events), BATCH):
        await send(crowd.backend, events[start : start + BATCH])


def visit(crowd: Crowd, visitor: SimulatedPerson, page: dict[str, Any], arrived: datetime) -> list[Event]:
    """What a visitor saw and did from a moment on, each event with its time and an id of its own."""
    seen = [
        crowd.track(visitor, "Experiment Viewed", {"experiment_id": key, "variation_id": answer["variant"]})
        for key, answer in page["experiments"].items()
        if answer["in_experiment"]
    ]
    told: list[Event] = [*seen, *crowd.looks(visitor, f"{visitor.visitor_id}-page"), *crowd.deeds(visitor, page)]
    later = [0] * len(seen) + [SECONDS_APART * step for step in range(len(told) - len(seen))]
    return [
        event
        | {
            "context": event["context"] | {"userAgent": BROWSERS[visitor.device]},
            "messageId": f"{visitor.visitor_id}-{number}",
            "timestamp": (arrived + timedelta(seconds=seconds)).isoformat(),
        }
        for number, (event, seconds) in enumerate(zip(told, later, strict=True))
    ]


def service(crowd: Crowd, visitor: SimulatedPerson, arrived: datetime, now: datetime) -> list[Event]:
    """Whether a visitor was asked what they think and what they said, and their ticket where they asked for help:
    until now, each event with its time and an id of its own.
    """
    dice = visitor.dice("service")
    told: list[tuple[float, Event]] = []  # hours after the visit began

    def tell(hours: float, event: str, **properties: Any) -> None:
        told.append((hours, crowd.track(visitor, event, properties)))

    if dice.random() < ASKED:
        survey = dice.choice(("csat", "nps", "ces"))
        tell(0.1, "Survey Shown", survey=survey)
        if dice.random() < ANSWER:
            score = dice.choices(*SCORES[survey])[0]
            tell(0.11, "Survey Answered", survey=survey, score=score, channel=dice.choice(("site", "email")))
    if dice.random() < NEED_HELP:
        ticket = {"ticket_id": f"ticket-{visitor.visitor_id}"}
        answered = dice.expovariate(1 / ANSWERED_AFTER_HOURS)
        resolved = answered + dice.expovariate(1 / RESOLVED_AFTER_HOURS)
        tell(0.2, "Ticket Opened", **ticket, channel=dice.choice(("email", "chat")), priority="normal")
        tell(0.2 + answered, "Ticket Answered", **ticket, by="agent")
        tell(0.2 + resolved, "Ticket Resolved", **ticket)
        if dice.random() < REOPENED:
            tell(3.0 + resolved, "Ticket Reopened", **ticket)
    timed = [(arrived + timedelta(hours=hours), event) for hours, event in told]
    return [
        event | {"messageId": f"{visitor.visitor_id}-service-{number}", "timestamp": moment.isoformat()}
        for number, (moment, event) in enumerate(timed)
        if moment <= now
    ]


def moment_of_visit(visitor: SimulatedPerson, number: int, now: datetime) -> datetime:
    """The moment of the n-th visit: on one of the days that are over, more often in the evening."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = visitor.dice("arrival").triangular(OPENS, CLOSES, BUSIEST)
    return midnight - timedelta(days=1 + number % EARLIER_DAYS) + timedelta(hours=hour)
