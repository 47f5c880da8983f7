"""Settings: the tag to paste, keys, people, and where one is signed in."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.dashboard.forms import PageRoute
from app.dashboard.rendering import page
from app.dashboard.signed_in import SignedIn

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/dashboard/settings")
async def settings_page(request: Request, signed: SignedIn) -> HTMLResponse:
    """All that one may see of them."""
    return page(request, signed, "settings.html")
