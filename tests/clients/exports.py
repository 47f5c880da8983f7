"""What the export has of all that clients sent."""

import json
from typing import Any

from servers.patience import until
from servers.service import Service


def rows_of(service: Service) -> list[dict[str, Any]]:
    """Every row, once nothing is pending."""

    def drained() -> tuple[list[dict[str, Any]]] | None:
        with service.client() as backend:
            answer = backend.get("/v1/export/events", params={"limit": 10_000})
        done = answer.headers["x-resonate-pending"] == "0"
        return ([json.loads(line) for line in answer.text.splitlines()],) if done else None

    return until(drained, "all is exported")[0]
