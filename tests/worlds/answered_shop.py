"""A service of which everything has been asked once: every JSON answer of every operation, by operation and status."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from servers.patience import until
from servers.service import PUBLISHABLE_KEY, SECRET_KEY, Service, running

VISITORS = 60
FILES = {
    "banner.yaml": """
key: banner
name: Free-shipping banner
owner: growth@shop.example
hypothesis: Saying it lifts the purchase rate.
status: running
variants:
  - {key: control, payload: {banner: null}}
  - {key: threshold, payload: {banner: Free shipping}}
goals: [purchase_rate]
secondary: [revenue_per_visitor, engaged_time]
guardrails: {refund_rate: 10%}
plan: {dimensions: [device], mde: {purchase_rate: 4%}}
holdouts: [q1]
tests: [{given: {visitor: v-1, attributes: {device: mobile}}, expect: {in: true}}, {split: 10000, tolerance: 3%}]
""",
    "score.yaml": (
        "key: score\nstatus: running\nvariants: [a, b]\ngoal: nps\nplan: {method: planned, days: 14, looks: 2}\n"
    ),
    "slots.yaml": (
        "key: slots\nstatus: running\nvariants: [a, b, c]\ngoal: orders_per_visitor\nplan: {method: bayesian}\n"
    ),
    "plain.yaml": (
        "key: plain\nstatus: running\nvariants: [a, b]\ngoal: purchase_rate\nplan: {method: fixed, days: 7}\n"
    ),
    "members.yaml": "key: members\nstatus: running\nunit: user\nvariants: [a, b]\ngoal: purchase_rate\n",
    "draft.yaml": "key: draft\nvariants: [a, b]\ngoal: purchase_rate\n",
    "holdouts.yaml": "q1: {share: 5%}\n",
}
LOOKS = ("banner", "score", "slots", "plain", "members", "draft")


@contextlib.contextmanager
def answered_shop(root: Path) -> Iterator[tuple[Service, list[tuple[str, int, Any]]]]:
    """The service, and what it answered: operation, status, JSON."""
    with (
        running(root, FILES, RESONATE_WORKERS="1", RESONATE_CONSENT="personal") as service,
        service.client(SECRET_KEY) as secret,
        service.client(PUBLISHABLE_KEY) as page,
    ):
        answers = Answers(secret, page)
        answers.visit()
        until(lambda: secret.get("/v1/experiments/banner/results").json()["pending"] == 0, "all of it is in the log")
        until(lambda: secret.get("/v1/recommender").json()["last_training"] is not None, "a training has ended")
        answers.read()
        answers.act()
        yield service, answers.given


class Answers:
    """What was answered, in order."""

    def __init__(self, secret: httpx.Client, page: httpx.Client) -> None:
        self._secret, self._page = secret, page
        self.given: list[tuple[str, int, Any]] = []

    def ask(self, name: str, address: str = "", by: httpx.Client | None = None, **options: Any) -> Any:
        """Asks an operation, and keeps what it answers."""
        method, path = name.split(" ", 1)
        response = (by or self._secret).request(method, address or path, **options)
        self.given.append((name, response.status_code, response.json()))
        return self.given[-1][2]

    def visit(self) -> None:
        """Visitors who are shown something, and some of whom buy."""
        for number in range(VISITORS):
            who = f"v-{number}"
            body = {
                "visitor_id": who,
                "attributes": {"device": ("mobile", "desktop")[number % 2]},
                "experiments": LOOKS,
            }
            self.ask("POST /v1/personalize", by=self._page, json=body)
            order = {"order_id": f"o-{number}", "revenue": 20 + number, "currency": "EUR"}
            if number % 3 == 0:
                told = {"anonymousId": who, "event": "Order Completed", "properties": order}
                self.ask("POST /v1/track", by=self._page, json=told)
        context = {"targetingKey": "v-1", "device": "mobile", "user_id": "u-1"}
        flag = "POST /ofrep/v1/evaluate/flags/{key}"
        self.ask(flag, "/ofrep/v1/evaluate/flags/banner", by=self._page, json={"context": context})
        self.ask(flag, "/ofrep/v1/evaluate/flags/nothing", by=self._page, json={"context": context})
        self.ask("POST /ofrep/v1/evaluate/flags", by=self._page, json={"context": context})
        named = {"attributes": {}, "experiments": ["bananer"], "user_id": "u-1"}
        self.ask("POST /v1/personalize", by=self._page, json={**named, "recommendations": [{"slot": "home"}]})
        batch = [
            {"type": "identify", "anonymousId": "v-2", "userId": "u-2"},
            {
                "type": "track",
                "anonymousId": "v-3",
                "event": "Survey Answered",
                "properties": {"survey": "nps", "score": 9},
            },
            {"type": "track", "anonymousId": "v-3", "event": "Ordre Completed"},
            {"type": "track", "event": "Nobody"},
            {"type": "track", "anonymousId": "v-4", "event": "Order Completed", "timestamp": "yesterday"},
        ]
        self.ask("POST /v1/batch", json={"batch": batch})
        self.ask("POST /v1/visitor", by=self._page, json={})
        self.ask("POST /track", f"/track?client_key={PUBLISHABLE_KEY}", json=[])
        self.ask("GET /api/features/{key}", f"/api/features/{PUBLISHABLE_KEY}")
        self.ask("POST /api/eval/{key}", f"/api/eval/{PUBLISHABLE_KEY}", json={"attributes": {"id": "v-1"}})
        self.ask("GET /api/features/{key}", "/api/features/pk_unknown")
        self.ask("GET /v1/projects/{key}/settings", f"/v1/projects/{PUBLISHABLE_KEY}/settings")
        self.ask("GET /sourceConfig", by=self._page)

    def read(self) -> None:
        """All that analysts and operators read."""
        for key in LOOKS:
            for part in ("results", "timeseries", "plan", "units"):
                self.ask(f"GET /v1/experiments/{{key}}/{part}", f"/v1/experiments/{key}/{part}")
            self.ask("GET /v1/experiments/{key}", f"/v1/experiments/{key}")
        look = "GET /v1/experiments/{key}/results"
        self.ask(look, "/v1/experiments/banner/results?include=sql&dimension=device")
        self.ask(look, "/v1/experiments/bananer/results")
        lists = (
            "experiments",
            "results",
            "program",
            "holdouts",
            "metrics",
            "cx",
            "recommender",
            "events",
            "doctor",
            "operations",
        )
        for name in (*lists, "events/rejected", "keys", "audit", "shares"):
            self.ask(f"GET /v1/{name}")
        self.ask("GET /v1/events", "/v1/events?event=Order%20Completed")
        self.ask("GET /v1/holdouts/{key}/results", "/v1/holdouts/q1/results")
        for told in ("", "&lift=0.05", "&days=28"):
            self.ask("GET /v1/plan", f"/v1/plan?units_a_day=1000&baseline=0.03{told}")
        self.ask("GET /v1/plan")
        self.ask("GET /healthz")
        self.ask("GET /readyz/events")
        self.ask("GET /readyz")
        self.ask("GET /readyz", by=self._page)
        self.ask("GET /v1/visitors/{identifier}", "/v1/visitors/v-2")
        self.ask("GET /v1/users/{identifier}", "/v1/users/u-2")

    def act(self) -> None:
        """All that changes something."""
        product = (
            b'{"product_id": "sku-17", "name": "Stove", "category": "Camping > Stoves", "price": 49.9, "url": "/s"}\n'
        )
        ndjson = {"content-type": "application/x-ndjson"}
        self.ask("PUT /v1/products", content=product, headers=ndjson)
        self.ask("PUT /v1/products", content=b'{"name": "nothing"}\n', headers=ndjson)
        until(lambda: self._secret.get("/v1/recommender").json()["products"] == 1, "the products are live")
        self.ask("POST /v1/recommendations", by=self._page, json={"visitor_id": "v-1", "limit": 2})
        self.ask("GET /v1/recommendations/{product_id}", "/v1/recommendations/sku-17", by=self._page)
        self.ask("GET /v1/recommender")
        for action in ("pause", "resume", "stop"):
            self.ask(
                f"POST /v1/experiments/{{key}}/{action}", f"/v1/experiments/plain/{action}", json={"reason": "a test"}
            )
        self.ask("POST /v1/experiments/{key}/preview", "/v1/experiments/draft/preview", json={"variant": "b"})
        for action, told in (("start", {}), ("ship", {"variant": "b"})):
            path = f"/v1/experiments/draft/{action}"
            self.ask(f"POST /v1/experiments/{{key}}/{action}", path, json={"reason": "a test", **told})
        self.ask("POST /v1/experiments/{key}/shares", "/v1/experiments/banner/shares", json={"days": 3})
        asked = {"survey": "after delivery", "kind": "nps", "user_id": "u-2"}
        self.ask("POST /v1/surveys/links", "/v1/surveys/links", json=asked)
        self.ask("GET /v1/shares")
        self.ask("GET /v1/audit")
        proof = "/v1/visitors/v-5/proof"
        self.ask("POST /v1/visitors/{identifier}/proof", proof, json={"user_id": "u-5"})
        self.ask("DELETE /v1/visitors/{identifier}/proof", proof)
        self.ask("DELETE /v1/visitors/{identifier}", "/v1/visitors/v-2?dry_run=true")
        self.ask("DELETE /v1/users/{identifier}", "/v1/users/u-2?dry_run=true")
        self.ask("DELETE /v1/visitors", "/v1/visitors?dry_run=true", json={"id": "v-3"})
        self.ask("DELETE /v1/users", "/v1/users?dry_run=true", json={"id": "u-2"})
        self.ask("DELETE /v1/visitors/{identifier}", "/v1/visitors/v-2")
        self.ask("DELETE /v1/users/{identifier}", "/v1/users/u-9")
        self.ask("DELETE /v1/visitors", json={"id": "v-3"})
        self.ask("DELETE /v1/users", json={"id": "u-8"})
