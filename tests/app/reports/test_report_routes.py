"""Reports over HTTP: what a key gets, what a link shows to strangers and what it keeps from them, and when it ends."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from servers.service import SECRET_KEY, Service, running

DEFINITIONS = {
    "banner.yaml": "key: banner\nname: Free shipping\nowner: anna@shop.example\nstatus: running\n"
    "variants: [control, threshold]\ngoals: [purchase_rate]\nguardrails: {refund_rate: 20%}\n"
    "audience: {where: {visitor_group: {$nin: [secret-group-7]}}}\n"
    "preview: {variant: threshold, visitors: [qa-visitor-1]}\n",
    "other-test.yaml": "key: other-test\nname: Hush hush\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\n",
}
KEPT_FROM_STRANGERS = (SECRET_KEY, "pk_test", "anna@", "secret-group-7", "qa-visitor-1", "other-test", "Hush", "v-1")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of two workers with a few visitors of two tests."""
    with running(tmp_path_factory.mktemp("shop"), DEFINITIONS, RESONATE_WORKERS="2") as service:
        with service.client() as client:
            for number in range(40):
                visitor = f"v-{number}"
                asked = {"visitor_id": visitor, "experiments": ["banner", "other-test"], "consent": "personal"}
                assert client.post("/v1/personalize", json=asked).status_code == 200
                if number % 3 == 0:
                    order = {"order_id": f"o-{number}", "revenue": 20.0, "currency": "EUR", "products": []}
                    bought = {"event": "Order Completed", "anonymousId": visitor, "properties": order}
                    bought |= {"context": {"consent": {"resonate": "personal"}}}
                    assert client.post("/v1/track", json=bought).status_code == 200
        service.results("banner")
        yield service


def made(shop: Service, **wanted: Any) -> dict[str, str]:
    with shop.client() as client:
        answer = client.post("/v1/experiments/banner/shares", json=wanted)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def opened(address: str) -> httpx.Response:
    return httpx.get(address, timeout=70)


def values(page: str) -> list[str]:
    return re.findall(r'<data value="([^"]*)">', page)


def test_a_report_says_the_numbers_of_the_results_in_both_forms(shop: Service) -> None:
    with shop.client() as client:
        page = client.get("/v1/experiments/banner/report")
        text = client.get("/v1/experiments/banner/report", params={"format": "md"})
        [metric, *_] = client.get("/v1/experiments/banner/results").json()["metrics"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    for arm in metric["arms"]:
        assert str(arm["units"]) in values(page.text)
        assert f"| {arm['variant']} | {arm['units']} |" in text.text
    assert "anna@" in page.text
    assert "anna@" in text.text


def test_an_unknown_experiment_and_a_look_of_the_future_are_refused_in_words(shop: Service) -> None:
    with shop.client() as client:
        unknown = client.get("/v1/experiments/baner/report")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_experiment")
        future = client.get("/v1/experiments/banner/report", params={"at": "2999-01-01"})
        assert (future.status_code, future.json()["code"]) == (400, "invalid_date")
        assert client.post("/v1/experiments/baner/shares", json={}).status_code == 404
        assert client.post("/v1/experiments/banner/shares", json={"at": "2999-01-01"}).status_code == 400
        for days in (0, 366, 1.5, "30"):
            assert client.post("/v1/experiments/banner/shares", json={"days": days}).status_code == 400, days
        assert client.post("/v1/experiments/banner/shares", json={"day": 3}).status_code == 400
        lines = client.get("/v1/audit", params={"subject": "baner"}).json()["lines"]
    assert lines == [], "what was refused was not done"


def test_a_link_shows_the_report_without_a_key_and_keeps_all_else_from_strangers(shop: Service) -> None:
    link = made(shop)
    answer = opened(link["url"])
    assert answer.status_code == 200
    assert "Free shipping" in answer.text
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in answer.text
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "script" not in answer.headers["content-security-policy"]
    for hidden in KEPT_FROM_STRANGERS:
        assert hidden not in answer.text, hidden
    assert httpx.post(link["url"], timeout=70).status_code == 405


def test_unknown_ended_and_taken_back_links_answer_the_same_404(shop: Service) -> None:
    link = made(shop)
    token = link["url"].rpartition("/")[2]
    places = [link["url"][:-43] + each for each in ("", "x", "A" * 43, token[:-1], token + "A", "%00", "é" * 43)][1:]
    with shop.client() as client:
        assert client.delete(f"/v1/shares/{link['id']}").status_code == 204
        assert client.delete(f"/v1/shares/{link['id']}").status_code == 404
    answers = [opened(place) for place in (link["url"], *places)]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    unalike = {"x-request-id", "date"}
    assert len({str({k: v for k, v in answer.headers.items() if k not in unalike}) for answer in answers}) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 404), ("GET", "/", 404), ("GET", "/a/b", 404), ("GET", "/" + "x" * 300, 404), ("GET", "/%ff", 404),
        ("HEAD", "/abc", 404), ("OPTIONS", "/abc", 405), ("POST", "/abc", 405), ("DELETE", "/abc", 405),
    ],
)  # fmt: skip
def test_whatever_is_asked_of_a_link_is_answered_by_a_page_that_nobody_keeps(
    shop: Service, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, f"{shop.url}/share{path}", timeout=70)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    for name in ("content-security-policy", "referrer-policy", "x-robots-tag", "cache-control"):
        assert answer.headers[name] == opened(f"{shop.url}/share/abc").headers[name]
    whole = b"" if method == "HEAD" else opened(f"{shop.url}/share/abc").content
    assert status == 405 or answer.content == whole
    assert status == 404 or answer.headers["allow"] == "GET, HEAD"


def test_a_look_before_every_log_and_one_without_a_moment_are_refused_in_words(shop: Service) -> None:
    with shop.client() as client:
        for path in ("report", "results"):
            early = client.get(f"/v1/experiments/banner/{path}", params={"at": "0001-01-01"})
            assert (early.status_code, early.json()["code"]) == (400, "invalid_date")
        assert client.post("/v1/experiments/banner/shares", json={"at": ""}).status_code == 400


def test_links_are_listed_without_what_opens_them_and_each_act_is_in_the_audit(shop: Service) -> None:
    link = made(shop, days=3, reason="for the board")
    token = link["url"].rpartition("/")[2]
    with shop.client() as client:
        listed = client.get("/v1/shares")
        [found] = [each for each in listed.json()["shares"] if each["id"] == link["id"]]
        assert found["experiment"] == "banner"
        assert found["at"] is None
        assert found["expires_at"] == link["expires_at"]
        assert found["by"].startswith("key ")
        assert set(found) == {"id", "experiment", "at", "created_at", "expires_at", "by"}
        assert (
            client.delete(f"/v1/shares/{link['id']}", headers={"x-resonate-reason": "sent wrongly"}).status_code == 204
        )
        lines = client.get("/v1/audit", params={"subject": "banner"})
    told = [line for line in lines.json()["lines"] if link["id"] in str(line)]
    assert [(line["act"], line["actor"]["kind"], line["reason"]) for line in told] == [
        ("share", "key", "for the board"),
        ("unshare", "key", "sent wrongly"),
    ]
    for text in (listed.text, lines.text, (shop.data / "secrets" / "shares.json").read_text(), shop.log_text()):
        assert token not in text


def test_a_frozen_link_shows_the_look_of_its_moment_and_a_live_one_the_newest(shop: Service) -> None:
    before = shop.results("banner")
    frozen, live = made(shop, at=before["watermark"]), made(shop)
    first = opened(frozen["url"]).text
    with shop.client() as client:
        for number in range(100, 120):
            asked = {"visitor_id": f"v-{number}", "experiments": ["banner"], "consent": "personal"}
            assert client.post("/v1/personalize", json=asked).status_code == 200
    after = shop.results("banner")
    units = [[str(arm["units"]) for arm in each["metrics"][0]["arms"]] for each in (before, after)]
    assert units[0] != units[1]
    assert opened(frozen["url"]).text == first
    assert all(f'<data value="{count}">' in first for count in units[0])
    assert all(f'<data value="{count}">' in opened(live["url"]).text for count in units[1])


def test_a_damaged_file_of_links_opens_none_says_where_it_is_and_is_not_written_over(shop: Service) -> None:
    address, file = made(shop)["url"], shop.data / "secrets" / "shares.json"
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[:-9])
        assert opened(address).status_code == 503
        with shop.client() as client:
            listed, another = client.get("/v1/shares"), client.post("/v1/experiments/banner/shares", json={})
        for answer in (listed, another):
            assert (answer.status_code, answer.json()["code"]) == (503, "shares_unreadable")
            assert str(file) in answer.json()["detail"]
        assert file.read_bytes() == kept[:-9]
    finally:
        file.write_bytes(kept)
    assert opened(address).status_code == 200
