"""Names that were probably meant where an unknown one was given."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

CUT_OFF: Final = 0.65  # of difflib's ratio: one wrong letter in three, two in six
MOST_COMPARED: Final = 20  # names: one comparison takes as long as hundreds of look-ups
LONGEST: Final = 100  # letters that are compared: what a stranger sends may be of any length


class Names:
    """Known names, in their order: whoever asks often asks one of these, and pays for the order once."""

    def __init__(self, known: Iterable[str]) -> None:
        self._by_lower = {word.lower(): word for word in known}
        self._forwards = sorted(self._by_lower)
        self._backwards = sorted(word[::-1] for word in self._by_lower)

    def nearest(self, name: str, most: int = 1) -> tuple[str, ...]:
        """The known names that are near, in whichever case, the likeliest first; at most `most` of them.

        Where several may be named, those follow of which it is the first words. Of many known names those are compared
        that stand around it in order of their letters, from the first on and from the last on: a slip leaves one of
        both alone.
        """
        given = name[:LONGEST].lower()
        words: Iterable[str] = self._by_lower
        if len(self._by_lower) > MOST_COMPARED:
            ends = _around(given[::-1], self._backwards)
            words = dict.fromkeys([*_around(given, self._forwards), *[word[::-1] for word in ends]])
        begun = [word for word in words if most > 1 and word.startswith((f"{given}_", f"{given}-", f"{given}."))]
        found = dict.fromkeys([*get_close_matches(given, words, most, CUT_OFF), *begun])
        return tuple(self._by_lower[near] for near in found)[:most]


def nearest(name: str, known: Iterable[str] | Names, most: int = 1) -> tuple[str, ...]:
    """Those of the known names that are near, as `Names.nearest` finds them."""
    return (known if isinstance(known, Names) else Names(known)).nearest(name, most)


def did_you_mean(
    name: str, known: Iterable[str] | Names, otherwise: str = "", *, lead: str = ", ", quote: str = ""
) -> str:
    """The end of a sentence about an unknown name: `, did you mean x?` where a known name is near, else `otherwise`.

    `lead` stands before the question and `quote` on both sides of the name.
    """
    return next((f"{lead}did you mean {quote}{near}{quote}?" for near in nearest(name, known)), otherwise)


def _around(given: str, ordered: Sequence[str]) -> Sequence[str]:
    """The words that stand around a given one."""
    place, half = bisect_left(ordered, given), MOST_COMPARED // 4
    return ordered[max(0, place - half) : place + half]
