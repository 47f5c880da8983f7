"""The release before this one, this one, and that one again on one data directory, while clients go on sending."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS
from oracles.promise import Journal, goes_on, restless, verdict
from servers.patience import HUNG_SECONDS
from servers.releases import REPOSITORY, format_of, revision_before, unpacked_wheel
from servers.service import Service, write_definitions

from events.log.verify import verify_log

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]
ANOTHER = "sunday-banner.yaml", SMALLEST_DEFINITIONS["free-shipping-banner.yaml"].replace("free-shipping", "sunday")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the release before installs."""
    return unpacked_wheel(revision_before(), tmp_path_factory.mktemp("before"))


@pytest.fixture
def service(tmp_path: Path, before: Path) -> Iterator[Service]:
    """A service of the release before."""
    definitions = write_definitions(tmp_path / "definitions", SMALLEST_DEFINITIONS)
    started = Service(tmp_path / "data", definitions, {"PYTHONPATH": str(before), "RESONATE_WORKERS": "2"})
    yield started.start()
    started.end()


def test_the_wheel_of_before_takes_the_place_of_this_release(before: Path, service: Service) -> None:
    asked = [sys.executable, "-P", "-c", "import app.cli, events; print(app.cli.__file__, events.__file__)"]
    places = subprocess.run(asked, env=service.environment(), capture_output=True, text=True, check=True).stdout.split()
    assert all(Path(place).is_relative_to(before) for place in places)


def test_releases_take_turns_under_load_and_each_finds_all_of_the_other(service: Service, before: Path) -> None:
    journal = Journal()
    with restless(service, "up", clients=2) as path:
        goes_on(path, 200)
        change(service, REPOSITORY)
        goes_on(path, 200)
    verdict(service, journal.read(path)).hold()
    write_definitions(service.definitions, dict([ANOTHER]))  # so that it keeps a catalogue of its own
    rose = json.loads((service.data / "format").read_text())["min_writer"] > format_of(before)
    {False: goes_back, True: is_refused}[rose](service, before, journal)
    assert verify_log(service.data).is_sound


def change(service: Service, release: Path) -> None:
    """SIGTERM, and another release on the same data directory and port."""
    assert service.stop() == 0
    service.variables["PYTHONPATH"] = str(release)
    service.start()


def goes_back(service: Service, before: Path, journal: Journal) -> None:
    """The number is one that the release before knows: it takes over under load, and then this one once more."""
    with restless(service, "back", clients=2) as path:
        goes_on(path, 200)
        change(service, before)
        goes_on(path, 200)
        verdict_of_both = service.results("free-shipping-banner")["health"]["srm"]["observed"]
        assert min(verdict_of_both) > 0
    verdict(service, journal.read(path)).hold()
    change(service, REPOSITORY)
    verdict(service, journal).hold()


def is_refused(service: Service, before: Path, journal: Journal) -> None:
    """The number rose: the release before says so, and this one goes on where it stopped."""
    assert service.stop() == 0
    service.variables["PYTHONPATH"] = str(before)
    assert service.launch().wait(HUNG_SECONDS) == 1
    assert "or restore a backup made before the upgrade" in service.log_text()
    service.variables["PYTHONPATH"] = str(REPOSITORY)
    service.start()
    verdict(service, journal).hold()
