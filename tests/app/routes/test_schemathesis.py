"""Schemathesis against a whole service, seeded, with a key of either class: no failure in thousands of cases."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from servers.streams import STREAMED

pytestmark = pytest.mark.slow

FILES = {
    "free-shipping-banner.yaml": (
        "key: free-shipping-banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"
    )
}
# Tracking answers 200 to bad events and names them, and everywhere a little more is taken than the schema promises.
LENIENT = "negative_data_rejection"
# No schema can say that a key or a cursor must be one of ours, a moment one of the past, each slot another one, and
# what is told of a plan fit together.
AT = [f"/v1/experiments/{{key}}/{name}" for name in ("results", "timeseries", "units", "plan", "report", "shares")]
AT += ["/v1/holdouts/{key}/results", "/v1/program", "/v1/surveys/links", "/v1/cx"]
OPAQUE = ("/api/features/{key}", "/api/eval/{key}", "/v1/export/events", "/v1/personalize", "/v1/plan", *AT)
UPLOADS = ("/v1/products", "/v1/personalize/batch")  # CSV, NDJSON and Parquet, which are not made from a schema
PARTS = 8  # of the routes, each asked with either key
CASES = 100  # of a part at least


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("schemathesis"), FILES, RESONATE_WORKERS="1") as service:
        yield service


def run(service: Service, key: str, folder: Path, *options: str) -> tuple[int, str, int]:
    """Exit code, output, and the number of generated cases."""
    command = [
        str(Path(sys.executable).with_name("st")), "run", f"{service.url}/openapi.json",
        "-H", f"Authorization: Bearer {key}",
        "--seed", "1", "-w", "1", "--request-timeout", "60",
        "--phases", "examples,coverage,fuzzing", "--continue-on-failure", *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    generated = re.findall(r"(\d[\d,]*) generated", done.stdout)
    return done.returncode, done.stdout, int(generated[-1].replace(",", "")) if generated else 0


@pytest.mark.drawn(2)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("key", [SECRET_KEY, PUBLISHABLE_KEY], ids=["secret", "publishable"])
def test_no_generated_request_finds_a_fault(whole: Service, tmp_path: Path, key: str, part: int) -> None:
    asked = sorted(set(httpx.get(f"{whole.url}/openapi.json").json()["paths"]) - {*UPLOADS, *STREAMED})[part::PARTS]
    opaque = [path for path in asked if path in OPAQUE]
    others = [path for path in asked if path not in OPAQUE]
    cases = 0
    for paths, unchecked in ((others, LENIENT), (opaque, f"{LENIENT},positive_data_acceptance")):
        only = [word for path in paths for word in ("--include-path", path)]
        code, output, found = run(whole, key, tmp_path, "-n", "20", "--exclude-checks", unchecked, *only)
        assert code == 0, output
        cases += found
    assert cases >= CASES, output[-2000:]
    assert "Traceback" not in whole.log_text()
