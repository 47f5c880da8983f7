"""Paths that clients have built in: the families of ours, and those of other vendors, whose senders are told so."""

from typing import Any, Final

from app.http.errors import Problem

BATCH: Final = "batch"
LEFT_PARAMETER: Final[dict[str, Any]] = {
    "name": "left", "in": "query", "schema": {"type": "string"},
    "description": "A name, of letters and digits, for what a page sends as it goes: once that is stored the cookie "
    "`resonate_left` has it, for the next page.",
}  # fmt: skip
# Without a slash at their end.
OTHERS: Final = frozenset(
    {
        "/2/batch", "/2/httpapi",  # Amplitude
        "/api/event",  # Plausible
        "/api/send",  # Umami
        "/batch", "/capture", "/decide", "/e", "/engage", "/flags", "/i/v0/e", "/s",  # PostHog, Mixpanel
        "/collect", "/g/collect", "/j/collect", "/r/collect",  # Google Analytics
        "/com.snowplowanalytics.snowplow/tp2",  # Snowplow
        "/i",  # Countly
        "/identify", "/import", "/page",  # clients of Segment and Mixpanel whose `/v1` was left out
        "/matomo.php", "/piwik.php",  # Matomo
        "/tr",  # Meta
    }
)  # fmt: skip
UNKNOWN_PATH: Final = "unknown_path"


def paths_of(name: str) -> tuple[str, ...]:
    """Every path of a kind of call, or of a batch of them: Segment's, its letter, RudderStack's, and older ones."""
    others = ("/v1/import", "/beacon/v1/batch") if name == BATCH else ()
    return f"/v1/{name}", f"/v1/{name[0]}", f"/rudder/v1/{name}", *others


def other_clients_path(method: str, path: str) -> Problem | None:
    """404 for an event that another vendor's client sends to its own path; None for anything else."""
    if method != "POST" or path not in OTHERS:
        return None
    detail = f"{path} is a path of another vendor's client, and what it sent is not stored; docs/clients.md lists the"
    return Problem(404, UNKNOWN_PATH, f"{detail} clients that are understood here, and how each is set up")
