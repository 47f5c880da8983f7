"""Who asks: how far the user that a request names is believed, and whose past its answer may rest on."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from events.authority import Authority, sender
from events.records import user_person, visitor_person

UserWord = Literal["proven", "unproven", "absent"]
"""Whether the user that a request names is believed.
`proven`: Proven: by a token of the shop's backend, or a log-in that it told of.
`unproven`: Not believed: everybody can name a user.
`absent`: No user was named.
"""
UserBecause = Literal[
    "no_token", "expired", "bad_signature", "unknown_key", "not_this_user", "not_this_visitor", "malformed"
]
"""Why a user is not believed.
`no_token`: No token came with the user.
`expired`: It is over.
`bad_signature`: The token's signature is wrong.
`unknown_key`: The token was signed with a key that is not known here.
`not_this_user`: The token is of another user.
`not_this_visitor`: The token is of another visitor.
`malformed`: The token cannot be read.
"""
DOUBTS: Final[tuple[UserBecause, ...]] = get_args(UserBecause)


@dataclass(frozen=True, slots=True)
class Standing:
    """What every answer says of the user that its request named, and why one is not proven."""

    user: UserWord
    because: UserBecause | None = None
    told: bytes = field(init=False)  # the members of a JSON object, with a comma before each
    authority: Authority = field(init=False)  # of what a page says of this user

    def __post_init__(self) -> None:
        because = "" if self.because is None else f',"user_because":"{self.because}"'
        object.__setattr__(self, "told", f',"user":"{self.user}"{because}'.encode())
        object.__setattr__(self, "authority", sender(secret=False, proven=self.user == "proven"))

    @property
    def words(self) -> dict[str, Any]:
        """The same members, for answers that are encoded as a whole."""
        return {"user": self.user} | ({} if self.because is None else {"user_because": self.because})


ABSENT: Final = Standing("absent")
PROVEN: Final = Standing("proven")
UNPROVEN: Final = {because: Standing("unproven", because) for because in DOUBTS}


def people_asking(authority: Authority, visitor_id: str | None, user_id: str | None) -> tuple[str, ...]:
    """The people whose purchases may be read for who asks, the user before the visitor.

    A page is answered for its visitor id alone, whatever user it names: everybody can name one. A backend that names a
    visitor may mean one of its users.
    """
    people: list[str] = []
    if authority > Authority.PAGE and user_id:
        people.append(user_person(user_id))
    if visitor_id:
        if authority is Authority.BACKEND and not user_id:
            people.append(user_person(visitor_id))
        people.append(visitor_person(visitor_id))
    return tuple(people)
