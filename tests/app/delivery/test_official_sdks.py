"""Official SDKs agree with the service on every visitor: with sticky buckets, evaluated remotely, told by streams."""

import json
from pathlib import Path
from typing import Any

import growthbook
import httpx
import pytest
from servers.node import line, ran, start
from servers.one_worker import DEFINITIONS, PUBLISHABLE, OneWorker, records
from servers.patience import until

MOBILE = """
key: banner
status: running
phase: {phase}
audience: {{where: {{device: mobile}}}}
variants:
  - {{key: control, payload: {{banner: null, price: 9.0}}}}
  - {{key: threshold, payload: {{banner: Free shipping, price: 10.5}}}}
goal: purchase_rate
"""
PAUSED = DEFINITIONS["banner.yaml"].replace("status: running", "status: paused")
VISITORS = [f"visitor-{number}" for number in range(40)]


def publish(worker: OneWorker, text: str) -> None:
    (worker.settings.definitions / "banner.yaml").write_text(text)
    worker.keeper.boot()
    assert worker.keeper.errors == ()
    worker.app.cold.state.resources.catalogs.poll()


def payload(worker: OneWorker) -> dict[str, Any]:
    return httpx.get(f"{worker.url}/api/features/{PUBLISHABLE}").json()


def flag(client: httpx.Client, attributes: dict[str, Any], key: str = "banner") -> dict[str, Any]:
    """What OFREP answers the visitor of an SDK's attributes."""
    context = {**attributes, "targetingKey": attributes["id"], "resonate.expose": False}
    return client.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": context}).json()


def stages(worker: OneWorker) -> tuple[list[dict[str, Any]], list[dict[str, str | None]]]:
    """All are in the audience, half of them leave it, a new phase begins: payloads, visitors, and OFREP's answers."""
    given: list[dict[str, Any]] = []
    expected: list[dict[str, str | None]] = []
    for phase, left in ((0, 0), (0, 20), (1, 0), (1, 20)):
        publish(worker, MOBILE.format(phase=phase))
        visitors = [
            {"id": visitor, "device": "desktop" if place < left else "mobile"} for place, visitor in enumerate(VISITORS)
        ]
        given.append({"payload": payload(worker), "visitors": visitors})
        with worker.client() as client:
            answers = {each["id"]: flag(client, each) for each in visitors}
        expected.append(
            {
                visitor: told["variant"] if told["metadata"]["in_experiment"] else None
                for visitor, told in answers.items()
            }
        )
    assert expected[0] != expected[2]
    assert len({tuple(each.items()) for each in expected}) == 4
    return given, expected


def test_growthbooks_javascript_sdk_with_a_filled_sticky_store_follows_the_server(tmp_path: Path) -> None:
    with OneWorker(tmp_path, {"banner.yaml": MOBILE.format(phase=0)}) as worker:
        given, expected = stages(worker)
    assert ran("sticky.cjs", {"key": "banner", "stages": given})["found"] == expected


def test_growthbooks_python_sdk_with_a_filled_sticky_store_follows_the_server(tmp_path: Path) -> None:
    with OneWorker(tmp_path, {"banner.yaml": MOBILE.format(phase=0)}) as worker:
        given, expected = stages(worker)
    store = growthbook.InMemoryStickyBucketService()
    for stage, variants in zip(given, expected, strict=True):
        found: dict[str, str | None] = {}
        for attributes in stage["visitors"]:
            sdk = growthbook.GrowthBook(
                attributes=attributes, features=stage["payload"]["features"], sticky_bucket_service=store
            )
            ran_here = sdk.eval_feature("banner").experimentResult
            found[attributes["id"]] = ran_here.key if ran_here is not None and ran_here.inExperiment else None
        assert found == variants


def test_what_clients_keep_is_no_state_of_an_earlier_phase(tmp_path: Path) -> None:
    with OneWorker(tmp_path, {"banner.yaml": MOBILE.format(phase=0)}) as worker:
        publish(worker, MOBILE.format(phase=3))
        [rule] = payload(worker)["features"]["banner"]["rules"]
    assert (rule["disableStickyBucketing"], rule["bucketVersion"], rule["phase"]) == (True, 3, "3")
    assert "minBucketVersion" not in rule


KEYS = ["banner", "members", "mobile-only", "paused", "shipped", "backend"]
REMOTE = {
    **DEFINITIONS,
    "shipped.yaml": "key: shipped\nstatus: stopped\nvariants: [{key: a, payload: old}, {key: b, payload: new}]\n"
    "goal: purchase_rate\ndecision: {outcome: shipped, variant: b}\n",
    "backend.yaml": "key: backend\nstatus: running\ndelivery: server\nvariants: [{key: a, payload: 1}, {key: b, "
    "payload: 2}]\ngoal: purchase_rate\n",
}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with OneWorker(tmp_path_factory.mktemp("remote"), REMOTE) as worker:
        yield worker


def people() -> list[dict[str, Any]]:
    return [
        {"id": visitor, "device": ("mobile", "desktop")[number % 2], "user_id": f"u-{number}" if number % 3 else None}
        for number, visitor in enumerate(VISITORS)
    ]


def asked(worker: OneWorker, **body: Any) -> httpx.Response:
    return httpx.post(f"{worker.url}/api/eval/{PUBLISHABLE}", json=body)


def test_who_is_evaluated_remotely_sees_what_the_server_answers_and_tells_it(remote: OneWorker) -> None:
    given = {"apiHost": remote.url, "clientKey": PUBLISHABLE, "keys": KEYS, "visitors": people()}
    found = ran("remote.cjs", given)
    enrolled = 0
    with remote.client() as client:
        for attributes, told in zip(people(), found, strict=True):
            known = {name: value for name, value in attributes.items() if value is not None}
            answers = {key: flag(client, known, key) for key in KEYS}
            assert told["values"] == {key: answer.get("value") for key, answer in answers.items()}
            expected = [
                (key, answer["variant"]) for key, answer in answers.items() if answer["metadata"]["in_experiment"]
            ]
            assert [(each["experiment"], each["variant"]) for each in told["tracked"]] == expected
            enrolled += len(expected)
            for each in told["tracked"]:
                assert each["hashValue"] == known[each["hashAttribute"]]
    assert enrolled > 60
    assert records(remote, type="exposure") == []


def test_growthbooks_python_sdk_reads_remote_values_too(remote: OneWorker) -> None:
    with remote.client() as client:
        for attributes in people()[:10]:
            known = {name: value for name, value in attributes.items() if value is not None}
            tracked: list[tuple[str, Any]] = []
            sdk = growthbook.GrowthBook(
                attributes=known,
                features=asked(remote, attributes=known).json()["features"],
                on_experiment_viewed=lambda experiment, result, **_: tracked.append((experiment.key, result.key)),  # noqa: B023
            )
            answers = {key: flag(client, known, key) for key in KEYS}
            assert {key: sdk.eval_feature(key).value for key in KEYS} == {
                key: answer.get("value") for key, answer in answers.items()
            }
            assert tracked == [
                (key, answer["variant"]) for key, answer in answers.items() if answer["metadata"]["in_experiment"]
            ]


def test_an_answer_holds_nothing_of_other_variants_and_no_rule(remote: OneWorker) -> None:
    seen: set[str] = set()
    for attributes in people():
        answer = asked(remote, attributes=attributes)
        assert answer.headers["cache-control"] == "no-store"
        text = answer.text
        for word in ("weights", "condition", "coverage", "ranges", "seed", "filters", "meta"):
            assert f'"{word}"' not in text
        banner = answer.json()["features"]["banner"]
        assert banner["defaultValue"] == banner["rules"][0]["force"]
        assert ("Free shipping" in text) is (banner["defaultValue"]["banner"] is not None)
        seen.add(str(banner["defaultValue"]))
    assert len(seen) == 2


def test_what_a_developer_forces_is_shown_and_never_tracked(remote: OneWorker) -> None:
    given = {"apiHost": remote.url, "clientKey": PUBLISHABLE, "keys": ["banner"], "visitors": people()[:4]}
    for forced, value in (
        ({"forcedVariations": {"banner": 1}}, "Free shipping"),
        ({"forcedVariations": {"banner": 0}}, None),
        ({"url": "https://shop.example/?resonate_force=banner:threshold"}, "Free shipping"),
    ):
        for told in ran("remote.cjs", {**given, **forced}):
            assert (told["values"]["banner"]["banner"], told["tracked"]) == (value, [])
    own = asked(remote, attributes={"id": "v-1"}, forcedFeatures=[["banner", {"own": 1}], ["nothing", 2], 3]).json()
    assert own["features"]["banner"] == {"defaultValue": {"own": 1}, "rules": [{"force": {"own": 1}}]}
    assert "nothing" not in own["features"]
    for odd in ({"banner": 7}, {"banner": "1"}, {"banner": True}, {"paused": 1}, {"draft": 1}):
        plain, tried = (
            asked(remote, attributes={"id": "v-1"}, **more).json() for more in ({}, {"forcedVariations": odd})
        )
        assert plain["features"] == tried["features"]


def test_what_is_forced_carries_no_tracks(remote: OneWorker) -> None:
    for index, value in ((0, None), (1, "Free shipping")):
        told = asked(remote, attributes={"id": "v-1"}, forcedVariations={"banner": index}).json()["features"]["banner"]
        assert told["defaultValue"]["banner"] == value
        assert told["rules"] == [{"force": told["defaultValue"]}]


def test_what_an_answer_does_not_need_is_left_out_where_it_cannot_be_read(remote: OneWorker) -> None:
    plain = asked(remote, attributes={"id": "v-1"}).json()["features"]
    for odd in ([], {}, "", "text", 7, True, None):
        told = asked(remote, attributes={"id": "v-1"}, forcedVariations=odd, forcedFeatures=odd, url=odd)
        assert (told.status_code, told.json()["features"]) == (200, plain), odd
    empty = [asked(remote, attributes=attributes).json()["features"] for attributes in ([], {}, None)]
    assert empty[0] == empty[1] == empty[2]


def test_ids_are_read_as_everywhere_and_who_refuses_is_drawn_nowhere(remote: OneWorker) -> None:
    numbers = [
        asked(remote, attributes={"id": each}).json()["features"]["banner"] for each in (12345, "12345", 12345.0)
    ]
    assert numbers[0] == numbers[1] == numbers[2]
    assert numbers[0]["rules"][0]["tracks"][0]["result"]["hashValue"] == "12345"
    nobody = [{}, {"id": None}, {"id": "undefined"}, {"id": []}, {"id": "v-1", "resonate.consent": "none"}]
    for attributes in nobody:
        features = asked(remote, attributes=attributes).json()["features"]
        assert "tracks" not in json.dumps(features)
        assert features["shipped"]["defaultValue"] == "new"
    assert httpx.post(f"{remote.url}/api/eval/{PUBLISHABLE}", content=b"{}").status_code == 200
    deep = b'{"attributes": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}"
    for body in (b"", b"[]", b'{"attributes": 1}', b'{"attributes": [1]}', deep):
        assert httpx.post(f"{remote.url}/api/eval/{PUBLISHABLE}", content=body).status_code == 400
    assert httpx.post(f"{remote.url}/api/eval/pk_unknown", json={}).json() == {
        "status": 400,
        "error": "Invalid API key",
    }


def test_growthbooks_sdk_learns_of_a_pause_by_its_stream(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client() as client:
        visitor = next(each for each in VISITORS if flag(client, {"id": each})["variant"] == "threshold")
        given = {"apiHost": worker.url, "clientKey": PUBLISHABLE, "attributes": {"id": visitor}, "key": "banner"}
        with start("streaming.cjs", given) as sdk:
            assert line(sdk)["banner"] == "Free shipping"
            until(lambda: len(worker.app.streams.open) == 1, "the SDK listens")
            publish(worker, PAUSED)
            assert line(sdk)["banner"] is None
            publish(worker, DEFINITIONS["banner.yaml"])
            assert line(sdk)["banner"] == "Free shipping"


def test_openfeatures_web_provider_learns_of_a_pause_by_the_stream_that_it_was_told_of(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, worker.client() as client:
        visitor = next(each for each in VISITORS if flag(client, {"id": each})["variant"] == "threshold")
        given = {"baseUrl": worker.url, "clientKey": PUBLISHABLE, "visitor": visitor, "key": "banner"}
        with start("openfeature.cjs", given) as sdk:
            assert line(sdk) | {"value": None} == {"value": None, "variant": "threshold", "reason": "SPLIT"}
            until(lambda: len(worker.app.streams.open) == 1, "the provider listens")
            publish(worker, PAUSED)
            told = line(sdk)
            while told["reason"] != "DISABLED":  # what it was told when it began to listen
                told = line(sdk)
            assert told["variant"] == "control"
