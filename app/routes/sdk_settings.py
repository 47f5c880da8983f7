"""What the browser SDKs of Segment and RudderStack fetch before they start."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from app.http.admission import admit_key, presented, stranger
from app.routes.dependencies import Asked, Worker

router = APIRouter(tags=["Tracking"])

PublishableKey = Annotated[str, Path(max_length=512, description="A publishable key.")]


@router.get("/v1/projects/{key}/settings", summary="Settings of Segment's browser SDK")
async def segment_settings(key: PublishableKey, asked: Asked, worker: Worker) -> JSONResponse:
    admit_key(asked, worker.access, key.encode(), in_address=True)
    address = worker.addresses.of(asked.scope, asked.headers)
    everything = {"__default": {"enabled": True, "integrations": {}}}
    told: dict[str, Any] = {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{address.place}/v1",
                **({"protocol": address.scheme} if address.scheme else {}),  # without one the SDK takes https
                "unbundledIntegrations": [],
                "addBundledMetadata": False,
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": everything, "identify": everything, "group": everything},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
    return JSONResponse(told, headers={"cache-control": address.caching})


@router.get("/sourceConfig", summary="Settings of RudderStack's browser SDK")
async def rudderstack_settings(asked: Asked, worker: Worker) -> JSONResponse:
    found = presented(asked)
    if found is None:
        raise stranger(asked, worker.access, None)
    key, in_address = found
    admit_key(asked, worker.access, key, in_address=in_address)
    quiet = {"enabled": False}
    told: dict[str, Any] = {
        "source": {
            "id": "resonate",
            "name": "resonate",
            "writeKey": key.decode(),
            "enabled": True,
            "workspaceId": "resonate",
            "config": {"statsCollection": {"errors": quiet, "metrics": quiet}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
        "consentManagementMetadata": {"providers": []},
    }
    return JSONResponse(told, headers={"cache-control": "no-store"})
