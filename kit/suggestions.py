"""Names that were probably meant where an unknown one was given."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

CUT_OFF: Final = 0.65  # of difflib's ratio: one wrong letter in three, two in six
MOST_COMPARED: Final = 20  # names: one comparison takes as long as hundreds of look-ups
LONGEST: Final = 100  # letters that are compared: what a stranger sends may be of any length


def nearest(name: str, known: Iterable[str], most: int = 1) -> tuple[str, ...]:
    """The known names that are near, in whichever case, the likeliest first; at most `most` of them.

    Where several may be named, those follow of which it is the first words. Of many known names those are compared that
    stand around it in order of their letters, from the first on and from the last on: a slip leaves one of both alone.
    """
    by_lower, given = {word.lower(): word for word in known}, name[:LONGEST].lower()
    if len(by_lower) > MOST_COMPARED:
        around = [*_around(given, by_lower, str), *_around(given, by_lower, _backwards)]
        by_lower = {word: by_lower[word] for word in around}
    begun = [word for word in by_lower if most > 1 and word.startswith((f"{given}_", f"{given}-", f"{given}."))]
    found = dict.fromkeys([*get_close_matches(given, by_lower, most, CUT_OFF), *begun])
    return tuple(by_lower[near] for near in found)[:most]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", *, lead: str = ", ", quote: str = "") -> str:
    """The end of a sentence about an unknown name: `, did you mean x?` where a known name is near, else `otherwise`.

    `lead` stands before the question and `quote` on both sides of the name.
    """
    return next((f"{lead}did you mean {quote}{near}{quote}?" for near in nearest(name, known)), otherwise)


def _around(given: str, words: Iterable[str], read: Callable[[str], str]) -> Sequence[str]:
    """The words that stand around a given one in the order in which they are read."""
    ordered, half = sorted(words, key=read), MOST_COMPARED // 4
    place = bisect_left(ordered, read(given), key=read)
    return ordered[max(0, place - half) : place + half]


def _backwards(word: str) -> str:
    return word[::-1]
