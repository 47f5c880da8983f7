"""Runs rows of the table for clients in Python: JSON in, JSON out. What a row ends with is what it says went wrong."""

import base64
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import growthbook
import growthbook.plugins
import httpx
import rudderstack.analytics.client as rudderstack
import segment.analytics.client as segment
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def tracking(client: Any, row: dict[str, Any]) -> None:
    """The calls of a row by a client of Segment's kind."""
    who = {"anonymous_id": row["who"].get("anonymousId"), "user_id": row["who"].get("userId")}
    for call in row["calls"]:
        said = {name: value for name, value in call.items() if name != "type"}
        getattr(client, call["type"])(**{name: value for name, value in who.items() if value is not None}, **said)
    client.flush()
    client.join()


def by_segment(row: dict[str, Any], errors: list[str]) -> None:
    told = segment.Client(row["key"], host=row["service"], on_error=lambda error, _: errors.append(str(error)))
    tracking(told, row)


def by_rudderstack(row: dict[str, Any], errors: list[str]) -> None:
    told = rudderstack.Client(row["key"], host=row["service"], on_error=lambda error, _: errors.append(str(error)))
    tracking(told, row)


def unit(row: dict[str, Any]) -> Any:
    return row["who"].get("anonymousId", row["who"].get("userId"))


def attributes(row: dict[str, Any]) -> dict[str, Any]:
    """What else is known of who it is."""
    user = row["who"].get("userId")
    return {"row": row["name"]} | ({} if user is None else {"user_id": user})


def by_growthbook(row: dict[str, Any], errors: list[str]) -> None:
    plugin = growthbook.plugins.growthbook_tracking_plugin(ingestor_host=row["service"], batch_size=1)
    sdk = growthbook.GrowthBook(
        api_host=row["service"],
        client_key=row["key"],
        attributes={"id": unit(row), **attributes(row)},
        plugins=[plugin],
    )
    sdk.load_features()
    errors += [f"{key}: not in the experiment" for key in row["experiments"]
               if sdk.eval_feature(key).experimentResult is None]  # fmt: skip
    sdk.destroy()


def by_openfeature(row: dict[str, Any], errors: list[str]) -> None:
    provider = OFREPProvider(row["service"], headers_factory=lambda: {"Authorization": f"Bearer {row['key']}"})
    api.set_provider(provider, row["name"])
    context = EvaluationContext(targeting_key=unit(row), attributes=attributes(row))
    for key in row["experiments"]:
        details = api.get_client(row["name"]).get_object_details(key, {}, context)
        if details.error_code is not None:
            errors.append(f"{key}: {details.error_code} {details.error_message}")


def by_http(row: dict[str, Any], errors: list[str]) -> None:
    method, path = row["client"].split(" ")
    basic = {"authorization": "Basic " + base64.b64encode(f"{row['key']}:".encode()).decode()}
    calls = [{**row["who"], "messageId": f"{row['name']}-{number}", **call} for number, call in enumerate(row["calls"])]
    with httpx.Client(base_url=row["service"], timeout=20) as client:
        if method == "GET":
            data = base64.b64encode(json.dumps(calls[0]).encode()).decode()
            answers = [client.get(path, params={"data": data, "writeKey": row["key"]})]
        elif path == "/mp/collect":
            body = {"client_id": row["who"].get("anonymousId"), "user_id": row["who"].get("userId"),
                    "events": [google(call) for call in calls]}  # fmt: skip
            answers = [client.post(path, params={"api_secret": row["key"]}, json=body)]
        elif path == "/v1/track":
            answers = [client.post(f"/v1/{call['type']}", json=call, headers=basic) for call in calls]
        elif path.endswith(("/track", "/t/")):
            answers = [client.post(path, json=calls[0], headers=basic)]
        elif path.startswith("/beacon"):
            answers = [client.post(path, params={"writeKey": row["key"]}, content=json.dumps({"batch": calls}))]
        else:
            answers = [client.post(path, json={"batch": calls}, headers=basic)]
    errors += [
        f"{answer.status_code} {answer.text[:200]}" for answer in answers if answer.status_code not in (200, 204)
    ]


def google(call: dict[str, Any]) -> dict[str, Any]:
    """An order or a view as Google Analytics 4 has it."""
    told = dict(call["properties"])
    if call["event"] == "Product Viewed":
        return {"name": "view_item", "params": {"row": told["row"], "items": [{"item_id": told["product_id"]}]}}
    items = [{"item_id": each["product_id"], "price": each["price"], "quantity": 1} for each in told["products"]]
    order = {"transaction_id": told["order_id"], "value": told["revenue"], "currency": told["currency"]}
    return {"name": "purchase", "params": {**order, "items": items, "row": told["row"]}}


CLIENTS: dict[str, Callable[[dict[str, Any], list[str]], None]] = {
    "segment-analytics-python": by_segment,
    "rudder-sdk-python": by_rudderstack,
    "growthbook-python": by_growthbook,
    "openfeature-python": by_openfeature,
}


def run(row: dict[str, Any]) -> dict[str, Any]:
    """What became of a row on its client's side."""
    errors: list[str] = []
    try:
        CLIENTS.get(row["client"], by_http)(row, errors)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is what it says
        errors.append(repr(error))
    return {"name": row["name"], "errors": errors}


if __name__ == "__main__":
    with ThreadPoolExecutor(8) as pool:
        json.dump(list(pool.map(run, json.load(sys.stdin))), sys.stdout)
