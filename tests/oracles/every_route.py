"""A request to each operation of an OpenAPI document, by its own example."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from servers.streams import ending

OF_PAGES = "pk_demo"  # stands in examples where a key is part of an address


class RouteCall(NamedTuple):
    """One request: its operation, method, address below the service, and body."""

    name: str
    method: str
    address: str
    kind: str
    body: Any

    def send(self, client: httpx.Client, key: str) -> httpx.Response:
        """Sends it; `key` takes the place of the one in an example of an address."""
        address = ending(self.address.replace(OF_PAGES, key))
        content = json.dumps(self.body) if self.kind.endswith("json") else self.body
        headers = {"content-type": self.kind} if self.kind else {}
        return client.request(self.method, address, content=content, headers=headers)


def route_calls(document: dict[str, Any], replaced: dict[str, str]) -> Iterator[RouteCall]:
    """Each operation once; `replaced` are words of examples and what is asked instead."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield _call(path, method, operation, replaced)


def _call(path: str, method: str, operation: dict[str, Any], replaced: dict[str, str]) -> RouteCall:
    address, query = path, list[str]()
    for each in operation.get("parameters", ()):
        shown = str(each.get("example", ""))
        shown = quote(replaced.get(shown, shown), safe="")
        if each["in"] == "path":
            address = address.replace(f"{{{each['name']}}}", shown or "none")
        elif each["in"] == "query" and each.get("required"):
            query.append(f"{each['name']}={shown}")
    sent = operation.get("requestBody", {}).get("content", {})
    kind = next((kind for kind, told in sent.items() if "example" in told), "")
    body = sent[kind]["example"] if kind else None
    return RouteCall(
        operation["operationId"], method.upper(), "?".join(filter(None, [address, "&".join(query)])), kind, body
    )
