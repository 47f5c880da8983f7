"""What may be done with a person's data, and the order of its three modes: the strictest of what is said holds."""

from enum import IntEnum
from typing import Final


class Consent(IntEnum):
    """How much a person allows; of several the lowest holds."""

    NONE = 0  # nothing with any id is stored, and nothing is answered that rests on one
    MEASURE = 1  # the visitor id alone is counted: no user, no traits, no history
    PERSONAL = 2  # all of the specification

    @property
    def word(self) -> str:
        """The mode as clients, rows and definitions write it."""
        return self.name.lower()


OF_WORD: Final = {mode.word: mode for mode in Consent}
