"""One real worker for all tests of the HTTP surface."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from servers.one_worker import OneWorker
from servers.people import Visitor, signed_in_visitor

from app.keys.scopes import Role


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    """A worker with the definitions of `one_worker`, its own store, and no rate limit to speak of."""
    with OneWorker(tmp_path_factory.mktemp("worker")) as running:
        yield running


@pytest.fixture
def signed_in_as(worker: OneWorker) -> Iterator[Callable[[Role], Visitor]]:
    """Somebody who is signed in to the worker with a role: `signed_in_as("editor").get("/dashboard")`."""
    with ExitStack() as open_ones:
        yield lambda role: open_ones.enter_context(signed_in_visitor(worker.url, worker.settings.data, role))


@pytest.fixture
def stranger(worker: OneWorker) -> Iterator[Visitor]:
    """Somebody who is not signed in."""
    with Visitor(worker.url) as visitor:
        yield visitor
