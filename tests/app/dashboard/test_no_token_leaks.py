"""Tokens of links, sessions and forms stand where they must and nowhere else: in no log, audit line, page or file."""

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from servers.one_worker import OneWorker
from servers.people import Visitor, sign_in_link

from app.http.exchange import Exchange


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def told(logged: pytest.LogCaptureFixture) -> str:
    """All that was logged but for what the tests' own client says of its requests."""
    ours = [record for record in logged.records if not record.name.startswith(("httpx", "httpcore"))]
    return "\n".join(f"{record.getMessage()} {record.exc_text} {vars(record)}" for record in ours)


def files_with(root: Path, secret: str) -> list[str]:
    """Every file below a folder, the store's own too, that holds this text."""
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def test_what_signs_somebody_in_is_in_no_log_no_audit_line_no_page_and_no_file(
    tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    with OneWorker(tmp_path) as worker, Visitor(worker.url) as visitor:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        token = link.partition("token=")[2]
        visitor.get(link)
        visitor.open(link)
        [session] = visitor.client.cookies.values()
        pages = [visitor.get(path).text for path in ("/dashboard/settings", "/dashboard/audit", "/dashboard/sign-in")]
        pages += [visitor.open(link).text, visitor.post("/dashboard/settings/role", email="x", role="y").text]
        assert any("admin@shop.example" in page for page in pages)
        for secret in (token, session):
            assert len(secret) == 43
            assert not [page for page in pages if secret in page]
            assert secret not in told(logged)
            assert files_with(worker.settings.data, secret) == []
        form = visitor.form_token()
        visitor.post_as_is("/dashboard/settings/link", form_token=form, email="admin@shop.example")
        assert files_with(worker.settings.data, form) == []


def test_an_exchange_is_logged_without_what_its_browser_holds() -> None:
    scope = {"headers": [(b"cookie", b"resonate_80=secret")], "path": "/dashboard", "query_string": b"token=secret"}
    assert "secret" not in repr(Exchange.of(scope, iter(["id"])))


def test_a_fault_behind_a_page_tells_the_log_no_token(
    tmp_path: Path, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OneWorker(tmp_path) as worker:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        token = link.partition("token=")[2]

        def break_down(*_: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(worker.app.cold.state.resources.people, "enter", break_down)
        form = {"token": token, "form": "f"}
        answer = httpx.post(f"{worker.url}/dashboard/sign-in", data=form, headers={"origin": worker.url})
        assert answer.status_code == 503
    assert "unexpected error" in told(logged)
    assert "RuntimeError: broken" in told(logged)
    assert token not in told(logged)
