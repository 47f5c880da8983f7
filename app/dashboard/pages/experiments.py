"""The list of experiments: what each says, and what is wrong with the files."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.analysis.queries import ExperimentsQuery
from app.dashboard.rendering import answered, page
from app.dashboard.signed_in import SignedIn
from app.routes.dependencies import Worker

router = APIRouter(include_in_schema=False)


@router.get("/dashboard")
async def experiments_page(request: Request, signed: SignedIn, worker: Worker) -> HTMLResponse:
    """All of them."""
    return page(request, signed, "experiments.html", answer=await answered(worker, signed, ExperimentsQuery()))
