"""How the service is, for who runs it: what is wrong and what ends it, what comes in, and what room is left."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.dashboard.forms import PageRoute
from app.dashboard.rendering import page
from app.dashboard.signed_in import SignedIn
from app.management.operations import operations_of
from app.routes.dependencies import Worker

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/dashboard/operations")
async def operations_page(request: Request, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """All of it, by what holds now."""
    return page(request, signed, "operations.html", answer=await operations_of(worker, request.app.version))
