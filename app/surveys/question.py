"""What a survey asks, on which scale, and whom: one question to one person."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from events.consent import StoredConsent
from kit.time import SECOND_US, iso, moment_of

SurveyKind = Literal["nps", "csat", "ces"]
MOST_DAYS: Final = 90


class Scale(NamedTuple):
    """From where to where a kind of survey is answered, what both ends mean, and what is asked by default."""

    lowest: int
    highest: int
    low: str
    high: str
    question: str


SCALES: Final[Mapping[SurveyKind, Scale]] = {
    # the same that docs/definitions.md says of the metric types
    "nps": Scale(0, 10, "not at all likely", "extremely likely", "How likely are you to recommend us to a friend?"),
    "csat": Scale(1, 5, "very dissatisfied", "very satisfied", "How satisfied are you?"),
    "ces": Scale(1, 7, "hardly any effort", "a lot of effort", "How much effort did it take you?"),
}


class SurveyLink(msgspec.Struct, frozen=True, array_like=True):
    """One question to one person, until `ends` (epoch seconds). `id` tells it from all others; `user_id` is None where
    no more than a visitor may be known. `question` is in the shop's own words, or empty; `site` that of the key.
    """

    id: str
    survey: str
    kind: SurveyKind
    user_id: str | None
    consent: StoredConsent
    ends: int
    question: str = ""
    site: str | None = None

    @property
    def scale(self) -> Scale:
        """On which it is answered."""
        return SCALES[self.kind]

    @property
    def ends_at(self) -> str:
        """Until when it may be answered, in UTC."""
        return iso(moment_of(self.ends * SECOND_US))

    def score(self, told: str | None) -> int | None:
        """The answer that a form or an address says; None where that is none of the scale."""
        found = int(told) if told is not None and told.isascii() and told.isdigit() and len(told) <= 2 else None
        return found if found is not None and self.scale.lowest <= found <= self.scale.highest else None
