"""Preview links over HTTP: a draft is shown to who holds one, to nobody else, and nobody is counted for it."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

from app.identity.preview_links import PreviewLink, PreviewLinks
from app.keys.audit import Audit, Wanted

FLAG = "/ofrep/v1/evaluate/flags/draft"
FLAGS = "/ofrep/v1/evaluate/flags"
WEEK = 7 * 86_400


@pytest.fixture(scope="module")
def token(worker: OneWorker) -> str:
    made = link(worker, "draft", variant="b").json()
    return made["token"]


def link(worker: OneWorker, key: str, secret: str = SECRET, **body: Any) -> httpx.Response:
    with worker.client(secret) as backend:
        return backend.post(f"/v1/experiments/{key}/preview", json=body)


def asked(worker: OneWorker, path: str, visitor: str = "p-1", key: str = PUBLISHABLE, **told: Any) -> httpx.Response:
    context = {"targetingKey": visitor, **told.pop("context", {})}
    body = {"context": context} if path.startswith("/ofrep") else {"visitor_id": visitor, **told}
    with worker.client(key) as page:
        return page.post(path, json=body)


def links(worker: OneWorker) -> PreviewLinks:
    return PreviewLinks(worker.settings.data / "secrets" / "previews.key")


def test_a_draft_is_shown_to_who_holds_its_link_and_nobody_is_counted(worker: OneWorker, token: str) -> None:
    shown = asked(worker, f"{FLAG}?resonate_preview={token}")
    by_attribute = asked(worker, FLAG, context={"resonate.preview": token})
    assert shown.json() == by_attribute.json()
    answer = shown.json()
    assert (answer["variant"], answer["reason"]) == ("b", "TARGETING_MATCH")
    assert answer["metadata"] | {"forced": True, "preview": "shown", "in_experiment": False} == answer["metadata"]
    every = asked(worker, f"{FLAGS}?resonate_preview={token}").json()
    flags = [flag["key"] for flag in every["flags"]]
    assert "draft" in flags
    assert flags == sorted(flags)
    assert every["metadata"]["preview"] == "shown"
    page = asked(worker, f"/v1/personalize?resonate_preview={token}", experiments=["draft", "banner"]).json()
    assert (page["experiments"]["draft"]["variant"], page["preview"]) == ("b", "shown")
    assert "errors" not in page
    unnamed = asked(worker, "/v1/personalize", attributes={"resonate.preview": token}).json()
    assert unnamed["experiments"]["draft"] == page["experiments"]["draft"]
    kept = records(worker, visitor_id="p-1")
    assert {record["experiment"] for record in kept} == {"banner"}
    assert token not in str(kept)


@pytest.mark.parametrize("path", [FLAG, FLAGS, "/v1/personalize"])
def test_without_a_link_that_holds_a_draft_leaves_no_trace(worker: OneWorker, token: str, path: str) -> None:
    now, own = time.time(), links(worker)
    other = PreviewLinks(worker.settings.data.parent / "elsewhere" / "previews.key")
    bad = {
        "of another phase": own.token(PreviewLink("draft", 1, "b", int(now + WEEK)), now),
        "of another variant": own.token(PreviewLink("draft", 0, "z", int(now + WEEK)), now),
        "of no experiment": own.token(PreviewLink("none", 0, "b", int(now + WEEK)), now),
        "over": own.token(PreviewLink("draft", 0, "b", int(now - 5)), now - WEEK),
        "of another service": other.token(PreviewLink("draft", 0, "b", int(now + WEEK)), now),
        "none": "x",
    }
    plain = asked(worker, path, "p-2").json()
    for name, each in bad.items():
        answer = asked(worker, f"{path}?resonate_preview={each}", "p-2").json()
        if path == FLAG:
            assert "the preview link is over" in answer.pop("errorDetails"), name
            assert answer == {key: plain[key] for key in ("key", "errorCode")}, name
            continue
        told = answer if path == "/v1/personalize" else answer["metadata"]
        assert told.pop("preview") == "expired", name
        assert answer == plain, name
    good = asked(worker, f"{path}?resonate_preview={token}", "p-2").json()
    assert "draft" in str(good)


def test_a_link_shows_what_is_paused_and_what_runs_and_none_of_the_rest(worker: OneWorker, token: str) -> None:
    paused = link(worker, "paused", variant="b").json()["token"]
    assert asked(worker, f"/ofrep/v1/evaluate/flags/paused?resonate_preview={paused}").json()["variant"] == "b"
    assert asked(worker, f"{FLAG}?resonate_preview={paused}").status_code == 404
    both = asked(worker, f"{FLAGS}?resonate_preview={paused}&resonate_preview={token}").json()
    shown = {flag["key"]: flag["variant"] for flag in both["flags"]}
    assert (shown["paused"], shown["draft"]) == ("b", "b")
    with worker.client(SECRET) as backend:
        whole = backend.post(f"{FLAGS}?resonate_preview={token}", json={"context": {"targetingKey": "v"}}).json()
    assert "draft" in [flag["key"] for flag in whole["flags"]]


def test_a_link_is_made_for_a_page_and_stands_in_the_audit(worker: OneWorker) -> None:
    made = link(
        worker, "draft", variant="a", days=0.5, url="https://shop.example/p?x=1&resonate_preview=old", reason="r"
    )
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    assert parse_qs(urlsplit(body["url"]).query) == {"x": ["1"], "resonate_preview": [body["token"]]}
    shown = links(worker).read(body["token"], time.time())
    assert shown is not None
    assert 0 < shown.ends - time.time() <= 43_200
    lines, _ = Audit(worker.settings.data).page(None, 1_000, Wanted())
    line = [each for each in lines if each.act == "preview"][-1]
    assert (line.subject, line.after["variant"], line.reason) == ("draft", "a", "r")
    assert body["token"] not in str(lines)


def test_what_cannot_be_shown_is_said(worker: OneWorker) -> None:
    wrong = {
        "variant": link(worker, "draft", variant="c"),
        "experiment": link(worker, "drafft", variant="b"),
        "days": link(worker, "draft", variant="b", days=31),
        "no days": link(worker, "draft", variant="b", days=1e-9),
        "page's key": link(worker, "draft", PUBLISHABLE, variant="b"),
    }
    assert {name: answer.status_code for name, answer in wrong.items()} == {
        "variant": 404, "experiment": 404, "days": 400, "no days": 400, "page's key": 403
    }  # fmt: skip
    assert "it has a, b" in wrong["variant"].json()["detail"]
    assert "did you mean draft" in wrong["experiment"].json()["detail"]
    assert "days" in wrong["days"].text


def test_two_links_for_one_experiment_show_it_once(worker: OneWorker, token: str) -> None:
    other = link(worker, "draft", variant="a").json()["token"]
    query = f"resonate_preview={token}&resonate_preview={other}"
    flags = asked(worker, f"{FLAGS}?{query}").json()["flags"]
    assert [flag["variant"] for flag in flags if flag["key"] == "draft"] == ["a"]
    page = asked(worker, f"/v1/personalize?{query}")
    assert page.text.count('"draft":') == 1
    assert page.json()["preview"] == "shown"


def test_a_link_is_stored_nowhere(worker: OneWorker, token: str) -> None:
    page = {"url": f"https://shop.example/?resonate_preview={token}", "search": f"?resonate_preview={token}"}
    properties = {**page, "resonate_preview": token, "nested": {"resonate.preview": token}}
    event = {"anonymousId": "p-stored", "properties": properties, "context": {"page": page, "resonate.preview": token}}
    with worker.client() as client:
        client.post("/v1/page", json=event).raise_for_status()
    attributes = {"resonate_preview": token, "resonate.preview": token, "url": page["url"]}
    asked(worker, "/ofrep/v1/evaluate/flags/banner", "p-stored", context=attributes).raise_for_status()
    kept = records(worker, visitor_id="p-stored")
    assert {record["type"] for record in kept} == {"page", "exposure"}
    assert token not in str(kept)


@pytest.mark.parametrize("spoilt", ["empty", "short", "a folder"])
def test_a_spoilt_key_shows_nothing_and_makes_nothing(tmp_path: Path, spoilt: str) -> None:
    with OneWorker(tmp_path) as worker:
        token = link(worker, "draft", variant="b").json()["token"]
        file = worker.settings.data / "secrets" / "previews.key"
        file.unlink()
        file.mkdir() if spoilt == "a folder" else file.write_bytes(b"a" * (spoilt == "short"))
        answer = asked(worker, f"{FLAGS}?resonate_preview={token}")
        assert (answer.status_code, answer.json()["metadata"]["preview"]) == (200, "expired")
        refused = link(worker, "draft", variant="b")
        assert (refused.status_code, refused.json()["code"]) == (503, "preview_key_not_kept")


def test_who_takes_the_key_away_ends_all_links(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker:
        token = link(worker, "draft", variant="b").json()["token"]
        assert asked(worker, f"{FLAG}?resonate_preview={token}").status_code == 200
        (worker.settings.data / "secrets" / "previews.key").unlink()
        assert asked(worker, f"{FLAG}?resonate_preview={token}").status_code == 404
        again = link(worker, "draft", variant="b").json()["token"]
        assert asked(worker, f"{FLAG}?resonate_preview={again}").status_code == 200
        assert asked(worker, f"{FLAG}?resonate_preview={token}").status_code == 404
