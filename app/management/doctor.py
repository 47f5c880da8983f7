"""What is wrong with how the service is set up and called, as it sees it itself: a line each, with what ends it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Response

from app.analysis.queries import DiagnosisQuery
from app.http.address import FORWARDING
from app.http.exchange import Exchange
from app.management.operations import readiness, reading
from app.routes.dependencies import Asked, Secret, Worker, analysed
from app.webhooks.outbox import standing
from app.worker.resources import Resources
from experiments.targeting.attributes import of_proxy
from kit.time import DAY_SECONDS, now_seconds

router = APIRouter(tags=["Operations"])

NEVER_STORED: Final = {"cache-control": "no-store"}
MUCH: Final = 0.01  # of a library's events
FEW: Final = 20
MUCH_FORGED: Final = 0.05
SOON_SECONDS: Final = 14 * DAY_SECONDS
LOCAL: Final = ("127.", "localhost", "[::1]", "testserver")
REFUSED_ROUTE: Final = "GET /v1/events/rejected shows why"
RECIPES: Final = "docs/definitions.md#checks"
LINES: Final[dict[int | str, Any]] = {
    200: {
        "description": "`lines`: what was looked at, whether it is `ok`, what was found, and the `remedy` where it is "
        "not. `now` is the service's clock in epoch seconds.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["now", "lines"],
                    "properties": {
                        "now": {"type": "number"},
                        "lines": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["check", "ok", "found", "remedy"],
                                "properties": {
                                    "check": {"type": "string"},
                                    "ok": {"type": "boolean"},
                                    "found": {"type": "string"},
                                    "remedy": {"type": ["string", "null"]},
                                },
                            },
                        },
                    },
                }
            }
        },
    }
}


class Examined(NamedTuple):
    """One thing that was looked at; where it is not as it should be, `remedy` says what ends it."""

    check: str
    found: str
    remedy: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """As it is answered."""
        return {"check": self.check, "ok": self.remedy is None, "found": self.found, "remedy": self.remedy}


Expected = Annotated[
    str | None, Query(max_length=2_000, description="The address by which the caller reached the service.")
]


@router.get(
    "/v1/doctor",
    summary="What is wrong with how the service is set up and called, and what ends it",
    description="As this very request reached it: through the proxy that pages use, or not. `resonate doctor` asks it.",
    responses=LINES,
)
async def doctor(_: Secret, asked: Asked, worker: Worker, url: Expected = None) -> Response:
    await worker.intake.tell()
    await worker.intake.tell_evaluations()
    facts: dict[str, Any] = msgspec.json.decode((await analysed(asked, worker, DiagnosisQuery())).body)
    here = [*_address(asked, worker, url), *_country(asked, worker)]
    lines = [*here, *_state(asked, worker), *_keys(worker), *_streams(worker), *_told(worker), *_arrived(facts)]
    told = {"now": now_seconds(), "lines": [line.told for line in lines]}
    return Response(msgspec.json.encode(told), headers=NEVER_STORED, media_type="application/json")


def _address(asked: Exchange, worker: Resources, url: str | None) -> Iterator[Examined]:
    """Whether the service knows by which address pages reach it, and who forwards to it."""
    scope, headers = asked.scope, asked.headers
    trusted = worker.access.networks.through_trusted(scope)
    peer = scope["client"][0] if scope["client"] else "its address"
    present = sorted(name.decode() for name in FORWARDING if name in headers)
    if present and not trusted:
        told = f"{', '.join(present)} came from {peer}, which is not trusted: everybody looks like one network"
        yield Examined("forwarding", told, f"set RESONATE_TRUSTED_PROXIES={peer}, if that is your proxy")
    elif present:
        yield Examined("forwarding", f"{peer} is trusted for {', '.join(present)}")
    else:
        yield Examined("forwarding", "this request came through no proxy")
    public, seen = worker.settings.public_url, url or worker.addresses.of(scope, headers).url
    is_local = seen.partition("//")[2].startswith(LOCAL)
    if public is None and not is_local:
        yield Examined("address", f"pages reach it by {seen}, as far as it knows", f"set RESONATE_PUBLIC_URL={seen}")
    elif public is not None and url is not None and not is_local and url.rstrip("/") != public:
        told = f"it was reached by {url}, and tells pages {public}"
        yield Examined("address", told, f"set RESONATE_PUBLIC_URL={url.rstrip('/')}, or call it by {public}")
    else:
        yield Examined("address", f"it is known as {public or seen}")


def _country(asked: Exchange, worker: Resources) -> Iterator[Examined]:
    """Whether the country of a page can be known, where audiences ask it."""
    header = worker.settings.country_header
    if not worker.visible_to(None, now_seconds()).asks_proxy:
        return
    if header is None:
        told = "an audience asks it, and no proxy tells it: only pages and backends that say it themselves are in"
        yield Examined("country", told, "set RESONATE_COUNTRY_HEADER to the header of your proxy, as CF-IPCountry")
    elif country := of_proxy(worker.country_told(asked).decode("latin-1")):
        yield Examined("country", f"{header} of this request says {country['country']}")
    elif worker.access.networks.through_trusted(asked.scope):
        yield Examined("country", f"{header} of this request tells none", "let the proxy set it on every request")
    else:
        told = f"an audience asks it, and this request came through no trusted proxy that could tell it by {header}"
        yield Examined("country", told, None if worker.settings.trusted_proxies else "set RESONATE_TRUSTED_PROXIES")


def _streams(worker: Resources) -> Iterator[Examined]:
    """How many pages wait for changes at this worker."""
    waiting, most = len(worker.streams.open), worker.streams.most
    full = "raise RESONATE_MAX_STREAMS, or RESONATE_WORKERS" if most and waiting >= most else None
    yield Examined("streams", f"{waiting} of {most} streams of changes are open at the worker that was asked", full)


def _told(worker: Resources) -> Iterator[Examined]:
    """Whether those who are to be told of changes take them."""
    settings = worker.settings
    for each in standing(settings.data, settings.webhooks):
        told = (
            f"{each['receiver']} has taken {each['sent']} changes, {each['waiting']} wait, {each['given_up']} were lost"
        )
        if each["error"] is None:
            yield Examined("webhooks", told)
        else:
            right = "mend the receiver, or set its address in RESONATE_WEBHOOK_URL; it is tried again for a day"
            yield Examined("webhooks", f"{told}: {each['error']}", right)
    if settings.webhooks and settings.public_url is None:
        told = "links in what is told lead to this machine, as nobody said how the service is reached"
        yield Examined("webhooks", told, "set RESONATE_PUBLIC_URL")


def _state(asked: Exchange, worker: Resources) -> Iterator[Examined]:
    ready = readiness(worker, reads=reading(asked.grant) is not None)
    for cause in ready["causes"]:
        named = f" ({cause['named']})" if cause["named"] else ""
        yield Examined("ready", f"degraded: {cause['code']}{named}. {cause['sentence']}", cause["remedy"])
    if not ready["degraded"]:
        yield Examined("ready", "nothing is degraded")


def _keys(worker: Resources) -> Iterator[Examined]:
    """Whether pages and backends have keys, for how long, and from where pages may call."""
    grants, now = worker.access.keys.grants, now_seconds()
    pages = [grant for grant in grants if not grant.secret]
    if not pages:
        yield Examined("keys", "there is no publishable key", "make one: resonate keys new pages --class publishable")
    for grant in grants:
        if grant.expires is not None and grant.expires < now + SOON_SECONDS:
            days = (grant.expires - now) / DAY_SECONDS
            yield Examined(
                "keys", f"the key {grant.name} ends in {days:.0f} days", f"resonate keys new {grant.name}-next"
            )
    yield Examined("keys", f"{len(pages)} publishable and {len(grants) - len(pages)} secret keys")
    open_ones = [grant.name for grant in pages if grant.allows("https://nobody.invalid")]
    if open_ones and worker.settings.is_public:
        right = "name the shop's origins in the key, or in RESONATE_ORIGINS"
        yield Examined("origins", f"pages of any origin may use {', '.join(open_ones)}", right)
    else:
        told = "any page, as on one's own machine" if open_ones else "the pages of the origins that are named"
        yield Examined("origins", told)


def _arrived(facts: Mapping[str, Any]) -> Iterator[Examined]:
    """Who sends, what nobody reads, and what is exposed and converts."""
    for each in facts["libraries"]:
        told = f"{each['library']}: {each['events']} events in {facts['days']} days, the last {each['last_event']}; "
        told += f"{each['rejected']} refused, {each['repaired']} repaired"
        sent = each["events"] + each["rejected"]
        many = (sent >= FEW and each["rejected"] > MUCH * sent) or (each["rejected"] and not each["events"])
        yield Examined("library", told, f"{each['rejected']} of {sent} were refused; {REFUSED_ROUTE}" if many else None)
    if not facts["libraries"]:
        yield Examined("library", "no event came in the last 7 days; resonate doctor --send tries each dialect")
    alone = facts["alone"]
    if alone["events"]:
        told = f"{alone['events']} events in {facts['days']} days named a user only, and the consent is measure:"
        yield Examined("consent", f"{told} they were not stored, and senders were told of success", alone["remedy"])
    for each in facts["unread"]:
        hint = each["hint"]
        wrong = None if hint["code"] == "no_metric_reads" else "send it by the name or with the value that is meant"
        yield Examined("event", f"{each['event']} ({each['count']}): {hint['message']}", wrong)
    for each in facts["experiments"]:
        yield from _experiment(each)


def _experiment(each: Mapping[str, Any]) -> Iterator[Examined]:
    name, exposures, enough = each["experiment"], each["exposures"], each["enough"]
    goals = " or ".join(each["goal_events"]) or "no event"
    evaluated = sum(each["evaluated"].values())
    told = f"{name}: {exposures} exposures, {each['conversions']} of {goals} in 7 days"
    if not each["exposures_24h"] and evaluated >= enough:
        counts = ", ".join(f"{dialect} {n}" for dialect, n in sorted(each["evaluated"].items()))
        right = f"send `Experiment Viewed` when the page shows the variant; {RECIPES}"
        yield Examined("exposures", f"{name}: evaluated in the last day ({counts}), exposed 0 times", right)
    elif exposures >= enough and not each["conversions"]:
        yield Examined("conversions", told, f"send {goals} with the id that was exposed, or name another goal")
    elif each["conversions"] >= enough and not exposures:
        yield Examined("exposures", told, "let the page ask for its variant by OFREP, or send `Experiment Viewed`")
    else:
        yield Examined("exposures", told)
    if exposures >= FEW and each["forged"] > MUCH_FORGED * exposures:
        share = f"{name}: {each['forged']} of {exposures} exposures are forged"
        yield Examined("forged", share, "the check exposures_forged of its results names the likely cause")
