"""Who is let in: page × action × role, by which address, how often one may try, and what holds without a store."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, OneWorker
from servers.people import TESTS, Visitor, people_of, sign_in_link, signed_in_visitor

from app.keys.scopes import PAGES, ROLE_NAMES, ROLES, Role

SignedInAs = Callable[[Role], Visitor]
ALLOWED: dict[str, set[Role]] = {  # what each role may do, as people read it in docs/security.md
    "read_results": {"viewer", "editor", "publisher", "admin"},
    "export": {"editor", "publisher", "admin"},
    "steer": {"publisher", "admin"},
    "products": {"publisher", "admin"},
    "read_people": {"admin"},
    "erase": {"admin"},
    "audit": {"admin"},
    "people": {"admin"},
}


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "no-such", path)


@pytest.mark.parametrize("role", ROLE_NAMES)
def test_each_role_opens_its_pages_and_does_its_acts_and_no_others(
    role: Role, signed_in_as: SignedInAs, worker: OneWorker
) -> None:
    visitor, cells = signed_in_as(role), 0
    for name, scope in PAGES.items():
        method, _, path = name.partition(" ")
        if path == "/dashboard/sign-out":
            continue
        answer = visitor.get(address(path)) if method == "GET" else visitor.post(address(path))
        may = role in ALLOWED[scope]
        refused = "role_may_not" in answer.text and f"signed in as {role}" in answer.text.replace("Signed", "signed")
        assert refused == (not may), (name, role, answer.text[:300])
        assert (answer.status_code == 403) == (not may), (name, role, answer.status_code)
        cells += 1
    assert cells == len(PAGES) - 1


def test_the_table_of_roles_is_the_one_that_people_read() -> None:
    assert {scope: {role for role in ROLE_NAMES if scope in ROLES[role]} for scope in ALLOWED} == ALLOWED
    assert set.union(*(set(scopes) for scopes in ROLES.values())) == set(ALLOWED)
    table = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    for role in ROLE_NAMES:
        row = next(line for line in table.splitlines() if line.startswith(f"| `{role}` |"))
        assert set(re.findall(r"`([a-z_]+)`", row)) == {role} | set(ROLES[role]), role


def test_what_one_may_not_open_is_not_shown(signed_in_as: SignedInAs) -> None:
    navigation = {
        role: signed_in_as(role).get("/dashboard/settings").text.partition("</nav>")[0] for role in ROLE_NAMES
    }
    assert {role for role, text in navigation.items() if "/dashboard/audit" in text} == {"admin"}
    assert {role for role, text in navigation.items() if "/dashboard/settings" in text} == set(ROLE_NAMES)


def test_ten_tries_a_minute_and_no_more_and_a_link_is_not_used_up_by_them(tmp_path: Path) -> None:
    with OneWorker(tmp_path, sign_ins_per_minute=10) as worker, Visitor(worker.url) as visitor:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        for _ in range(10):
            assert visitor.open("token=wrong").status_code == 403
        refused = visitor.open(link)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 6
        assert "10 a minute" in refused.text
        assert people_of(worker.settings.data).known.links[0].used is None
        assert visitor.get(link).status_code == 200


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneWorker]:
    """A worker behind a proxy that speaks TLS, below a path."""
    root = tmp_path_factory.mktemp("published")
    with OneWorker(root, public_url="https://shop.example/r/x7") as worker:
        yield worker


def test_by_https_the_cookie_is_the_hosts_alone(published: OneWorker) -> None:
    link = sign_in_link(published.url, published.settings.data, "viewer")
    form = {"token": link.partition("token=")[2], "form": "f"}
    with httpx.Client(base_url=published.url) as browser:
        foreign = browser.post("/dashboard/sign-in", data=form, headers={"origin": published.url})
        assert foreign.status_code == 403
        assert "https://shop.example" in foreign.text
        entered = browser.post("/r/x7/dashboard/sign-in", data=form, headers={"origin": "https://shop.example"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/r/x7/dashboard")
        cookie = entered.headers["set-cookie"]
        assert cookie.startswith("__Host-resonate=")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} < {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie
        page = browser.get("/r/x7/dashboard/settings", headers={"cookie": cookie.partition(";")[0]})
        assert page.status_code == 200
        assert 'action="/r/x7/dashboard/sign-out"' in page.text
        assert browser.get("/r/x7/dashboard/settings").headers["location"] == "/r/x7/dashboard/sign-in"


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ({"host": "10.0.0.7:8000"}, ()),
        ({"host": "shop.example"}, ()),
        ({"host": "localhost:8000", "x-forwarded-proto": "https"}, ()),  # of whom nobody said to believe it
        ({"x-forwarded-proto": "http", "x-forwarded-host": "shop.example"}, ("127.0.0.0/8",)),
    ],
)
def test_by_plain_http_from_elsewhere_nobody_signs_in(
    headers: dict[str, str], trusted: tuple[str, ...], tmp_path: Path
) -> None:
    with OneWorker(tmp_path, trusted_proxies=",".join(trusted)) as worker, httpx.Client(base_url=worker.url) as browser:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        token = link.partition("token=")[2]
        looked = browser.get("/dashboard/sign-in", params={"token": token}, headers=headers)
        origin = {"origin": f"http://{headers.get('x-forwarded-host', headers.get('host'))}"}
        tried = browser.post("/dashboard/sign-in", data={"token": token}, headers=headers | origin)
        for answer in (looked, tried):
            assert answer.status_code == 403
            assert "signing in needs https" in answer.text
            assert "RESONATE_PUBLIC_URL=https://" in answer.text
            assert "set-cookie" not in answer.headers
        assert people_of(worker.settings.data).known.links[0].used is None


def test_behind_a_trusted_proxy_with_tls_one_signs_in_by_its_address(tmp_path: Path) -> None:
    with OneWorker(tmp_path, trusted_proxies="127.0.0.0/8") as worker, httpx.Client(base_url=worker.url) as browser:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        said = {"x-forwarded-proto": "https", "x-forwarded-host": "shop.example", "x-forwarded-for": "192.0.2.1"}
        form = {"token": link.partition("token=")[2], "form": "f"}
        entered = browser.post("/dashboard/sign-in", data=form, headers=said | {"origin": "https://shop.example"})
        assert entered.status_code == 303
        assert entered.headers["set-cookie"].startswith("__Host-resonate=")


def test_while_the_store_is_away_pages_say_so_and_visitors_notice_nothing(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, signed_in_visitor(worker.url, worker.settings.data, "admin") as admin:
        assert admin.get("/dashboard/settings").status_code == 200
        another = sign_in_link(worker.url, worker.settings.data, "viewer")
        worker.store.stop()
        answer = admin.get("/dashboard/settings")
        assert answer.status_code == 503
        assert "Visitors of the shop are served all the same" in answer.text
        assert "set-cookie" not in answer.headers
        with Visitor(worker.url) as visitor:
            assert visitor.open(another).status_code == 503
        assert [link.used for link in people_of(worker.settings.data).known.links][-1] is None
        with worker.client(PUBLISHABLE) as page:
            body = {"context": {"targetingKey": "v-1"}}
            assert page.post("/ofrep/v1/evaluate/flags/banner", json=body).status_code == 200
        worker.store.start()
        assert admin.get("/dashboard/settings").status_code == 200


def test_a_damaged_file_of_people_opens_no_page_and_says_where_it_is(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, signed_in_visitor(worker.url, worker.settings.data, "admin") as admin:
        (worker.settings.data / "people.json").write_text("{")
        for path in ("/dashboard/settings", "/dashboard/sign-in?token=x"):
            answer = admin.get(path)
            assert answer.status_code == 503
            assert "put it back from a backup" in answer.text


def test_an_audit_that_cannot_be_written_lets_nobody_in_and_uses_no_link_up(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, Visitor(worker.url) as visitor:
        link = sign_in_link(worker.url, worker.settings.data, "admin")
        folder = worker.settings.data / "audit"
        folder.rename(folder.with_name("away"))
        folder.write_text("in the way")
        assert visitor.open(link).status_code == 503
        folder.unlink()
        folder.with_name("away").rename(folder)
        assert visitor.open(link).status_code == 303


def test_the_first_who_comes_says_who_they_are(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, Visitor(worker.url) as visitor:
        token = people_of(worker.settings.data).first_link(time.time())
        assert token is not None
        assert 'name="email"' in visitor.get("/dashboard/sign-in", params={"token": token}).text
        form = {"token": token, "form": "f"}
        nameless = visitor.post_as_is("/dashboard/sign-in", **form, email="me")
        assert nameless.status_code == 400
        assert "is no e-mail address" in nameless.text
        assert visitor.post_as_is("/dashboard/sign-in", **form, email="ada@shop.example").status_code == 303
        assert "ada@shop.example (admin)" in visitor.get("/dashboard/settings").text
        assert 'name="email"' not in visitor.get("/dashboard/sign-in", params={"token": token}).text


def test_a_session_ends_in_every_worker_at_once(tmp_path: Path) -> None:
    with OneWorker(tmp_path) as worker, signed_in_visitor(worker.url, worker.settings.data, "viewer") as viewer:
        people_of(worker.settings.data).add("other@shop.example", "admin", TESTS, time.time())
        assert viewer.get("/dashboard/settings").status_code == 200
        people_of(worker.settings.data).set_role("viewer@shop.example", "editor", TESTS)  # another process does it
        assert viewer.get("/dashboard/settings").status_code == 303
