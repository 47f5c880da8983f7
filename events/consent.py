"""What may be done with a person's data, and the order of its three modes: the strictest of what is said holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final, Literal

ConsentWord = Literal["none", "measure", "personal"]
StoredConsent = Literal["measure", "personal"]  # of a row: of `none` there is none


class Consent(IntEnum):
    """How much a person allows; of several the lowest holds."""

    NONE = 0  # nothing with any id is stored, and nothing is answered that rests on one
    MEASURE = 1  # the visitor id alone is counted: no user, no traits, no history
    PERSONAL = 2  # all of the specification

    @property
    def word(self) -> str:
        """The mode as clients, rows and definitions write it."""
        return self.name.lower()


# The same, looked up in one dict: who is asked for a member of an enumeration answers by Python code.
NONE: Final = Consent.NONE
PERSONAL: Final = Consent.PERSONAL
# Why an event is not stored that names a user, and no visitor, where no more than a visitor may be known.
USER_ALONE: Final = "user_alone"
OF_WORD: Final = {mode.word: mode for mode in Consent}


class UnknownConsent(ValueError):
    """What was said is none of the three modes. The message names the place and the three, never what was said."""

    def __init__(self, place: str, right: str = "it must be none, measure or personal") -> None:
        super().__init__(f"{place}: {right}")


def mode_of(told: Any, place: str) -> Consent | None:
    """The mode that a value says; None where it is null. Raises UnknownConsent."""
    if told is None:
        return None
    mode = OF_WORD.get(told) if type(told) is str else None
    if mode is None:
        raise UnknownConsent(place)
    return mode


def strictest(modes: Iterable[Consent | None]) -> Consent | None:
    """The lowest of those that say something; None where nobody does."""
    return min((mode for mode in modes if mode is not None), default=None)


@dataclass(frozen=True, slots=True)
class Categories:
    """Those of Segment's `categoryPreferences` that stand for our modes."""

    measure: str
    personal: str

    def mode(self, preferences: Any, place: str) -> Consent | None:
        """What preferences by category say: a category that is not granted is refused, and who may not be measured may
        not be known; None where neither is named. Raises UnknownConsent.
        """
        if type(preferences) is not dict or any(type(granted) is not bool for granted in preferences.values()):
            raise UnknownConsent(place, "it must be an object of categories, each true or false")
        if self.measure not in preferences and self.personal not in preferences:
            return None
        if not preferences.get(self.measure, False):
            return Consent.NONE
        return Consent.PERSONAL if preferences.get(self.personal, False) else Consent.MEASURE


@dataclass(frozen=True, slots=True)
class Stated:
    """What a request says for all of its events (`said`), and what holds for those about which nothing is said."""

    said: Consent | None = None
    unsaid: Consent = Consent.PERSONAL
    categories: Categories | None = None

    def of_event(self, context: Any, own: Any = None) -> Consent:
        """The mode of one event, by its `context.consent`, and by its `consent` where its dialect has one.

        Raises UnknownConsent.
        """
        told = context.get("consent") if type(context) is dict else None
        if told is None and own is None:
            return self.unsaid if self.said is None else self.said
        found = self._with(told, own)
        return self.unsaid if found is None else found

    def of_batch(self, context: Any, own: Any) -> "Stated":
        """The same for the events of a batch that says it for all of them. Raises UnknownConsent."""
        told = context.get("consent") if type(context) is dict else None
        return replace(self, said=self._with(told, own))

    def _with(self, told: Any, own: Any) -> Consent | None:
        among = by_category = None
        if told is not None and told != []:  # PHP writes an object without members so
            if type(told) is not dict:
                raise UnknownConsent("context.consent", "it must be an object")
            among = mode_of(told.get("resonate"), "context.consent.resonate")
            preferences = told.get("categoryPreferences")
            if preferences is not None and self.categories is not None:
                by_category = self.categories.mode(preferences, "context.consent.categoryPreferences")
        return strictest((self.said, mode_of(own, "consent"), among, by_category))


SILENT: Final = Stated()
