"""What the processes of one service tell each other by the board, files and pipes is read as it was said."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from app.http.access import Keys
from app.metrics.counted import counter_samples
from app.metrics.exposition import lines
from app.runtime.board import Desk
from app.runtime.settings import Settings, SettingsError, load_settings
from app.runtime.telemetry import EVENT_OUTCOMES, STATUSES, STRATEGIES, Telemetry

FEW = settings(max_examples=25)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "data": st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1).map(Path),
        "redis_url": st.sampled_from(["redis://:sécret@store:6379/0", "unix:///run/valkey.sock"]),
        "publishable_keys": st.just(("pk_12345678@https://a.example|https://b.example", "pk_abcdefgh")),
        "trusted_proxies": st.sampled_from([(), (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))]),
        "shards": st.none() | st.integers(1, 1024),
        "workers": st.integers(1, 128),
        "origins": st.sampled_from([(), ("*",), ("https://a.example",)]),
        "training_hours": st.floats(0, allow_infinity=False),
        "drain_seconds": st.floats(0, 300),
        "log_format": st.sampled_from(["json", "text"]),
    },
)


@given(GIVEN)
def test_a_child_runs_by_the_settings_of_its_supervisor(given: dict[str, Any]) -> None:
    said = Settings.model_validate(given)
    heard = Settings.model_validate_json(said.model_dump_json())
    assert (heard, heard.secrets) == (said, said.secrets)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TRAINING_HOURS", "inf"), ("TRAINING_HOURS", "nan"), ("DATA", "caf\udce9"), ("DEFINITIONS", "\udcff")],
)
def test_a_setting_that_could_not_be_told_to_a_child_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"RESONATE_{name}: "):
        load_settings({f"RESONATE_{name}": value})


def test_the_keys_of_the_first_start_are_those_of_every_other(tmp_path: Path) -> None:
    first, second = (Keys.open((), (), tmp_path / "keys.json", ("https://a.example",)) for _ in range(2))
    assert first.generated is not None
    assert second.generated is None
    assert first.grants == second.grants


ROUTES = ("/v1/track", "/v1/personalize")
ANSWERS = st.lists(st.tuples(st.sampled_from((*ROUTES, "other")), st.sampled_from(STATUSES), st.floats(0, 100)))
OUTCOMES = st.lists(st.tuples(st.sampled_from(EVENT_OUTCOMES), st.integers(0, 10**6)))


@FEW
@given(ANSWERS, OUTCOMES, st.booleans())
def test_counters_tell_what_was_counted_also_after_a_worker_began_anew(
    answers: list[tuple[str, int, float]], outcomes: list[tuple[str, int]], anew: bool
) -> None:
    desk = Desk.alone()
    counters = Telemetry(desk, ROUTES)
    for answer in answers:
        counters.answered(*answer)
    for outcome in outcomes:
        counters.events(*outcome)
    if anew:
        counters = Telemetry(desk, ROUTES)
    families = text_string_to_metric_families("".join(lines(counter_samples(counters, {}))))
    told = {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}
    for route, status, _ in answers:
        asked = [answer for answer in answers if answer[:2] == (route, status)]
        assert told["resonate_http_requests_total", route, str(status)] == len(asked)
        seconds = sum(answer[2] for answer in answers if answer[0] == route)
        assert told["resonate_http_request_seconds_sum", route] == pytest.approx(seconds, abs=1e-5)
    for outcome in EVENT_OUTCOMES:
        assert told["resonate_events_total", outcome] == sum(count for name, count in outcomes if name == outcome)


@FEW
@given(st.lists(st.tuples(st.sampled_from(STRATEGIES), st.booleans(), st.integers(0, 100))), st.booleans())
def test_lists_are_counted_by_their_own_strategy(lists: list[tuple[str, bool, int]], anew: bool) -> None:
    desk = Desk.alone()
    counts = Telemetry(desk, ROUTES)
    for each in lists:
        counts.recommended(*each)
    if anew:
        counts = Telemetry(desk, ROUTES)
    totals = counts.recommendations()
    for strategy in STRATEGIES:
        own = [each for each in lists if each[0] == strategy]
        figures = (len(own), sum(each[1] for each in own), sum(each[2] for each in own))
        assert tuple(totals[strategy][name] for name in ("requests", "fallbacks", "items")) == figures
