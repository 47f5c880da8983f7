"""The glossary: every name that an answer has and every word that may stand in it, with its one sentence."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.dashboard.forms import PageRoute
from app.dashboard.paging import Find, found
from app.dashboard.rendering import PAGE_HEADERS, page, root_of
from app.dashboard.signed_in import SignedIn
from app.glossary.entries import descriptions, entries
from app.http.errors import Problem
from kit.suggestions import nearest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MOST: Final = 3


@router.get("/dashboard/glossary")
async def words_page(request: Request, signed: SignedIn, find: Find = "") -> HTMLResponse:
    """All entries, or those alone in whose name or sentence a text stands."""
    wanted = [each for each in entries() if found(find, each.name, each.name.replace("_", " "), each.description)]
    near = [] if wanted else nearest(find.strip().replace(" ", "_"), descriptions(), MOST)
    return page(request, signed, "glossary.html", entries=wanted, find=find, near=near)


@router.get("/dashboard/glossary/{name}")
async def led_to_word(request: Request, signed: SignedIn, name: Annotated[str, Path(max_length=200)]) -> Response:
    """Leads to the entry of a name. Raises Problem 404 with the names that were probably meant."""
    if name in descriptions():
        return RedirectResponse(f"{root_of(request)}/dashboard/glossary#{name}", 303, PAGE_HEADERS)
    near = nearest(name.replace(" ", "_"), descriptions(), MOST)
    places = [(each, f"/dashboard/glossary#{each}") for each in near]
    raise Problem(404, "unknown_term", f"the glossary has no {name!r}", members={"places": [*places, ALL]})


ALL: Final = ("The whole glossary", "/dashboard/glossary")
