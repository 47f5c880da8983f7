"""The weekly notebook runs against a real service and recomputes from the units what the readout says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from servers.patience import VAIN_SECONDS
from servers.service import SECRET_KEY, Service

REPOSITORY = Path(__file__).parents[1]
NOTEBOOK = REPOSITORY / "examples" / "notebook" / "weekly.py"
EXAMPLE = {file.name: file.read_text() for file in (REPOSITORY / "app/demo/example_shop/definitions").glob("*.yaml")}


def test_the_weekly_notebook_runs_and_its_units_agree_with_the_readout(start_service) -> None:
    service: Service = start_service(EXAMPLE)
    _visit(service, visitors=120)
    readout = service.results("free-shipping-banner")
    named = {
        "RESONATE_URL": service.url,
        "RESONATE_SECRET_KEY": SECRET_KEY,
        "NOTEBOOK_EXPERIMENT": "free-shipping-banner",
    }
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK)],
        env=os.environ | named,
        capture_output=True,
        text=True,
        timeout=VAIN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for arm in readout["metrics"][0]["arms"]:
        row = re.search(rf"^{arm['variant']} +(\d+) +([\d.]+)", done.stdout, re.MULTILINE)
        assert row is not None, done.stdout
        assert int(row[1]) == arm["units"]
        assert abs(float(row[2]) - arm["value"]) < 1e-5


def _visit(service: Service, visitors: int) -> None:
    with service.client() as client:
        for number in range(visitors):
            seen = {
                "visitor_id": f"v-{number}",
                "attributes": {"device": "desktop"},
                "experiments": ["free-shipping-banner"],
            }
            client.post("/v1/personalize", json=seen).raise_for_status()
        orders = [
            {
                "type": "track",
                "event": "Order Completed",
                "anonymousId": f"v-{number}",
                "properties": {"order_id": f"o-{number}", "revenue": 10.0 + number, "currency": "EUR"},
            }
            for number in range(0, visitors, 3)
        ]
        client.post("/v1/batch", json={"batch": orders}).raise_for_status()
