"""Names that were probably meant where an unknown one was given."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

CUT_OFF: Final = 0.65  # of difflib's ratio: one wrong letter in three, two in six
LONGEST: Final = 100  # letters that are compared: what a stranger sends may be of any length


def nearest(name: str, known: Iterable[str], most: int = 1) -> tuple[str, ...]:
    """The known names that are near, in whichever case, the likeliest first; at most `most` of them.

    Where several may be named, those follow of which it is the first words.
    """
    by_lower, given = {word.lower(): word for word in known}, name[:LONGEST].lower()
    begun = [word for word in by_lower if most > 1 and word.startswith((f"{given}_", f"{given}-", f"{given}."))]
    found = dict.fromkeys([*get_close_matches(given, by_lower, most, CUT_OFF), *begun])
    return tuple(by_lower[near] for near in found)[:most]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", *, lead: str = ", ", quote: str = "") -> str:
    """The end of a sentence about an unknown name: `, did you mean x?` where a known name is near, else `otherwise`.

    `lead` stands before the question and `quote` on both sides of the name.
    """
    return next((f"{lead}did you mean {quote}{near}{quote}?" for near in nearest(name, known)), otherwise)
