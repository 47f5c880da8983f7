"""The glossary: every name that an answer has and every word that may stand in it, with its one sentence."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.dashboard.forms import PageRoute
from app.dashboard.paging import Find, PageNumber, found, one_page
from app.dashboard.rendering import PAGE_HEADERS, page, root_of
from app.dashboard.signed_in import SignedIn
from app.glossary.entries import Explained, descriptions, entries
from app.http.errors import Problem
from kit.suggestions import nearest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MOST: Final = 3
WORDS: Final = 150  # a page
ALL: Final = ("The whole glossary", "/dashboard/glossary")


@router.get("/dashboard/glossary")
async def words_page(request: Request, signed: SignedIn, find: Find = "", number: PageNumber = 1) -> HTMLResponse:
    """Entries page by page, of those in whose name or sentences a text stands."""
    wanted = [each for each in entries() if found(find, each.name, each.name.replace("_", " "), *_said(each))]
    near = [] if wanted else nearest(find.strip().replace(" ", "_"), descriptions(), MOST)
    paged = one_page(wanted, number, WORDS)
    asked = {"find": find} if find else {}
    return page(request, signed, "glossary.html", paged=paged, letters=_letters(), find=find, asked=asked, near=near)


@router.get("/dashboard/glossary/{name}")
async def led_to_word(request: Request, signed: SignedIn, name: Annotated[str, Path(max_length=200)]) -> Response:
    """Leads to the entry of a name. Raises Problem 404 with the names that were probably meant."""
    if name in descriptions():
        number = list(descriptions()).index(name) // WORDS + 1
        return RedirectResponse(f"{root_of(request)}/dashboard/glossary?page={number}#{name}", 303, PAGE_HEADERS)
    near = nearest(name.replace(" ", "_"), descriptions(), MOST)
    places = [(each, f"/dashboard/glossary/{each}") for each in near]
    raise Problem(404, "unknown_term", f"the glossary has no {name!r}", members={"places": [*places, ALL]})


def _said(entry: Explained) -> tuple[str, ...]:
    return (entry.description, *entry.elsewhere.values())


def _letters() -> dict[str, str]:
    """The first name of each letter, as people look a word up."""
    first: dict[str, str] = {}
    for entry in entries():
        first.setdefault(entry.name[0].upper(), entry.name)
    return dict(sorted(first.items()))
