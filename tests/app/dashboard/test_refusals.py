"""What a page cannot show is a page in words with the status kept; and whether there are pages at all."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from servers.one_worker import OneWorker
from servers.people import Visitor

from app.dashboard.refusals import TITLES, wants_pages
from app.keys.scopes import PAGES, Role
from app.main import cold_routes

SignedInAs = Callable[[Role], Visitor]
ADDRESSES = sorted(
    name.removeprefix("GET ") for name in PAGES if name.startswith("GET /dashboard/") and "{" not in name
)


def is_page(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_with_a_slip_is_a_page_that_says_what_was_probably_meant(
    address: str, worker: OneWorker, signed_in_as: SignedInAs
) -> None:
    answer = signed_in_as("viewer").get(f"{address[:-1]}x{address[-1]}")
    assert answer.status_code == 404
    assert is_page(answer)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert f'href="{address}"' in answer.text
    assert TITLES[404] in answer.text


def test_what_is_not_there_on_a_page_that_is_leads_to_no_page_of_another_name(
    worker: OneWorker, signed_in_as: SignedInAs
) -> None:
    answer = signed_in_as("editor").get("/dashboard/new?draft=gone")
    assert answer.status_code == 404
    assert "no file of a draft" in answer.text
    assert "Did you mean" not in answer.text


def test_an_unknown_experiment_is_asked_back(worker: OneWorker, signed_in_as: SignedInAs) -> None:
    answer = signed_in_as("viewer").get("/dashboard/experiments/baner/nothing-here")
    assert answer.status_code == 404
    assert 'href="/dashboard/experiments/banner"' in answer.text


def test_a_stranger_is_told_of_no_experiment(worker: OneWorker, stranger: Visitor) -> None:
    answer = stranger.get("/dashboard/experiments/baner/nothing-here")
    assert answer.status_code == 404
    assert "banner" not in answer.text


def test_an_unknown_word_of_the_glossary_is_asked_back_and_a_known_one_leads_there(
    worker: OneWorker, signed_in_as: SignedInAs
) -> None:
    viewer = signed_in_as("viewer")
    unknown, known = (viewer.get(f"/dashboard/glossary/{name}") for name in ("guardrial", "guardrail"))
    assert (unknown.status_code, is_page(unknown)) == (404, True)
    assert 'href="/dashboard/glossary/guardrail"' in unknown.text
    assert (known.status_code, known.headers["location"]) == (303, "/dashboard/glossary?page=2#guardrail")
    assert 'id="guardrail"' in viewer.get("/dashboard/glossary?page=2").text
    found = viewer.get("/dashboard/glossary", params={"find": "guardrial"})
    assert 'href="/dashboard/glossary/guardrail"' in found.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard/events?days=many", 400),
        ("/dashboard/metrics?page=0", 400),
        ("/dashboard/metrics?find=" + "x" * 300, 400),
        ("/dashboard/events/visitor", 405),
        ("/dashboard/metrics", 503),  # this worker has no analysis
    ],
)
def test_what_cannot_be_answered_is_a_page_with_its_status(
    path: str, status: int, worker: OneWorker, signed_in_as: SignedInAs
) -> None:
    answer = signed_in_as("viewer").get(path)
    assert (answer.status_code, is_page(answer)) == (status, True)
    assert "query." not in answer.text
    assert '<main id="content"' in answer.text


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/sign-in?token=a", "/dashboard/nothing-here"])
def test_a_request_that_names_no_host_is_told_on_a_page(path: str, stranger: Visitor, worker: OneWorker) -> None:
    answer = stranger.get(path, headers={"host": ""})
    assert (answer.status_code, is_page(answer)) == (404 if "nothing" in path else 400, True)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["shop example", "[", "[::1", "ada@shop.example", "shop.example/dashboard?"])
def test_what_can_be_no_host_is_refused_before_any_page(host: str, stranger: Visitor, worker: OneWorker) -> None:
    """No browser sends it: what does is told what a program is told."""
    answer = stranger.get("/dashboard", headers={"host": host})
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert "Host" in answer.json()["detail"]


def test_who_may_not_is_told_on_a_page_that_leads_on(worker: OneWorker, signed_in_as: SignedInAs) -> None:
    answer = signed_in_as("viewer").get("/dashboard/audit")
    assert (answer.status_code, is_page(answer)) == (403, True)
    assert 'aria-label="Main"' in answer.text


def test_a_body_without_end_is_refused_on_a_page(worker: OneWorker, signed_in_as: SignedInAs) -> None:
    answer = signed_in_as("admin").post_as_is("/dashboard/events/visitor", visitor="v" * 1_200_000)
    assert (answer.status_code, is_page(answer)) == (413, True)
    assert "<h1>That is too much at once</h1>" in answer.text
    assert "</html>" in answer.text


@pytest.mark.parametrize(
    ("accept", "leads"),
    [
        ("text/html,application/xhtml+xml;q=0.9", True),
        ("application/json, text/html;q=0.5", True),
        ("*/*", False),
        ("application/json", False),
        ("", False),
        ("text/html;q=0", False),
    ],
)
def test_the_root_leads_browsers_to_the_pages(accept: str, leads: bool, worker: OneWorker, stranger: Visitor) -> None:
    assert wants_pages(accept.encode()) is leads
    answer = stranger.get("/", headers={"accept": accept})
    assert (answer.status_code, answer.headers.get("location")) == ((303, "/dashboard/") if leads else (404, None))


def test_without_pages_their_addresses_are_unknown(tmp_path: Path) -> None:
    with OneWorker(tmp_path, dashboard="off") as worker, worker.client(None) as client:
        for method, path in cold_routes():
            if path.startswith("/dashboard"):
                answer = client.request(method, path.replace("{", "").replace("}", ""))
                assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert client.get("/", headers={"accept": "text/html"}).status_code == 404
        assert client.get("/docs").status_code == 200


def test_no_template_engine_is_loaded_before_the_first_page() -> None:
    told = (
        "import sys; from app.main import create_app; from app.runtime.settings import Settings;"
        " create_app(Settings()); print('jinja2' in sys.modules, 'markupsafe' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
