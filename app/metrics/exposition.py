"""Every number of `/metrics`: its kind, its meaning, and how Prometheus reads it (text format 0.0.4).

What is not in the table is not exposed; what is has its head, also where it has no sample.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from app.runtime.telemetry import TROUBLES

Kind = Literal["counter", "gauge", "histogram"]
PREFIX: Final = "resonate_"


class Family(NamedTuple):
    """A name without its prefix, its kind, and its meaning in one sentence."""

    name: str
    kind: Kind
    meaning: str


WHAT_WENT_WRONG: Final = {
    "store_refused": "requests that the event store could not take",
    "flush_failures": "flushes that were not acknowledged, whose events were answered 503",
    "message_conflicts": "events dropped because another one came before under their messageId",
    "history_failures": "orders, refunds and log-ins that did not reach the live purchase history",
    "log_in_failures": "identify calls of backends that are in the log and did not prove their user",
    "unknown_parameters": "query parameters that a route of a publishable key does not know",
    "untrusted_forwarding": "requests through a proxy that is not trusted",
    "page_events_refused": "events of pages that were refused so that those of backends are taken",
    "cookie_domain": "cookies set for one host alone, because it is no part of cookie_domain",
    "audit_not_kept": "acts whose line the audit could not take at once",
}
"""Of each of TROUBLES."""

FAMILIES: Final[tuple[Family, ...]] = (
    Family("http_requests_total", "counter", "answers by route and status"),
    Family("http_request_seconds", "histogram", "how long answers took, by route"),
    Family("refused_total", "counter", "requests refused, by the code that their sender was told"),
    Family("events_total", "counter", "events by what became of them"),
    Family("events_rejected_total", "counter", "events that were not stored, by code and library"),
    Family("exposures_total", "counter", "exposures by what became of them"),
    Family("named_users_total", "counter", "users whom pages named, by what proved them, or why not"),
    Family("scrubbed_total", "counter", "members and texts taken out of what is stored, by name"),
    *(Family(f"{trouble}_total", "counter", WHAT_WENT_WRONG[trouble]) for trouble in TROUBLES),
    Family("pending_events", "gauge", "events that are acknowledged and in no part of the log yet"),
    Family("lag_seconds", "gauge", "age of the oldest event that is in no part, 0 if none"),
    Family("last_part_timestamp_seconds", "gauge", "when the newest part was written, 0 if never"),
    Family("store_available", "gauge", "whether the events of the worker that answers are taken"),
    Family("store_used_bytes", "gauge", "memory of the store that nothing gives back"),
    Family("store_limit_bytes", "gauge", "memory that the store may take, 0 without a limit"),
    Family("store_days_to_full", "gauge", "days until that is full, as it grew in up to 24 h"),
    Family("store_aof_bytes", "gauge", "length of the files that the store appends to"),
    Family("log_bytes", "gauge", "bytes of the event log on its disk"),
    Family("log_parts", "gauge", "parts of the event log on its disk"),
    Family("disk_free_bytes", "gauge", "free on the fullest disk of the data directory"),
    Family("disk_size_bytes", "gauge", "size of that disk"),
    Family("restarts_total", "counter", "processes started in the place of one that should not have ended, by role"),
    Family("heartbeat_age_seconds", "gauge", "since the last sign of life of the most silent process of a role"),
    Family("last_run_timestamp_seconds", "gauge", "when a job ended last, 0 if never"),
    Family("last_run_seconds", "gauge", "how long its last run took"),
    Family("last_run_ok", "gauge", "whether its last run went well"),
    Family("degraded", "gauge", "1 for each cause of /readyz, by its code"),
    Family("definition_errors", "gauge", "mistakes in the definition files"),
    Family("experiments_running", "gauge", "experiments that run"),
    Family("streams_open", "gauge", "open streams of the worker that answers"),
    Family("open_connections", "gauge", "open connections of all workers"),
    Family("open_descriptors", "gauge", "open files of the worker that has most"),
    Family("descriptor_limit", "gauge", "open files that a worker may have"),
    Family("worker_resident_bytes", "gauge", "memory of each worker"),
    Family("build_info", "gauge", "1, with the version and the format of the data"),
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricSample(NamedTuple):
    """A number, and what stands behind the name of its family: `{role="writer"}`, `_sum{route="/v1/track"}`."""

    behind: str
    value: float


Samples: TypeAlias = Mapping[str, Iterable[MetricSample]]
"""By the name of the family, without prefix."""


def labelled(value: float, **labels: str) -> MetricSample:
    """A number with its labels."""
    told = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return MetricSample(f"{{{told}}}" if told else "", value)


def lines(samples: Samples) -> Iterator[str]:
    """The text, line by line; each is made when it is asked for. Raises KeyError for a family that the table lacks."""
    for name in samples.keys() - {family.name for family in FAMILIES}:
        raise KeyError(f"{name} is no metric: describe it in app/metrics/exposition.py")
    for family in FAMILIES:
        name = f"{PREFIX}{family.name}"
        yield f"# HELP {name} {family.meaning}\n# TYPE {name} {family.kind}\n"
        for behind, value in samples.get(family.name, ()):
            yield f"{name}{behind} {value:.15g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
