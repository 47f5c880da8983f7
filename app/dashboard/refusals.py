"""What a page cannot show is a page too: in words, with the status kept, and with what leads on."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import Response

from app.dashboard.rendering import PAGE_HEADERS, SlicedPage, page, root_of
from app.glossary.entries import descriptions
from app.http.cold import EXCHANGE
from app.http.dispatch import failure, problem_of
from app.http.errors import Problem
from app.http.exchange import Exchange, HttpAnswer
from app.keys.scopes import PAGES
from app.worker.resources import Resources
from kit.suggestions import nearest

HOME: Final = "/dashboard"
EXPERIMENT: Final = "/dashboard/experiments/"
ADDRESSES: Final = tuple(name.removeprefix("GET ") for name in PAGES if name.startswith("GET ") and "{" not in name)
TITLES: Final[Mapping[int, str]] = {
    400: "That cannot be read",
    403: "You may not do this",
    404: "There is no such page",
    405: "That is not how this is done",
    408: "That took too long to arrive",
    409: "Not twice at once",
    413: "That is too much at once",
    414: "That address is too long",
    415: "That cannot be read",
    429: "That is too much at once",
    503: "Not now",
}
OTHERWISE: Final = "That did not work"
Place = tuple[str, str]  # what it is called, and its address


def is_page(path: str, resources: Resources) -> bool:
    """Whether who asks for an address looks at pages."""
    return resources.settings.dashboard == "on" and (path == HOME or path.startswith(f"{HOME}/"))


def refusal_page(request: Request, problem: Problem) -> Response:
    """The page of a problem; one that leads elsewhere has none."""
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    if problem.status < 400:
        return Response(status_code=problem.status, headers=PAGE_HEADERS | headers)
    signed = getattr(request.state, "signed", None)
    shown = page(
        request,
        signed,
        "refusal.html",
        problem.status,
        title=TITLES.get(problem.status, OTHERWISE),
        problem=problem,
        meant=places_meant(request.url.path, problem, resources_of_page(request), known=signed is not None),
        wait=headers.get("retry-after"),
        explained=signed is not None and problem.code in descriptions(),
    )
    shown.headers.update(headers)
    return shown


def places_meant(path: str, problem: Problem, resources: Resources, *, known: bool) -> list[Place]:
    """Where who asked for this most likely wanted to go; experiments are named to who is `known` alone."""
    given: Any = problem.members.get("places", ())
    found: list[Place] = list(given)
    if problem.status == 404 and path.startswith(EXPERIMENT):
        key = path.removeprefix(EXPERIMENT).partition("/")[0]
        keys = nearest(key, resources.catalogs.catalog.experiments, 3) if known else ()
        found += [(each, f"{EXPERIMENT}{each}") for each in keys]
    elif problem.code == "not_found" and not found:  # of what else is not there the page knows better names
        found += [(each.rpartition("/")[2].capitalize(), each) for each in nearest(path, ADDRESSES, 3) if each != HOME]
    return found


def resources_of_page(request: Request) -> Resources:
    """The worker's resources."""
    return request.app.state.resources


def failing_as_pages(application: FastAPI, error: BaseException, exchange: Exchange) -> HttpAnswer:
    """What fails outside of a handler, too, is a page for who looks at pages."""
    scope = exchange.scope
    if not is_page(scope["path"], application.state.resources):
        return failure(error, exchange)
    scope["app"] = application
    scope.setdefault("state", {})[EXCHANGE] = exchange
    shown = refusal_page(Request(scope), problem_of(error, exchange))
    if isinstance(shown, SlicedPage):
        shown.whole()
    return HttpAnswer(shown.status_code, bytes(shown.body), b"", shown.raw_headers)


def wants_pages(accept: bytes) -> bool:
    """Whether a client takes HTML, as browsers say that they do."""
    kinds = [kind.replace(b" ", b"").lower().split(b";") for kind in accept.split(b",")]
    return any(kind[0] == b"text/html" and b"q=0" not in kind for kind in kinds)


def to_pages(request: Request) -> Response:
    """303: leads from the root of the service to its pages."""
    return Response(status_code=303, headers=PAGE_HEADERS | {"location": f"{root_of(request)}{HOME}/"})
