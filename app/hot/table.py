"""The paths of the fast tier and who answers them."""

from typing import Final

from app.hot.dispatch import HotRoute, PathTable
from app.hot.growthbook import Features, ingest
from app.hot.ofrep import Ofrep
from app.hot.personalize import Personalize
from app.hot.recommendations import recommendations
from app.hot.tracking import Tracking
from events.records import ALIAS, ENGAGEMENT, GROUP, IDENTIFY, PAGE, SCREEN, TRACK

KINDS: Final = (TRACK, PAGE, SCREEN, IDENTIFY, GROUP, ALIAS)


def path_table() -> PathTable:
    """Every hot path, by exact path or by the prefix before its last segment."""
    ofrep = Ofrep()
    evaluate = HotRoute("/ofrep/v1/evaluate/flags/{key}", "POST", ofrep.evaluate)
    return PathTable(
        exact={
            "/ofrep/v1/evaluate/flags": HotRoute("/ofrep/v1/evaluate/flags", "POST", ofrep.evaluate_all),
            "/v1/personalize": HotRoute("/v1/personalize", "POST", Personalize()),
            "/v1/recommendations": HotRoute("/v1/recommendations", "POST", recommendations),
            "/v1/engagement": HotRoute("/v1/engagement", "POST", Tracking(ENGAGEMENT)),
            "/track": HotRoute("/track", "POST", ingest),
            **_tracking(),
        },
        below={
            "/ofrep/v1/evaluate/flags/": evaluate,
            "/api/features/": HotRoute("/api/features/{key}", "GET", Features(), public=True),
        },
    )


def _tracking() -> dict[str, HotRoute]:
    routes: dict[str, HotRoute] = {}
    for kind in (*KINDS, None):
        handler = Tracking(kind)
        name = kind or "batch"
        for path in (f"/v1/{name}", f"/v1/{name[0]}"):
            routes[path] = HotRoute(path, "POST", handler)
    return routes
