"""Each page of the runbook is followed while its fault is there: its commands run, and print what it says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SMALLEST_DEFINITIONS, StartService
from servers.alarming import ALARMING, number
from servers.faults import track
from servers.patience import until
from servers.prometheus import needed, scraping
from servers.service import Service, running
from worlds.alerts import ALERTS, alerts, queries
from worlds.runbook import followed, steps_of

pytestmark = pytest.mark.xdist_group("faults")  # one after the other: each keeps both cores busy


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service at which nothing is wrong, and which has written a part and done its jobs."""
    with running(tmp_path_factory.mktemp("well"), SMALLEST_DEFINITIONS, RESONATE_WORKERS="1") as service:
        with service.client() as client:
            assert track(client, "m-1").status_code == 200
        until(lambda: number(service, "resonate_log_parts") > 0, "the first part is counted", tell=service.told)
        until(lambda: number(service, "resonate_last_run_ok", job="retention") == 1, "jobs ran", tell=service.told)
        yield service


@needed
def test_prometheus_reads_all_that_alerts_and_dashboard_ask_for(well: Service, tmp_path: Path) -> None:
    """A real one, which gives our label `job` another name, and finds nothing to say against any rule."""
    with scraping(tmp_path / "prometheus", f"127.0.0.1:{well.port}", ALERTS) as prometheus:
        rules = {rule["name"]: rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]}
        assert set(rules) == set(alerts())
        assert {rule["health"] for rule in rules.values()} <= {"ok", "unknown"}
        firing = {name for name, rule in rules.items() if rule["state"] == "firing"}
        assert firing == set()
        for query in queries().values():
            prometheus.found(query)
        jobs = {each["metric"]["exported_job"] for each in prometheus.found("resonate_last_run_timestamp_seconds")}
        assert jobs == {"compaction", "retention", "training", "backup"}


def test_every_page_is_followed() -> None:
    assert set(ALARMING) == set(alerts())


@pytest.mark.drawn(5)
@pytest.mark.parametrize("alert", ALARMING)
def test_a_page_is_followed_while_its_fault_is_there(alert: str, start_service: StartService, tmp_path: Path) -> None:
    assert list(steps_of(alert))
    with ALARMING[alert](start_service, tmp_path) as service:
        assert followed(alert, service) == []
