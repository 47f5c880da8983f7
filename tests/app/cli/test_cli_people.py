"""People added, listed, given other roles and taken out by command, and the links by which they sign in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.main import app
from app.cli.output import Refused
from app.keys.audit import Audit, Wanted
from app.people.file import LinkUsed, People, SignIn

Resonate = Callable[..., Result]


@pytest.fixture
def resonate(tmp_path: Path) -> Resonate:
    (tmp_path / "data").mkdir()
    environment = {"RESONATE_DATA": str(tmp_path / "data"), "RESONATE_PUBLIC_URL": "https://shop.example/r"}

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(app, ["people", *arguments], env=environment | more)

    return run


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def told(result: Result) -> Any:
    return json.loads(done(result))


def refusal(result: Result) -> str:
    assert isinstance(result.exception, Refused), result.output
    return str(result.exception)


def token_of(url: str) -> str:
    address, _, token = url.partition("/dashboard/sign-in?token=")
    assert address == "https://shop.example/r"
    return token


def test_somebody_is_added_with_a_link_that_signs_them_in(resonate: Resonate, tmp_path: Path) -> None:
    made = told(resonate("add", "ada@shop.example", "--role", "publisher", "--json"))
    people = People(tmp_path / "data" / "people.json", Audit(tmp_path / "data"))
    until = people.known.links[0].ends
    person = people.whose(SignIn(token_of(made["url"]), ""), until - 1)
    assert (person.email, person.role) == (made["email"], made["role"]) == ("ada@shop.example", "publisher")


def test_a_new_link_takes_the_place_of_the_one_before(resonate: Resonate, tmp_path: Path) -> None:
    first = told(resonate("add", "ada@shop.example", "--role", "admin", "--json"))["url"]
    second = done(resonate("link", "ada@shop.example")).split()[-1]
    people = People(tmp_path / "data" / "people.json", Audit(tmp_path / "data"))
    now = people.known.links[0].ends - 1
    assert people.whose(SignIn(token_of(second), ""), now).email == "ada@shop.example"
    with pytest.raises(LinkUsed):
        people.whose(SignIn(token_of(first), ""), now)


def test_the_list_has_everybody_and_no_token(resonate: Resonate) -> None:
    made = told(resonate("add", "bob@shop.example", "--role", "admin", "--json"))
    done(resonate("add", "ada@shop.example", "--role", "viewer"))
    listed = told(resonate("list", "--json"))["people"]
    assert [(each["email"], each["role"]) for each in listed] == [
        ("ada@shop.example", "viewer"), ("bob@shop.example", "admin"),
    ]  # fmt: skip
    assert all(each["link_until"].endswith("Z") for each in listed)
    table = done(resonate("list"))
    assert "ada@shop.example" in table
    assert token_of(made["url"]) not in table + json.dumps(listed)


def test_roles_change_and_people_go_with_who_and_why_in_the_audit(resonate: Resonate, tmp_path: Path) -> None:
    done(resonate("add", "bob@shop.example", "--role", "admin"))
    done(resonate("add", "ada@shop.example", "--role", "viewer"))
    assert "signed out everywhere" in done(resonate("role", "ada@shop.example", "editor", "--reason", "new job"))
    done(resonate("remove", "ada@shop.example"))
    lines = Audit(tmp_path / "data").page(None, 100, Wanted(frozenset({"person:ada@shop.example"})))[0]
    assert [(line.act, line.actor.kind, line.reason) for line in lines] == [
        ("person.add", "cli", None), ("person.role", "cli", "new job"), ("person.remove", "cli", None),
    ]  # fmt: skip
    assert [each["email"] for each in told(resonate("list", "--json"))["people"]] == ["bob@shop.example"]


def test_what_is_refused_says_what_would_be_right(resonate: Resonate, tmp_path: Path) -> None:
    done(resonate("add", "bob@shop.example", "--role", "admin"))
    assert "did you mean publisher" in refusal(resonate("add", "ada@shop.example", "--role", "publsher"))
    assert "is there already" in refusal(resonate("add", "bob@shop.example", "--role", "admin"))
    assert "did you mean bob@shop.example" in refusal(resonate("role", "bop@shop.example", "viewer"))
    assert "is the only admin" in refusal(resonate("remove", "bob@shop.example"))
    assert "it may have 500" in refusal(resonate("link", "bob@shop.example", "--reason", "x" * 501))
    assert "no service has run" in refusal(resonate("list", RESONATE_DATA=str(tmp_path / "nowhere")))
    (tmp_path / "data" / "people.json").write_text("[")
    assert "put it back from a backup" in refusal(resonate("list"))
    assert "put it back from a backup" in refusal(resonate("link", "bob@shop.example"))


@pytest.mark.parametrize(
    ("running", "address"),
    [(None, "http://127.0.0.1:8765"), ('{"url": "http://0.0.0.0:9000"}', "http://127.0.0.1:9000")],
)
def test_without_a_public_address_it_is_that_of_the_service(
    resonate: Resonate, tmp_path: Path, running: str | None, address: str
) -> None:
    if running is not None:
        (tmp_path / "data" / "run").mkdir()
        (tmp_path / "data" / "run" / "address").write_text(running)
    printed = done(resonate("add", "ada@shop.example", "--role", "admin", RESONATE_PUBLIC_URL="", RESONATE_PORT="8765"))
    assert printed.split()[-1].startswith(f"{address}/dashboard/sign-in?token=")
