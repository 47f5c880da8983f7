"""Pages: a template and what it shows become HTML, with the headers of every page and the places it leads to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import Request
from fastapi.responses import HTMLResponse

from app.analysis.client import AnalysisError
from app.analysis.queries import Query
from app.dashboard.assets import versions
from app.dashboard.saying import unbroken
from app.dashboard.signed_in import Signed
from app.http.cold import EXCHANGE
from app.http.exchange import Exchange, Receive, Scope, Send
from app.keys.scopes import PersonScope
from app.routes.dependencies import analysed_for, refusal_told, resources_of
from app.worker.reads import PageQuestion
from app.worker.resources import Resources
from kit.tasks import in_slices

if TYPE_CHECKING:
    from jinja2 import Environment

PATIENCE_SECONDS: Final = 2.0  # what takes longer is still being computed, and the page shows what is known
PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",  # with `no-referrer` a browser posts forms with `Origin: null`
    "cache-control": "private, no-store",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry of the main navigation, for those who may see it."""

    path: str
    title: str
    scope: PersonScope


NAVIGATION: Final = (
    Destination("/dashboard", "Experiments", "read_results"),
    Destination("/dashboard/new", "New experiment", "export"),
    Destination("/dashboard/plan", "Calculator", "read_results"),
    Destination("/dashboard/program", "Program", "read_results"),
    Destination("/dashboard/metrics", "Metrics", "read_results"),
    Destination("/dashboard/events", "Events", "read_results"),
    Destination("/dashboard/cx", "Customers", "read_results"),
    Destination("/dashboard/recommendations", "Recommendations", "read_results"),
    Destination("/dashboard/visitor", "Visitor", "read_people"),
    Destination("/dashboard/operations", "Operations", "read_results"),
    Destination("/dashboard/glossary", "Glossary", "read_results"),
    Destination("/dashboard/audit", "Audit", "audit"),
    Destination("/dashboard/settings", "Settings", "read_results"),
)


@cache
def _environment() -> "Environment":
    """Loaded with the first page: a site whose pages nobody opens does not pay for them."""
    from app.dashboard.environment import environment

    return environment()


def page(request: Request, signed: Signed | None, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """A template with what it shows, for who is signed in; nobody is on the page where one signs in.

    Templates know besides: `root` (what paths of this service begin with), `here` (the path of this page), `signed`,
    `places` (the navigation) and `style`, `script` (addresses of what a page loads).
    """
    root = root_of(request)
    places = [place for place in NAVIGATION if signed is not None and signed.may(place.scope)]
    told = {
        "root": root,
        "here": request.url.path,
        "signed": signed,
        "places": places,
        **{name: f"{root}{path}" for name, path in versions().items()},
    }
    return SlicedPage(template, told | shown, status)


class SlicedPage(HTMLResponse):
    """A page that is rendered as it is sent, a little at a time: visitors are assigned by the same worker meanwhile."""

    def __init__(self, template: str, told: Mapping[str, Any], status: int) -> None:
        super().__init__(b"", status, PAGE_HEADERS)
        self._pieces = _environment().get_template(template).generate(told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what the template raises before anything is sent."""
        self._settle(await in_slices(self._pieces))
        await super().__call__(scope, receive, send)

    def whole(self) -> "SlicedPage":
        """The same at once, for who sends its body otherwise."""
        self._settle(self._pieces)
        return self

    def _settle(self, pieces: Iterable[str]) -> None:
        self.body = unbroken("".join(pieces)).encode()
        self.headers["content-length"] = str(len(self.body))


def root_of(request: Request) -> str:
    """What paths of this service begin with, as its pages see it."""
    exchange: Exchange = request.scope["state"][EXCHANGE]  # of a request to no route, too
    return resources_of(request).addresses.root(exchange.scope, exchange.headers)


async def answered(worker: Resources, signed: Signed, query: Query) -> Any:
    """What the analysis answers, as the JSON route of the same query serves it. Raises Problem with what it refused."""
    return msgspec.json.decode((await analysed_for(signed.email, worker, query)).body)


async def answered_soon(worker: Resources, signed: Signed, query: Query, *, young: float = 0.0) -> Any:
    """The same; where it takes longer what was answered in the last minutes, else None. It is computed on then.

    What was answered in the last `young` seconds is not asked for again.
    """
    catalogs = worker.catalogs
    question = PageQuestion(query, (catalogs.catalog.version, *map(str, catalogs.errors)))
    ask = partial(worker.analysis.ask, query, f"{signed.email}, for a page")  # what is quick waits behind none of these
    try:
        answer = await worker.reads.within(question, ask, PATIENCE_SECONDS, young=young)
    except AnalysisError as error:
        raise refusal_told(error) from None
    return None if answer is None else msgspec.json.decode(answer.body)
