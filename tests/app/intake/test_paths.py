"""Every path that a client has built in: families, one slash at the end, pixels, forms; and those of other vendors."""

import base64
import json
from typing import Any
from urllib.parse import quote, unquote, urlencode
from uuid import uuid4

import httpx
import pytest
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker, records

from app.intake.paths import OTHERS
from app.main import cold_routes, path_table

KINDS = {"track": {"event": "E"}, "page": {}, "screen": {}, "identify": {}, "group": {"groupId": "g"},
         "alias": {"previousId": "p", "userId": "u"}}  # fmt: skip
SINGLE = [(f"{start}/{kind}", kind) for kind in KINDS for start in ("/v1", "/rudder/v1")]
SINGLE += [(f"/v1/{kind[0]}", kind) for kind in KINDS]
BATCHES = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/rudder/v1/batch"]
IN_ADDRESS = {"params": {"writeKey": PUBLISHABLE}}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("path", "kind"), SINGLE)
def test_every_path_of_one_event_stores_it(worker: OneWorker, path: str, kind: str, slash: str) -> None:
    message_id = uuid4().hex
    with worker.client() as client:
        answer = client.post(path + slash, json={"anonymousId": "v", "messageId": message_id, **KINDS[kind]})
    assert answer.content == b'{"success":true}'
    assert [row["type"] for row in records(worker, message_id=message_id)] == [kind]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", BATCHES)
def test_every_path_of_many_events_stores_them(worker: OneWorker, path: str, slash: str) -> None:
    ids = [uuid4().hex, uuid4().hex]
    batch = [{"type": "page", "anonymousId": "v", "messageId": each} for each in ids]
    with worker.client(None) as client:
        assert client.post(path + slash, json={"batch": batch}, **IN_ADDRESS).json() == {"success": True}
    assert all(len(records(worker, message_id=each)) == 1 for each in ids)


def answered(client: httpx.Client, method: str, path: str) -> tuple[int, Any]:
    """What is answered, without what is another one each time."""
    with client.stream(method, path, content=b"{}" if method in ("POST", "PUT") else None) as answer:
        told = answer.headers.get("content-type", "")
        return answer.status_code, json.loads(answer.read()).get("code") if "problem" in told else told


def test_one_slash_at_the_end_of_any_address_means_nothing(worker: OneWorker) -> None:
    table = path_table()
    hot = [(route.method, route.name) for route in (*table.exact.values(), *table.below.values())]
    with worker.client(SECRET) as client:
        for method, route in [*hot, *cold_routes()]:
            path = route
            for name, value in {"key": "banner", "identifier": "nobody", "product_id": "sku-1", "hash": "x"}.items():
                for ending in ("", ":path", ":visitor"):
                    path = path.replace(f"{{{name}{ending}}}", value)
            assert answered(client, method, f"{path}/") == answered(client, method, path), path
        for method, path in [(route.method, path) for path, route in table.exact.items()]:
            assert client.request(method, f"{path}//").status_code in (404, 405), path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/v1/users/u%2F", "/v1/users/u/"), (b"/v1/users/u/", "/v1/users/u"), (b"/v1/users/u%2F/", "/v1/users/u/"),
        (b"/v1/users/u//", "/v1/users/u//"), (b"/", "/"), (b"//", "//"), (b"/v1/track/", "/v1/track"),
    ],
)  # fmt: skip
def test_a_slash_that_is_written_as_part_of_an_id_stays_one(raw: bytes, path: str) -> None:
    scope = {"path": unquote(raw.decode()), "raw_path": raw}
    path_table().route(scope)
    path_table().route(scope)  # the cold tier asks once more
    assert scope["path"] == path


@pytest.mark.parametrize("kind", ["track", "page", "identify"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, lambda text: text])
def test_a_pixel_stores_its_event_and_is_a_picture(worker: OneWorker, kind: str, encode: Any) -> None:
    message_id = uuid4().hex
    event = {"anonymousId": "v>>>???", "messageId": message_id, **KINDS[kind]}
    data = encode(json.dumps(event, ensure_ascii=False).encode()).decode()
    with worker.client(None) as client:
        picture = client.get(f"/v1/pixel/{kind}", params={"data": data, "writeKey": PUBLISHABLE})
        head = client.head(f"/v1/pixel/{kind}", params={"data": data.swapcase(), "writeKey": PUBLISHABLE})
    assert (picture.status_code, picture.headers["content-type"], len(picture.content)) == (200, "image/gif", 43)
    assert picture.headers["cache-control"] == "no-store"
    assert head.status_code == 200
    assert [row["type"] for row in records(worker, message_id=message_id)] == [kind]


@pytest.mark.parametrize("data", ["", "!!!", "e30=", quote("[]"), base64.b64encode(b'{"event": "E"}').decode()])
def test_a_pixel_that_is_refused_is_a_picture_all_the_same_and_is_counted(worker: OneWorker, data: str) -> None:
    with worker.client(None) as client:
        before = rejected(client)
        picture = client.get("/v1/pixel/track", params={"data": data, "writeKey": PUBLISHABLE})
        assert (picture.status_code, len(picture.content), rejected(client) - before) == (200, 43, 1)


def test_a_pixel_without_a_key_is_refused_as_everywhere(worker: OneWorker) -> None:
    with worker.client(None) as client:
        assert client.get("/v1/pixel/track", params={"data": "e30="}).status_code == 401
        assert client.get("/v1/pixel/track", params={"data": "e30=", "writeKey": SECRET}).status_code == 401


def rejected(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(next(line.split()[-1] for line in lines if line.startswith('resonate_events_total{outcome="rejected"}')))


def multipart(**fields: str) -> dict[str, Any]:
    return {"files": {name: (None, value) for name, value in fields.items()}}


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "base64", "data of base64", "text"])
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/track"])
def test_a_body_that_a_beacon_made_of_json_is_read(worker: OneWorker, path: str, form: str) -> None:
    visitor = uuid4().hex
    event = {"anonymousId": visitor, "type": "track", "event": "Ä", "properties": {"a": "x=1&y=+2"}}
    logged = {"event_name": "Ä", "device_id": visitor, "properties": event["properties"]}
    body: Any = {"/v1/track": event, "/v1/batch": {"batch": [event]}, "/track": [logged]}[path]
    text = json.dumps(body, ensure_ascii=False)
    packed = base64.b64encode(text.encode()).decode()
    options: dict[str, Any] = {
        "urlencoded": {"data": {"data": text}},
        "multipart": multipart(data=text),
        "base64": {"content": packed},
        "data of base64": {"content": urlencode({"data": packed})},
        "text": {"content": text.encode(), "headers": {"content-type": "text/plain"}},
    }[form]
    with worker.client(None) as client:
        answer = client.post(path, params={"writeKey": PUBLISHABLE}, **options)
    assert answer.json() == {"success": True}, answer.text
    assert [row["properties"] for row in records(worker, visitor_id=visitor)] == [{"a": "x=1&y=+2"}]


def test_a_key_may_stand_beside_the_data_of_a_form(worker: OneWorker) -> None:
    visitor = uuid4().hex
    fields = {"data": json.dumps({"anonymousId": visitor, "event": "E"}), "writeKey": PUBLISHABLE}
    with worker.client(None) as client:
        assert client.post("/v1/track", data=fields).status_code == 200
        assert client.post("/v1/track", **multipart(**fields)).status_code == 200
        assert client.post("/v1/track", data={"data": fields["data"]}).status_code == 401
    assert len(records(worker, visitor_id=visitor)) == 2


@pytest.mark.parametrize("body", [b"--x", b"=", b"data", b"data=%ff", b"data=[", b"AAAA", b"\xff\xfe", b"a=1&" * 50])
@pytest.mark.parametrize("kind", ["", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain"])
def test_a_body_that_is_nothing_is_a_400(worker: OneWorker, body: bytes, kind: str) -> None:
    with worker.client() as client:
        assert client.post("/v1/track", content=body, headers={"content-type": kind}).status_code == 400


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", sorted(OTHERS))
def test_what_another_vendors_client_sends_is_told_where_to_read_on_and_counted(
    worker: OneWorker, path: str, slash: str
) -> None:
    with worker.client() as client:
        before = rejected(client)
        answer = client.post(path + slash, content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_path")
        assert "docs/clients.md" in answer.json()["detail"]
        assert rejected(client) - before == 1
        assert client.get(path).status_code in (404, 405)
        assert rejected(client) - before == 1
