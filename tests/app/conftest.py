"""One real worker for all tests of the HTTP surface."""

from collections.abc import Iterator

import pytest
from servers.one_worker import OneWorker


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    """A worker with the definitions of `one_worker`, its own store, and no rate limit to speak of."""
    with OneWorker(tmp_path_factory.mktemp("worker")) as running:
        yield running
