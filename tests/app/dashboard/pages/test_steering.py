"""What one may do to an experiment: with a reason, kept with the person, by those who may, and shown where refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from servers.patience import until
from servers.people import Visitor, signed_in_visitor
from servers.service import Service, write_definitions
from worlds.filled_shops import FILES

from app.keys.audit import Actor, Audit, AuditLine, Wanted

PAGE = "/dashboard/experiments"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("steered")
    files = {
        **FILES,
        "later.yaml": FILES["draft.yaml"].replace("draft", "later"),
        "second.yaml": FILES["paused.yaml"].replace("key: paused", "key: second"),
        "third.yaml": FILES["paused.yaml"].replace("key: paused", "key: third"),
    }
    service = Service(root / "data", write_definitions(root / "definitions", files), {"RESONATE_WORKERS": "1"})
    try:
        yield service.start()
    finally:
        service.end()


@pytest.fixture(scope="module")
def ada(shop: Service) -> Iterator[Visitor]:
    with signed_in_visitor(shop.url, shop.data, "publisher", "ada@shop.example") as visitor:
        yield visitor


def lines(shop: Service, act: str) -> list[AuditLine]:
    return [line for line in Audit(shop.data).page(None, 1_000, Wanted())[0] if line.act == act]


def experiment(shop: Service, key: str) -> dict[str, Any]:
    with shop.client() as client:
        return client.get(f"/v1/experiments/{key}").json()


PAGE_SAYS = ("content-security-policy", "referrer-policy", "cache-control", "x-content-type-options")


def becomes(shop: Service, key: str, status: str) -> None:
    until(lambda: experiment(shop, key)["status"] == status, f"{key} is {status}", tell=shop.told)


def test_a_draft_is_started_and_its_page_says_which_line_to_copy(shop: Service, ada: Visitor) -> None:
    answer = ada.post(f"{PAGE}/draft/start", page=f"{PAGE}/draft", reason="the offer is ready")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}/draft")
    becomes(shop, "draft", "running")
    assert experiment(shop, "draft")["status_in_file"] == "draft"
    assert "status: running" in ada.get(f"{PAGE}/draft").text
    (line,) = lines(shop, "start")
    assert (line.actor, line.reason) == (Actor("person", "ada@shop.example"), "the offer is ready")
    assert (line.before, line.after) == ({"status": "draft"}, {"status": "running"})


@pytest.mark.parametrize("reason", ["", "  a ", "r" * 501])
def test_an_order_without_a_reason_is_not_carried_out_and_the_page_says_so(
    shop: Service, ada: Visitor, reason: str
) -> None:
    answer = ada.post(f"{PAGE}/banner/pause", page=f"{PAGE}/banner", reason=reason)
    assert answer.status_code == 400
    assert "Say why, in 3 to 500 characters" in answer.text
    assert experiment(shop, "banner")["status"] == "running"
    assert lines(shop, "pause") == []


def test_shipping_against_the_decision_takes_a_tick_and_is_kept_as_such(shop: Service, ada: Visitor) -> None:
    told = {"reason": "we need it for the campaign", "variant": "short"}
    refused = ada.post(f"{PAGE}/second/ship", page=f"{PAGE}/second", **told)
    assert refused.status_code == 409
    assert "goes against the decision" in refused.text
    assert "we need it for the campaign" in refused.text
    shipped = ada.post(f"{PAGE}/second/ship", page=f"{PAGE}/second", ignoring="yes", **told)
    assert shipped.status_code == 303
    becomes(shop, "second", "stopped")
    assert experiment(shop, "second")["decision"]["variant"] == "short"
    assert "decision: {outcome: shipped, variant: short}" in ada.get(f"{PAGE}/second").text
    (line,) = lines(shop, "ship")
    assert (line.after["variant"], bool(line.after["ignored"])) == ("short", True)


def test_a_variant_that_there_is_not_is_not_shipped(shop: Service, ada: Visitor) -> None:
    told = {"reason": "a slip of the finger", "variant": "shrot", "ignoring": "yes"}
    answer = ada.post(f"{PAGE}/third/ship", page=f"{PAGE}/third", **told)
    assert answer.status_code == 404
    assert "short" in answer.text
    assert experiment(shop, "third")["status"] == "paused"


def test_who_may_not_steer_sees_no_action_and_may_do_none(shop: Service) -> None:
    with signed_in_visitor(shop.url, shop.data, "viewer") as viewer:
        assert "<summary>Pause" not in viewer.get(f"{PAGE}/banner").text
        answer = viewer.post(f"{PAGE}/banner/pause", reason="I want it to stop")
    assert answer.status_code == 403
    assert experiment(shop, "banner")["status"] == "running"


def test_a_link_shows_a_variant_and_is_kept(shop: Service, ada: Visitor) -> None:
    told = {"variant": "threshold", "days": "2", "url": "https://shop.example/cart"}
    answer = ada.post(f"{PAGE}/banner/preview", page=f"{PAGE}/banner", **told)
    assert answer.status_code == 200
    assert "https://shop.example/cart?resonate_preview=" in answer.text
    (line,) = lines(shop, "preview")
    assert (line.actor.name, line.after["variant"]) == ("ada@shop.example", "threshold")


def test_a_key_starts_and_ships_too(shop: Service) -> None:
    with shop.client() as client:
        assert client.post("/v1/experiments/banner/ship", json={"variant": "none"}).status_code == 404
        assert client.post("/v1/experiments/banner/start").status_code == 202  # it runs already
        shipped = client.post("/v1/experiments/third/ship", json={"variant": "short", "reason": "by the deploy"})
        assert (shipped.status_code, shipped.json()["status"]) == (202, "stopped")
    becomes(shop, "third", "stopped")


def test_a_start_whose_files_have_mistakes_says_them(shop: Service) -> None:
    path = shop.definitions / "later.yaml"
    path.write_text("key: later\nvariants: [a, b]\ngoal: nothing_like_this\n")
    with shop.client() as client:
        answer = client.post("/v1/experiments/later/start")
    assert (answer.status_code, answer.json()["code"]) == (409, "check_failed")
    assert "later.yaml:3" in answer.json()["detail"]


def test_the_answer_to_a_form_has_the_headers_of_a_page_wherever_it_leads(shop: Service, ada: Visitor) -> None:
    page = ada.get(f"{PAGE}/banner")
    paused = ada.post(f"{PAGE}/banner/pause", reason="headers are looked at")
    refused = ada.post(f"{PAGE}/banner/pause", reason="no")
    assert [page.status_code, paused.status_code, refused.status_code] == [200, 303, 400]
    for answer in (paused, refused):
        assert {name: answer.headers[name] for name in PAGE_SAYS} == {name: page.headers[name] for name in PAGE_SAYS}


def test_a_reason_that_nobody_can_see_is_none(shop: Service, ada: Visitor) -> None:
    assert ada.post(f"{PAGE}/banner/pause", reason="\u200b\u200b\u200b\u2060").status_code == 400


def test_a_preview_of_what_is_no_address_is_refused_with_nothing_kept(shop: Service, ada: Visitor) -> None:
    before = len(lines(shop, "preview"))
    wanted = {"variant": "threshold", "days": "1", "url": "https://["}
    assert ada.post(f"{PAGE}/banner/preview", **wanted).status_code == 400
    with shop.client() as client:
        answer = client.post("/v1/experiments/banner/preview", json={"variant": "threshold", "url": "https://["})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_url")
    assert len(lines(shop, "preview")) == before


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("stop", {"reason": "x"}, "reason"),
        ("ship", {"reason": "because", "variant": "control"}, "ignoring"),
        ("ship", {"reason": "because", "variant": "nothing", "ignoring": "yes"}, "variant"),
        ("preview", {"variant": "control", "days": "99", "url": "https://shop.example/"}, "days"),
        ("preview", {"variant": "control", "days": "7", "url": "shop.example"}, "url"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_wrong_with_a_form_stands_beside_the_field_and_what_was_written_is_kept(
    ada: Visitor, action: str, fields: dict[str, str], field: str
) -> None:
    answer = ada.post(f"{PAGE}/banner/{action}", page=f"{PAGE}/banner", **fields)
    assert answer.status_code in (400, 404, 409)
    assert f'id="{action}-{field}" name="{field}" aria-invalid="true"' in answer.text
    assert answer.text.count('class="wrong"') == 1
    assert fields.get("url", "") in answer.text
