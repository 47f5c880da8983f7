"""The whole tree of processes tells of each change once, whatever workers, readers, restarts and deaths there are."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from servers.patience import until
from servers.people import signed_in_visitor
from servers.receivers import HANGS, WebhookReceiver, receiving
from servers.service import Service, running

HERO = "key: hero\nname: The hero\nstatus: draft\nvariants: [control, b]\ngoal: purchase_rate\n"


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    with receiving() as receiver:
        yield receiver


def shop(root: Path, *hooks: WebhookReceiver, **variables: str) -> AbstractContextManager[Service]:
    urls = ",".join(each.url for each in hooks)
    return running(root, {"hero.yaml": HERO}, RESONATE_WORKERS="2", RESONATE_WEBHOOK_URL=urls, **variables)


def order(service: Service, action: str) -> None:
    with service.client() as client:
        assert client.post(f"/v1/experiments/hero/{action}").status_code == 202


def seen(service: Service) -> None:
    """Until the first look has been kept: what is as it was then is no change."""
    until(lambda: (service.data / "webhooks.json").exists(), "the experiments were looked at", tell=service.told)


def test_each_change_is_told_once_however_many_workers_readers_and_restarts(
    tmp_path: Path, hook: WebhookReceiver
) -> None:
    with shop(tmp_path, hook, RESONATE_PUBLIC_URL="https://shop.example/r") as service:
        seen(service)
        order(service, "start")
        [started] = hook.wait_for(1)
        assert started.said | {"at": ""} == {
            "at": "",
            "experiment": "hero",
            "kind": "started",
            "sentence": "The hero has started: visitors are assigned and counted.",
            "address": "https://shop.example/r/dashboard/experiments/hero",
        }
        for _ in range(4):  # by whichever worker
            service.results("hero")
        assert service.stop() == 0
        service.start()
        order(service, "stop")
        until(lambda: service.results("hero")["decision"]["action"] == "inconclusive", "it is decided")
        service.results("hero")
        told = hook.wait_for(3)[1:]
        assert {each.said["kind"] for each in told} == {"stopped", "action_changed"}
        [decided] = [each.said["sentence"] for each in told if each.said["kind"] == "action_changed"]
        assert decided == service.results("hero")["sentence"]
        assert service.stop() == 0
        service.start()
        with service.client() as client:
            [told] = client.get("/v1/operations").json()["webhooks"]
        assert (told["sent"], told["waiting"], told["error"]) == (3, 0, None)
    assert len(hook.taken) == len({each.delivery for each in hook.taken}) == 3


def test_a_death_between_sending_and_noting_sends_it_once_more_with_the_same_id(tmp_path: Path) -> None:
    with receiving(HANGS, 200) as hook, shop(tmp_path, hook) as service:
        seen(service)
        killed: list[int] = []

        def kill() -> None:
            if not killed:
                [teller] = service.processes()["webhooks"]
                killed.append(teller.pid)
                teller.kill()

        hook.when_called = kill
        order(service, "start")
        first, second = hook.wait_for(2)
        assert (first.delivery, first.body) == (second.delivery, second.body)
        until(lambda: '"sent":1' in (service.data / "webhooks.json").read_text(), "it was noted", tell=service.told)
        order(service, "stop")
        assert hook.wait_for(3)[2].said["kind"] == "stopped"
    assert hook.kinds()[:3] == ["started", "started", "stopped"]
    assert len({each.delivery for each in hook.taken}) == len(hook.taken) - 1


def test_a_receiver_that_hangs_slows_nobody_and_is_shown_to_operators_without_its_secret(tmp_path: Path) -> None:
    with receiving(HANGS) as hook, shop(tmp_path, hook) as service:
        seen(service)
        order(service, "start")
        hook.wait_for(1)
        with service.client() as client:
            answers = [client.get("/readyz"), client.get("/v1/experiments/hero/results")]
            flags = client.post("/ofrep/v1/evaluate/flags/hero", json={"context": {"targetingKey": "v-1"}})
            assert [each.status_code for each in (*answers, flags)] == [200, 200, 200]

            def told() -> dict:
                [standing] = client.get("/v1/operations").json()["webhooks"]
                return standing if standing["error"] else {}

            failing = until(told, "the receiver was given its time", tell=service.told)
            assert failing["error"] == "no answer within 10 s"
            assert (failing["waiting"], failing["sent"], failing["given_up"]) == (1, 0, 0)
            assert failing["next_try_at"] > failing["failed_at"]
            lines = client.get("/v1/doctor").json()["lines"]
            [line] = [each for each in lines if each["check"] == "webhooks" and each["found"].startswith("http")]
            assert "no answer within 10 s" in line["found"]
        with signed_in_visitor(service.url, service.data, "viewer") as viewer:
            page = viewer.get("/dashboard/operations").text
        assert "no answer within 10 s" in page
        assert "secret=1" not in page + service.log_text()
        assert service.stop() == 0


def test_without_an_address_there_is_no_process_for_it(tmp_path: Path) -> None:
    with running(tmp_path, {"hero.yaml": HERO}) as service, service.client() as client:
        assert "webhooks" not in service.processes()
        assert client.get("/v1/operations").json()["webhooks"] == []
