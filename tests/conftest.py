"""Fixtures that every test may use."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from inspect import signature
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))  # so that every test may import `service`, whatever the import mode

from oracles.proving import EVERY_TIME, register_profiles  # noqa: E402
from oracles.whole_run import pytest_collection_modifyitems, pytest_runtest_protocol  # noqa: E402
from servers.patience import HUNG_SECONDS  # noqa: E402
from servers.service import ENTRY, PUBLISHABLE_KEY, SECRET_KEY, Service, write_definitions  # noqa: E402

register_profiles()
settings.load_profile(EVERY_TIME)  # `--hypothesis-profile prove` takes its place

for phase in ("connect", "read", "write", "pool"):  # a test that waits judges no speed: not after httpx's five seconds
    setattr(signature(httpx.Client).parameters["timeout"].default, phase, HUNG_SECONDS)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell; services inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

__all__ = ["pytest_collection_modifyitems", "pytest_runtest_protocol"]  # hooks of every run

StartService = Callable[..., Service]
SMALLEST_DEFINITIONS: Mapping[str, str] = {
    "free-shipping-banner.yaml": (
        "key: free-shipping-banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"
    )
}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published vectors and real data beside the checkout; where it is absent the test skips."""
    folder = REPOSITORY.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no vectors and data: {folder.name}/ is not beside the checkout")
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_key_in_any_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever the tests did, when they are over no log of theirs holds a key."""
    yield
    logs = [log for log in tmp_path_factory.getbasetemp().rglob("*.log*") if log.is_file()]
    telling = [log for log in logs if any(key.encode() in log.read_bytes() for key in (PUBLISHABLE_KEY, SECRET_KEY))]
    assert telling == [], f"a key stands in {telling[0]}"


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start real services: `start_service({"banner.yaml": "..."}, RESONATE_WORKERS="2")`; each ends with the test."""
    started: list[Service] = []

    def start(files: Mapping[str, str], *, launch_only: bool = False, entry: str = ENTRY, **variables: str) -> Service:
        root = tmp_path / f"service-{len(started)}"
        service = Service(root / "data", write_definitions(root / "definitions", files), variables, entry)
        started.append(service)
        if launch_only:
            service.launch()
            return service
        return service.start()

    yield start
    for service in started:
        service.end()


@pytest.fixture
def service(start_service: StartService) -> Service:
    """A real service with one running experiment, `free-shipping-banner`, two workers, and keys of the tests."""
    return start_service(SMALLEST_DEFINITIONS, RESONATE_WORKERS="2")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Coroutine tests (`pytestmark = pytest.mark.anyio`) run on asyncio."""
    return "asyncio"
