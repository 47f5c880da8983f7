"""Messages are taken at least once, whatever the receiver does and whenever the process dies; only time is mocked."""

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from servers.patience import reached
from servers.receivers import HANGS, WebhookReceiver, receiving
from servers.tls import certificate

from app.runtime.settings import Settings
from app.webhooks.changes import Message
from app.webhooks.outbox import MOST_WAITING, OUTBOX_FILE, KeptOutbox, Outbox, kept_in, standing
from app.webhooks.sending import CONNECT_SECONDS, DEADLINE_SECONDS
from app.webhooks.telling import Teller, run_webhooks

BEGAN = 1_795_000_000.0
SECRET = "a secret of receivers"


def message(name: str = "m1") -> Message:
    at, link = datetime.fromtimestamp(BEGAN, UTC), "https://shop.example/dashboard/experiments/banner"
    return Message(name, at, "banner", "action_changed", "Ship <b>.", link)


class Clock:
    """Seconds since 1970, as the test has it."""

    now = BEGAN
    jumped = 0.0

    def __call__(self) -> float:
        return self.now + self.jumped


class Told:
    """A teller of these receivers over a data directory, with its clock."""

    def __init__(self, data: Path, *urls: str, **settings: Any) -> None:
        self.clock = Clock()
        self.settings = Settings(data=data, webhook_url=urls, webhook_secret=SECRET, **settings)
        self.teller = Teller(self.settings, "1", self.clock, lambda: self.clock.now)

    def put(self, *messages: Message) -> None:
        self.teller.outbox.put({}, messages)

    def run(self, *work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        async def whole() -> None:
            for each in work:
                await each()

        asyncio.run(whole())

    async def tell(self) -> None:
        """A round to each receiver."""
        for receiver in self.teller.receivers:
            await self.teller.tell(receiver)

    def standing(self) -> dict[str, Any]:
        [told] = standing(self.settings.data, self.settings.webhooks)
        return told


@pytest.fixture
def taking() -> Iterator[WebhookReceiver]:
    with receiving() as receiver:
        yield receiver


def test_a_change_is_sent_with_its_signature_and_its_id_and_nothing_else(
    taking: WebhookReceiver, tmp_path: Path
) -> None:
    told = Told(tmp_path, taking.url)
    told.put(message())
    told.run(told.tell, told.tell)
    [taken] = taking.taken
    assert taken.said == {
        "at": "2026-11-18T11:06:40Z",
        "experiment": "banner",
        "kind": "action_changed",
        "sentence": "Ship <b>.",
        "address": "https://shop.example/dashboard/experiments/banner",
    }
    assert (taken.path, taken.delivery) == ("/hook/T0?secret=1", "m1")
    assert taken.headers["Content-Type"] == "application/json"
    assert taken.headers["X-Resonate-Signature"] == hmac.new(SECRET.encode(), taken.body, hashlib.sha256).hexdigest()
    assert told.standing() | {"sent_at": None} == {
        "receiver": taking.url.split("/hook")[0], "waiting": 0, "sent": 1, "given_up": 0, "sent_at": None,
        "failed_at": None, "error": None, "next_try_at": None,
    }  # fmt: skip


def test_chats_get_a_text(taking: WebhookReceiver, tmp_path: Path) -> None:
    told = Told(tmp_path, f"{taking.url}#text")
    told.put(message())
    told.run(told.tell)
    assert taking.taken[0].path == "/hook/T0?secret=1"
    link = "https://shop.example/dashboard/experiments/banner"
    assert taking.taken[0].said == {"text": f"Decision changed: Ship &lt;b&gt;. {link}"}


@pytest.mark.parametrize("status", [500, 503, 429, 408, 301, 302, 307, 308])
def test_who_does_not_take_it_is_tried_again_after_pauses_that_double(status: int, tmp_path: Path) -> None:
    with receiving() as elsewhere, receiving(status, status, status, 200, headers={"Location": elsewhere.url}) as hook:
        told = Told(tmp_path, hook.url)
        told.put(message(), message("m2"))

        async def pauses() -> None:
            for pause, calls in ((9, 1), (1, 2), (19, 2), (1, 3), (39, 3), (1, 5)):
                told.clock.now += pause
                await told.tell()
                assert len(hook.taken) == calls, pause

        told.run(told.tell, pauses, told.tell)
        assert not elsewhere.taken  # no redirect is followed
    assert [each.delivery for each in hook.taken] == ["m1", "m1", "m1", "m1", "m2"]
    assert told.standing()["error"] is None


@pytest.mark.parametrize("status", [500, 400])
@pytest.mark.parametrize("jump", [3 * 86_400.0, -3_600.0, -600.0])
def test_a_jump_of_the_clock_moves_no_pause_and_gives_nothing_up(status: int, jump: float, tmp_path: Path) -> None:
    with receiving(status, status, 200) as hook:
        told = Told(tmp_path, hook.url)
        told.put(message())

        async def pauses() -> None:
            for moved, pause, calls in ((jump, 9, 1), (jump, 1, 2), (0.0, 19, 2), (0.0, 1, 3)):
                told.clock.jumped = moved
                told.clock.now += pause
                await told.tell()
                assert len(hook.taken) == calls, (moved, pause)

        told.run(told.tell, pauses)
    assert (told.standing()["sent"], told.standing()["given_up"]) == (1, 0)


def test_a_pause_by_a_clock_that_was_ahead_is_not_waited_for_after_a_restart(tmp_path: Path) -> None:
    with receiving(500, 200) as hook:
        before = Told(tmp_path, hook.url)
        before.clock.jumped = 43_200.0
        before.put(message())
        before.run(before.tell)
        after = Told(tmp_path, hook.url)
        after.run(after.tell)
    assert after.standing()["sent"] == 1


def test_a_message_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    with receiving(400, 200, 400, 200) as hook:
        told = Told(tmp_path, hook.url)
        told.put(message(), message("m2"))
        told.run(told.tell, told.tell)
        assert (told.standing()["waiting"], told.standing()["error"]) == (1, None)
        told.clock.now += 10
        told.run(told.tell, told.tell)
        assert told.standing()["error"] == "it answers 400"
    assert [each.delivery for each in hook.taken] == ["m1", "m2", "m1"]


def test_it_is_given_up_after_a_day_and_never_untried(tmp_path: Path) -> None:
    with receiving(500) as hook:
        told = Told(tmp_path, hook.url)
        told.put(message())

        async def days() -> None:
            while told.standing()["waiting"]:
                await told.tell()
                told.clock.now += 600

        told.run(days)
        assert BEGAN + 86_400 <= told.clock.now < BEGAN + 2 * 86_400
        assert told.standing()["given_up"] == 1
        calls = len(hook.taken)
        assert 30 < calls < 40  # of which the last ones an hour apart
        told.put(message("late"))  # the service was down for long
        told.clock.now += 3_600
        told.run(told.tell)
        assert len(hook.taken) == calls + 1


def test_who_asks_to_be_left_alone_is_left_alone_for_an_hour_at_most(tmp_path: Path) -> None:
    for asked, left in (("120", 120), ("999999", 3_600), ("Wed, 18 Nov 2026 11:06:40 GMT", 10), ("nonsense", 10),
                        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 10),
                        ("Tue, 01 Jan 2999 00:00:00 +9999999999999999999", 10)):  # fmt: skip
        data = tmp_path / asked[:3]
        with receiving(429, 200, headers={"Retry-After": asked}) as hook:
            told = Told(data, hook.url)
            told.put(message())

            async def rounds(told: Told = told, hook: WebhookReceiver = hook, left: int = left) -> None:
                told.clock.now += left - 1
                await told.tell()
                assert len(hook.taken) == 1
                told.clock.now += 1
                await told.tell()
                assert len(hook.taken) == 2

            told.run(told.tell, rounds)


def test_what_was_sent_and_not_noted_is_sent_again_with_its_id(taking: WebhookReceiver, tmp_path: Path) -> None:
    told = Told(tmp_path, taking.url)
    told.put(message())
    before = (tmp_path / OUTBOX_FILE).read_bytes()
    told.run(told.tell)
    (tmp_path / OUTBOX_FILE).write_bytes(before)  # the process died before it could note that
    again = Told(tmp_path, taking.url)
    again.run(again.tell, again.tell)
    once_more = Told(tmp_path, taking.url)
    once_more.run(once_more.tell)
    assert [each.delivery for each in taking.taken] == ["m1", "m1"]


def test_pauses_and_what_was_given_up_outlive_the_process(tmp_path: Path) -> None:
    with receiving(500) as hook:
        told = Told(tmp_path, hook.url)
        told.put(message())
        told.run(told.tell)
        again = Told(tmp_path, hook.url)
        again.run(again.tell)
        assert len(hook.taken) == 1
        assert again.standing()["error"] == "it answers 500"


def test_the_file_tells_nobody_the_addresses_or_the_secret(taking: WebhookReceiver, tmp_path: Path) -> None:
    told = Told(tmp_path, taking.url)
    told.put(message())
    told.run(told.tell)
    file = tmp_path / OUTBOX_FILE
    assert "hook" not in file.read_text()
    assert SECRET not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "content",
    [
        b'{"seen": [',
        b'{"posts": {"a": {"error": "\xff"}}}',
        b'{"a": ' + b"[" * 100_000,
        b'{"posts": {"a": {"sent_at": 1e300}}}',
        b'{"posts": {"a": {"next_at": -1e300}}}',
        b'{"posts": {"a": {"waiting": [{"message": {"id": "1", "at": "0001-01-01T00:00:00", "experiment": "e",'
        b' "kind": "started", "sentence": "s", "address": "a"}}]}}}',
    ],
    ids=["cut", "no UTF-8", "deep", "too late", "too early", "no zone"],
)
def test_a_file_that_is_damaged_is_begun_anew(content: bytes, taking: WebhookReceiver, tmp_path: Path) -> None:
    (tmp_path / OUTBOX_FILE).write_bytes(content)
    assert kept_in(tmp_path / OUTBOX_FILE) == KeptOutbox()
    told = Told(tmp_path, taking.url)
    assert told.teller.outbox.seen is None
    assert told.standing()["sent"] == 0


def test_more_than_a_thousand_wait_for_nobody(tmp_path: Path) -> None:
    told = Told(tmp_path, "https://shop.example/hook")
    told.put(*(message(f"m{number}") for number in range(MOST_WAITING + 2)))
    assert (told.standing()["waiting"], told.standing()["given_up"]) == (MOST_WAITING, 2)
    told.run()


def test_where_nothing_can_be_kept_a_change_is_seen_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, ())
    (tmp_path / OUTBOX_FILE).mkdir()
    with pytest.raises(OSError, match=OUTBOX_FILE):
        outbox.put({}, ())
    assert outbox.seen is None


def test_a_receiver_that_hangs_holds_up_neither_the_others_nor_the_end(tmp_path: Path) -> None:
    with receiving(HANGS) as hanging, receiving() as taking:
        told = Told(tmp_path, hanging.url, taking.url)
        told.put(message())
        posts, (_, quick) = told.teller.outbox.posts, told.settings.webhooks

        async def whole() -> None:
            stop = asyncio.Event()
            running = asyncio.ensure_future(run_webhooks(told.teller, stop))
            await reached(lambda: hanging.taken and posts[quick.key].sent, "one was called, one took it")
            stop.set()
            await running

        asyncio.run(whole())
    assert [each.delivery for each in taking.taken] == ["m1"]
    hung, took = standing(tmp_path, told.settings.webhooks)
    assert (hung["waiting"], took["sent"]) == (1, 1)


def test_a_receiver_that_never_ends_its_answer_is_given_its_time_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CONNECT_SECONDS < DEADLINE_SECONDS <= 10
    monkeypatch.setattr("app.webhooks.sending.DEADLINE_SECONDS", 0.2)
    with receiving(HANGS) as hanging:
        told = Told(tmp_path, hanging.url)
        told.put(message())
        told.run(told.tell)
    assert told.standing()["error"] == "no answer within 0.2 s"


def test_nobody_there_and_who_speaks_no_http_are_told_apart_from_refusals(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = Told(tmp_path, f"http://127.0.0.1:{port}/")
    told.put(message())
    told.run(told.tell)
    assert told.standing()["error"].startswith("no connection: ")


@pytest.mark.parametrize("address", ["10.0.0.5", "169.254.169.254", "127.0.0.1", "::ffff:127.0.0.1", "fd00::1"])
def test_a_name_that_leads_into_the_machine_or_its_network_is_not_called(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(tmp_path, "https://rebound.example/hook")
    told.put(message())
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])
    told.run(told.tell)
    assert told.standing()["error"].startswith(f"rebound.example leads to {address}, which is not on the internet")


def test_https_asks_for_a_certificate_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as hook:
        pem, key = certificate(tmp_path)
        hook.by_tls(pem, key)
        unknown = Told(tmp_path / "unknown", hook.url)
        unknown.put(message())
        unknown.run(unknown.tell)
        assert "certificate verify failed" in unknown.standing()["error"]
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))  # as an authority that the machine trusts
        known = Told(tmp_path / "known", hook.url.replace("127.0.0.1", "localhost"))
        known.put(message())
        known.run(known.tell)
        assert len(hook.taken) == 1
    with receiving(host="127.0.0.2") as other:
        other.by_tls(pem, key)
        told = Told(tmp_path / "other", other.url)
        told.put(message())
        told.run(told.tell)
    assert "certificate is not valid for '127.0.0.2'" in told.standing()["error"]
