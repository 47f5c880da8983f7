"""People of a running service for tests: signed in by a link as people are, over httpx or in a browser."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
from servers.chromium import another_page
from servers.patience import until

from app.keys.audit import Actor, Audit
from app.keys.scopes import Role
from app.people.file import By, People
from app.people.links import sign_in_address
from app.people.member import PeopleRefused

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
LATE = re.compile(r"being (?:computed|counted)[^<]*[:.] <a ")  # and the link behind it leads to the page itself
TESTS = By(Actor("cli", "tests"))


def people_of(data: Path) -> People:
    """Those of a data directory."""
    return People(data / "people.json", Audit(data))


def sign_in_link(url: str, data: Path, role: Role, email: str | None = None) -> str:
    """The address that signs somebody with this role in, once; `ROLE@shop.example` where no e-mail is given."""
    people, who = people_of(data), email or f"{role}@shop.example"
    try:
        _, token = people.add(who, role, TESTS, time.time())
    except PeopleRefused:
        _, token = people.link(who, TESTS, time.time())
    return sign_in_address(url, token)


class Visitor:
    """Whoever opens pages over httpx, as a browser does: with its cookies, and saying from which page forms come."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, headers={"user-agent": "Tests/1"}, timeout=70, **options)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A page, which is looked at again as long as something of it is still being computed."""

        def whole() -> httpx.Response | None:
            page = self.at_once(path, **options)
            return None if LATE.search(page.text) else page

        return until(whole, f"{path} has all its numbers")

    def at_once(self, path: str, **options: Any) -> httpx.Response:
        """A page as it is after two seconds at the latest, whatever it lacks."""
        return self.client.get(path, **options)

    def form_token(self, page: str = "/dashboard/settings") -> str:
        """That of the forms of a page."""
        found = TOKEN.search(self.get(page).text)
        assert found is not None, f"{page} has no form of who is signed in"
        return found[1]

    def post(self, path: str, page: str = "/dashboard/settings", **fields: str) -> httpx.Response:
        """What a form of this page sends; its answer, which is not followed."""
        return self.post_as_is(path, form_token=self.form_token(page), **fields)

    def post_as_is(self, path: str, **fields: str) -> httpx.Response:
        """These fields and no others, as from a page of the service."""
        return self.client.post(path, data=fields, headers={"origin": self.url})

    def open(self, link: str) -> httpx.Response:
        """Opens a link that signs in and presses its button; the answer to that."""
        token = link.partition("token=")[2]
        return self.client.post("/dashboard/sign-in", data={"token": token, "form": "f"}, headers={"origin": self.url})


def signed_in_visitor(url: str, data: Path, role: Role, email: str | None = None) -> Visitor:
    """Somebody who is signed in with this role, to be closed: `with signed_in_visitor(url, data, "viewer") as ada`."""
    visitor = Visitor(url)
    answer = visitor.open(sign_in_link(url, data, role, email))
    if answer.status_code != 303:
        visitor.client.close()
        raise AssertionError(answer.text)
    return visitor


def sign_in_browser(browser: Any, url: str, data: Path, role: Role, email: str | None = None) -> None:
    """Signs a browser (Selenium's) in by the button of a link."""
    browser.get(sign_in_link(url, data, role, email))
    with another_page(browser):
        browser.find_element("css selector", "main form button").click()
