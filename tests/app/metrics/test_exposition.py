"""What Prometheus reads is what it understands, whole, and made so that nobody waits for it."""

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.one_worker import SECRET, OneWorker
from servers.prometheus import PROMTOOL

from app.metrics.exposition import FAMILIES, PREFIX, labelled, lines


def test_every_family_has_its_head_also_where_nothing_is_known_of_it() -> None:
    text = "".join(lines({}))
    heads = [line.split() for line in text.splitlines() if line.startswith("# TYPE")]
    assert [(name, kind) for _, _, name, kind in heads] == [(f"{PREFIX}{each.name}", each.kind) for each in FAMILIES]
    assert len({each.name for each in FAMILIES}) == len(FAMILIES)


def test_a_number_that_the_table_lacks_is_refused() -> None:
    with pytest.raises(KeyError, match="describe it"):
        list(lines({"nameless": [labelled(1)]}))


def test_labels_may_hold_anything_and_no_number_loses_its_end() -> None:
    text = "".join(lines({"degraded": [labelled(1_764_000_000_123, cause='a"b\\c\nd')]}))
    (sample,) = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    assert (sample.labels["cause"], sample.value) == ('a"b\\c\nd', 1_764_000_000_123)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing (Debian's prometheus): make test-tools")
def test_promtool_has_nothing_to_say_against_it(worker: OneWorker) -> None:
    with worker.client(SECRET) as client:
        client.post("/v1/track", json={"event": "E", "anonymousId": "v"})
        text = client.get("/metrics").text
    assert PROMTOOL is not None
    told = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


def test_who_is_refused_is_counted_by_the_code_that_was_told(worker: OneWorker) -> None:
    def refusals(text: str) -> dict[str, float]:
        families = {family.name: family for family in text_string_to_metric_families(text)}
        return {sample.labels["code"]: sample.value for sample in families["resonate_refused"].samples}

    with worker.client(SECRET) as client:
        before = refusals(client.get("/metrics").text)
        asked = [
            client.get("/nowhere"),
            client.get("/v1/experiments/x/results", headers={"authorization": "Bearer wrong"}),
            client.post("/v1/track", content=b"{"),
            client.post("/ofrep/v1/evaluate/flags/unheard-of", json={"context": {"targetingKey": "v"}}),
            client.get("/v1/track"),
        ]
        told = [each.json().get("code") or each.json()["errorCode"].lower() for each in asked]
        after = refusals(client.get("/metrics").text)
    grown = {code: after[code] - before[code] for code in after if after[code] != before[code]}
    assert grown == dict.fromkeys(told, 1)
    assert after["store_timeout"] == 0  # a code that nobody was told yet is there, so that its first one is a rise
