"""Beside callers who repeat the costliest legal request, other networks and backends are served all the same.

How long they wait is what `python -m benchmarks.fairness` prints.
"""

from collections.abc import Iterator

import pytest
from servers.costly_crowd import BACKEND, CROWD, DEFAULTS, FLAG, PAGE, PROBE, QUESTION, client, repeating
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running
from worlds.costly_requests import COSTLIEST, DEFINITIONS, Costly

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("fair"), DEFINITIONS, RESONATE_WORKERS="1", **DEFAULTS) as service:
        yield service


@pytest.mark.drawn(4)
@pytest.mark.parametrize("costly", COSTLIEST, ids=[costly.name for costly in COSTLIEST])
def test_the_costliest_request_is_paid_by_who_sends_it(shop: Service, costly: Costly) -> None:
    with repeating(shop, costly):
        with client(shop, CROWD, PUBLISHABLE_KEY if costly.keyed else None) as same:
            until(lambda: same.post("/v1/track", content=b"").status_code == 429, "they are refused", 60)
        with client(shop, PAGE, PUBLISHABLE_KEY) as page, client(shop, BACKEND, SECRET_KEY) as backend:
            answers = [one.post(FLAG, json=QUESTION) for _ in range(100) for one in (page, backend)]
        with client(shop, PROBE, None) as probe:
            answers += [probe.get("/healthz") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
