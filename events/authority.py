"""How far a record is believed: three words and their order, given once at the door and kept in every row."""

from enum import IntEnum
from typing import Final, Literal

Word = Literal["page", "proven", "backend"]
"""Who told of an event, the least believed first.
`page`: A page told it: anybody can send that.
`backend`: The shop's own service told it, with a secret key.
As everywhere: `proven`.
"""


class Authority(IntEnum):
    """Who vouches for an event. A greater one is believed before a lower one.

    A conclusion has the lowest authority of what it rests on, and evidence of a lower one is looked at only where no
    higher one exists; so nothing that pages send moves what backends said (integrity after Biba, 1977).
    """

    PAGE = 0  # a publishable key, which stands in every page: whoever reads the page can send it
    PROVEN = 1  # a publishable key, and a proof that this is the user whom the event names
    BACKEND = 2  # a secret key

    @property
    def word(self) -> str:
        """What exports and conditions say."""
        return self.name.lower()

    @property
    def knows_orders_alone(self) -> bool:
        """Whether an order may come without an id of whoever made it: a payment webhook knows none."""
        return self is Authority.BACKEND


# The same, looked up in one dict: who is asked for a member of an enumeration answers by Python code.
OF_PAGE: Final = Authority.PAGE
OF_BACKEND: Final = Authority.BACKEND
WORDS: Final = tuple(authority.word for authority in Authority)
"""In order of their rank."""


def of_word(word: str) -> Authority:
    """The authority of this name."""
    return Authority(WORDS.index(word))


def sender(*, secret: bool, proven: bool = False) -> Authority:
    """The authority of what comes with a key of this class, and for page keys with a proof of the user it names."""
    if secret:
        return Authority.BACKEND
    return Authority.PROVEN if proven else Authority.PAGE
