"""The days before the demo's first start, as a backend reports them afterwards: who saw which variant, who bought.

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
        events += visit(crowd, visitor, page, moment_of_visit(visitor, number, now))
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


def moment_of_visit(visitor: SimulatedPerson, number: int, now: datetime) -> datetime:
    """The moment of the n-th visit: on one of the days that are over, more often in the evening."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = visitor.dice("arrival").triangular(OPENS, CLOSES, BUSIEST)
    return midnight - timedelta(days=1 + number % EARLIER_DAYS) + timedelta(hours=hour)
