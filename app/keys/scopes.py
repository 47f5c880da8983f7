"""What a key may do: each scope with all its routes, in the one table that doors, OpenAPI, docs and tests read."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

KeyScope = Literal[
    "evaluate",
    "track",
    "recommend",
    "payload",
    "read_results",
    "export",
    "steer",
    "products",
    "read_people",
    "erase",
    "audit",
]
"""What a key may do.
`evaluate`: To ask for variants and messages.
`track`: To send events.
`recommend`: Here: To ask for products.
`payload`: Here: To fetch all experiments as a file.
`read_results`: To read results, metrics and health.
`export`: To fetch the log.
`steer`: To pause, resume and stop experiments, and to make preview links.
`products`: Here: To replace the catalogue of products.
`read_people`: To read what is held about a person.
`erase`: To erase a person.
`audit`: To read who did what, and which keys there are.
"""

SCOPES: Final[tuple[KeyScope, ...]] = get_args(KeyScope)
PAGE_SCOPES: Final[tuple[KeyScope, ...]] = ("evaluate", "track", "recommend", "payload")
OPEN: Final = frozenset(  # without a key
    {"/healthz", "/readyz", "/readyz/events", "/metrics", "/docs", "/docs.css", "/openapi.json", "/llms.txt",
     "/guides/{name:path}.md", "/resonate-{hash}.js",
     "/resonate-parts-{hash}.js", "/resonate.d.ts", "/dashboard/style.css", "/dashboard/script.js",
     "/dashboard/icon.svg", "/dashboard/sign-in", "/share/{token}", "/survey/{token}"}
)  # fmt: skip

ROUTES: Final[Mapping[KeyScope, tuple[str, ...]]] = {
    "evaluate": (
        "POST /ofrep/v1/evaluate/flags",
        "POST /ofrep/v1/evaluate/flags/{key}",
        "POST /v1/personalize",
        "POST /v1/personalize/batch",
        "POST /v1/visitor",
        "POST /api/eval/{key}",
        "GET /ofrep/v1/stream",
    ),
    "track": (
        *(f"POST /v1/{kind}" for kind in ("track", "page", "screen", "identify", "group", "alias", "batch")),
        *(f"POST /v1/{letter}" for letter in "tpsigab"),
        *(f"POST /rudder/v1/{kind}" for kind in ("track", "page", "screen", "identify", "group", "alias", "batch")),
        *(f"GET /v1/pixel/{kind}" for kind in ("track", "page", "identify")),
        "POST /v1/import",
        "POST /v1/surveys/links",
        "POST /beacon/v1/batch",
        "POST /v1/engagement",
        "POST /track",
        "POST /mp/collect",
        "GET /v1/projects/{key}/settings",
        "GET /sourceConfig",
        "POST /v1/visitors/{identifier:path}/proof",
        "DELETE /v1/visitors/{identifier:path}/proof",
    ),
    "recommend": ("POST /v1/recommendations", "GET /v1/recommendations/{product_id:path}"),
    "payload": ("GET /api/features/{key}", "GET /sub/{key}", "GET /resonate.js"),
    "read_results": (
        "GET /v1/plan",
        "GET /v1/experiments",
        "GET /v1/experiments/{key}",
        "GET /v1/experiments/{key}/results",
        "GET /v1/experiments/{key}/timeseries",
        "GET /v1/experiments/{key}/plan",
        "GET /v1/experiments/{key}/report",
        "GET /v1/results",
        "GET /v1/program",
        "GET /v1/holdouts",
        "GET /v1/holdouts/{key}/results",
        "GET /v1/metrics",
        "GET /v1/cx",
        "GET /v1/recommender",
        "GET /v1/events",
        "GET /v1/doctor",
        "GET /v1/operations",
        "GET /v1/events/rejected",
    ),
    "export": (
        "GET /v1/export/events",
        "GET /v1/experiments/{key}/units",
        "POST /v1/experiments/{key}/shares",
        "GET /v1/shares",
        "DELETE /v1/shares/{id}",
    ),
    "steer": (
        "POST /v1/experiments/{key}/start",
        "POST /v1/experiments/{key}/pause",
        "POST /v1/experiments/{key}/resume",
        "POST /v1/experiments/{key}/stop",
        "POST /v1/experiments/{key}/ship",
        "POST /v1/experiments/{key}/preview",
    ),
    "products": ("PUT /v1/products",),
    "read_people": ("GET /v1/visitors/{identifier:visitor}", "GET /v1/users/{identifier:path}"),
    "erase": (
        "DELETE /v1/visitors",
        "DELETE /v1/users",
        "DELETE /v1/visitors/{identifier:visitor}",
        "DELETE /v1/users/{identifier:path}",
        "GET /v1/erasures",
    ),
    "audit": ("GET /v1/keys", "GET /v1/audit"),
}
# What no key may, and a person who administers may: people, their roles and sessions, and keys.
PersonScope = KeyScope | Literal["people"]
Role = Literal["viewer", "editor", "publisher", "admin"]
ROLE_NAMES: Final[tuple[Role, ...]] = get_args(Role)
_GAINS: Final[Mapping[Role, tuple[PersonScope, ...]]] = {  # beside all of the role before it
    "viewer": ("read_results",),
    "editor": ("export",),
    "publisher": ("steer", "products"),
    "admin": ("read_people", "erase", "audit", "people"),
}
ROLES: Final[Mapping[Role, frozenset[PersonScope]]] = {
    role: frozenset(scope for each in ROLE_NAMES[: place + 1] for scope in _GAINS[each])
    for place, role in enumerate(ROLE_NAMES)
}
BY_ROUTE: Final[Mapping[str, KeyScope]] = {route: scope for scope, routes in ROUTES.items() for route in routes}


PAGES: Final[Mapping[str, PersonScope]] = {  # what a person needs, by their session; no key opens them
    "GET /dashboard": "read_results",
    "GET /dashboard/new": "export",
    "POST /dashboard/new/check": "export",
    "POST /dashboard/new/save": "export",
    "POST /dashboard/new/download": "export",
    "GET /dashboard/plan": "read_results",
    "GET /dashboard/program": "read_results",
    "GET /dashboard/metrics": "read_results",
    "GET /dashboard/events": "read_results",
    "POST /dashboard/events/visitor": "read_people",
    "GET /dashboard/visitor": "read_people",
    "POST /dashboard/visitor/look": "read_people",
    "POST /dashboard/visitor/preview": "erase",
    "POST /dashboard/visitor/erase": "erase",
    "GET /dashboard/cx": "read_results",
    "GET /dashboard/recommendations": "read_results",
    "POST /dashboard/recommendations/visitor": "read_people",
    "GET /dashboard/operations": "read_results",
    "GET /dashboard/glossary": "read_results",
    "GET /dashboard/glossary/{name}": "read_results",
    "GET /dashboard/experiments/{key}": "read_results",
    "POST /dashboard/experiments/{key}/start": "steer",
    "POST /dashboard/experiments/{key}/pause": "steer",
    "POST /dashboard/experiments/{key}/resume": "steer",
    "POST /dashboard/experiments/{key}/stop": "steer",
    "POST /dashboard/experiments/{key}/ship": "steer",
    "POST /dashboard/experiments/{key}/preview": "steer",
    "GET /dashboard/settings": "read_results",
    "POST /dashboard/settings/end-session": "read_results",  # one's own; those of others need `people`
    "POST /dashboard/sign-out": "read_results",
    "POST /dashboard/settings/add-person": "people",
    "POST /dashboard/settings/link": "people",
    "POST /dashboard/settings/role": "people",
    "POST /dashboard/settings/remove-person": "people",
    "POST /dashboard/settings/new-key": "people",
    "POST /dashboard/settings/revoke-key": "people",
    "GET /dashboard/experiments/{key}/report": "read_results",
    "GET /dashboard/shares": "export",
    "POST /dashboard/shares/new": "export",
    "POST /dashboard/shares/take-back": "export",
    "GET /dashboard/audit": "audit",
    "GET /dashboard/audit.csv": "audit",
}


def scope_needed(method: str, route: str) -> PersonScope | None:
    """The scope that a route asks of a key or a person, by the name of the OpenAPI; None where it needs no key.

    Raises KeyError for one that the table lacks: a route that nobody thought about is nobody's.
    """
    named = f"{'GET' if method == 'HEAD' else method} {route}"
    return None if route in OPEN else PAGES.get(named) or BY_ROUTE[named]
