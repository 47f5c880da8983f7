"""What cannot be used and is not needed costs no event: it is left out, named in the answer, and named in the row."""

from typing import Any
from uuid import uuid4

import pytest
from servers.one_worker import SECRET, OneWorker, records

ORDER = {"order_id": "o-1", "revenue": 49.9, "currency": "EUR"}


def sent(worker: OneWorker, body: dict[str, Any], key: str | None = None, path: str = "/v1/track") -> dict[str, Any]:
    with worker.client(**({} if key is None else {"key": key})) as client:
        answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stored(worker: OneWorker, path: str = "/v1/track", **body: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to one event, and its row."""
    message_id = uuid4().hex
    event = {"anonymousId": "v-1", "event": "Clicked", "messageId": message_id, **body}
    answer = sent(worker, event, path=path)
    [row] = records(worker, message_id=message_id)
    return answer, row


def fields(answer: dict[str, Any]) -> list[str]:
    return [each["field"] for each in answer.get("repaired", [])]


@pytest.mark.parametrize(
    ("who", "visitor", "user", "repaired"),
    [
        ({"anonymousId": "v", "userId": ""}, "v", None, []),
        ({"anonymousId": None, "userId": 12345}, "12345", "12345", []),
        ({"anonymousId": 12345.0}, "12345", None, []),
        ({"anonymousId": "v", "userId": "undefined"}, "v", None, ["userId"]),
        ({"anonymousId": ["v"], "userId": "u"}, "u", "u", ["anonymousId"]),
        ({"anonymousId": " ", "userId": "u"}, "u", "u", ["anonymousId"]),
        ({"anonymousId": " v "}, " v ", None, []),
    ],
)
def test_one_id_that_can_be_used_is_enough(
    worker: OneWorker, who: dict[str, Any], visitor: str, user: str | None, repaired: list[str]
) -> None:
    answer, row = stored(worker, **who)
    assert (row["visitor_id"], row.get("user_id"), fields(answer)) == (visitor, user, repaired)
    assert row.get("context", {}).get("repaired", []) == repaired


def test_without_any_id_the_refusal_names_each_that_was_given_and_why(worker: OneWorker) -> None:
    [refused] = sent(worker, {"anonymousId": "null", "userId": [], "event": "E"})["rejected"]
    assert (refused["code"], refused["field"]) == ("missing_id", "anonymousId")
    assert "anonymousId: 'null' is an id that thousands share" in refused["message"]
    assert "userId: an id is text or a whole number, this is a list" in refused["message"]


@pytest.mark.parametrize(
    ("properties", "value", "repaired"),
    [
        ({**ORDER, "revenue": "$12.50", "total": "12.5"}, 12.5, ["properties.revenue"]),
        ({**ORDER, "revenue": "1.299,00", "products": [{"product_id": 7, "price": "3", "quantity": 2}]}, 6.0,
         ["properties.revenue"]),
        ({**ORDER, "currency": "euro €"}, 49.9, ["properties.currency"]),
        ({**ORDER, "products": {"0": {"product_id": "p"}, "1": 3}}, 49.9, ["properties.products"]),
        ({**ORDER, "products": "p-1"}, 49.9, ["properties.products"]),
        ({**ORDER, "products": [{"product_id": "p"}, "q", {"product_id": "null"}, {"product_id": "r", "price": -1}]},
         49.9, ["properties.products[1]", "properties.products[2].product_id", "properties.products[3]"]),
        ({**ORDER, "order_id": 450789469}, 49.9, []),
    ],
)  # fmt: skip
def test_an_order_is_worth_what_can_be_read_of_it(
    worker: OneWorker, properties: dict[str, Any], value: float, repaired: list[str]
) -> None:
    answer, row = stored(worker, event="Order Completed", properties=properties)
    assert (row["value"], row["order_id"]) == (value, str(properties["order_id"]))
    assert fields(answer) == row.get("context", {}).get("repaired", []) == repaired


def test_the_lines_of_an_order_that_can_be_read_are_kept(worker: OneWorker) -> None:
    products = [{"product_id": 7799, "quantity": "2", "price": "3.5"}, None, {"sku": "s", "quantity": "two"}]
    answer, row = stored(worker, event="Order Completed", properties={"order_id": "o", "products": products})
    assert (row["product_ids"], row["quantities"], row["prices"]) == (["7799", "s"], [2.0, 1.0], [3.5, 0.0])
    assert (row["value"], fields(answer)) == (7.0, ["properties.products[1]", "properties.products[2].quantity"])


@pytest.mark.parametrize(
    ("place", "value"),
    [("context", []), ("properties", []), ("properties", "text"), ("timestamp", "yesterday"), ("timestamp", {})],
)
def test_what_an_event_can_do_without_may_be_anything(worker: OneWorker, place: str, value: Any) -> None:
    answer, row = stored(worker, **{place: value})
    assert fields(answer) == row["context"]["repaired"] == [place]


def test_a_type_is_read_in_every_case_and_traits_that_are_none_are_empty(worker: OneWorker) -> None:
    message_id = uuid4().hex
    event = {"type": "Identify", "anonymousId": "v", "userId": "u", "traits": "gold", "messageId": message_id}
    assert fields(sent(worker, {"batch": [event]}, path="/v1/batch")) == ["traits"]
    [row] = records(worker, message_id=message_id)
    assert (row["type"], row.get("properties")) == ("identify", None)


@pytest.mark.parametrize("message_id", ["", "m" * 100, "null", {}])
def test_an_event_whose_id_cannot_be_used_is_known_again_when_it_is_sent_again(
    worker: OneWorker, message_id: Any
) -> None:
    visitor = uuid4().hex
    event = {"anonymousId": visitor, "event": "E", "messageId": message_id, "sentAt": "2026-01-20T09:00:00Z"}
    for second in range(3):
        answer = sent(worker, {**event, "sentAt": f"2026-01-20T09:00:0{second}Z"})
    assert fields(answer) == ["messageId"]
    assert len(records(worker, visitor_id=visitor)) == 1
    sent(worker, {**event, "properties": {"another": True}})
    assert len(records(worker, visitor_id=visitor)) == 2


def test_a_backends_order_without_an_id_is_known_by_its_message(worker: OneWorker) -> None:
    order = {
        "anonymousId": uuid4().hex,
        "event": "Order Completed",
        "messageId": uuid4().hex,
        "properties": {"revenue": 3},
    }
    [refused] = sent(worker, order)["rejected"]
    assert (refused["code"], refused["field"]) == ("missing_order_id", "properties.order_id")
    assert fields(sent(worker, order, SECRET)) == ["properties.order_id"]
    [row] = records(worker, visitor_id=order["anonymousId"])
    assert row["order_id"] == order["messageId"]
    nameless = {name: value for name, value in order.items() if name != "messageId"}
    assert sent(worker, nameless, SECRET)["rejected"][0]["code"] == "missing_order_id"


def test_an_answer_names_a_hundred_of_each_and_counts_the_rest(worker: OneWorker) -> None:
    bad = [{"type": "track", "event": "E"}] * 120
    worn = [{"type": "page", "anonymousId": "v", "timestamp": "never"}] * 130
    answer = sent(worker, {"batch": bad + worn}, path="/v1/batch")
    assert (len(answer["rejected"]), len(answer["repaired"]), answer["more"]) == (100, 100, 50)


def test_a_number_that_the_log_cannot_hold_is_left_out_of_its_object(worker: OneWorker) -> None:
    properties = {"a": 2**64, "b": {"c": [1, 1e300], "d": 2}}
    answer, row = stored(worker, properties=properties)
    assert (fields(answer), row["properties"]) == (["properties"], {"b": {"c": [1], "d": 2}})
