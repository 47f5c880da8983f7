"""What the workers counted, as samples: the sums over all of them since the start."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from app.metrics.exposition import MetricSample, Samples, labelled
from app.runtime.telemetry import (
    EVENT_OUTCOMES,
    EXPOSURE_OUTCOMES,
    LATENCY_SECONDS,
    NAMED_USERS,
    NAMERS,
    SCRUBBED,
    STATUSES,
    TROUBLES,
    Name,
    Telemetry,
)

Workers: TypeAlias = list["memoryview[float]"]


def counter_samples(telemetry: Telemetry, rejected: Mapping[tuple[str, str], int]) -> Samples:
    """Of each family what is known; it is summed when it is asked for. `rejected` are events by code and library."""
    counters = telemetry.counters
    workers, place = list(counters.workers()), counters.place

    def total(*name: str) -> float:
        at = place[name]
        return sum(values[at] for values in workers)

    def of(kind: str, label: str, names: tuple[str, ...]) -> Iterator[MetricSample]:
        return (labelled(total(kind, name), **{label: name}) for name in names)

    return {
        "http_requests_total": _requests(telemetry, workers, place),
        "http_request_seconds": _latencies(telemetry, workers, place),
        "refused_total": of("refused", "code", telemetry.codes),
        "events_total": of("events", "outcome", EVENT_OUTCOMES),
        "events_rejected_total": (
            labelled(count, code=code, library=library) for (code, library), count in sorted(rejected.items())
        ),
        "exposures_total": of("exposures", "outcome", EXPOSURE_OUTCOMES),
        "named_users_total": (
            labelled(total("users", by, outcome), by=by, outcome=outcome) for by in NAMERS for outcome in NAMED_USERS
        ),
        "scrubbed_total": (sample for sample in of("scrubbed", "name", tuple(SCRUBBED)) if sample.value),
        **{f"{trouble}_total": [labelled(total("trouble", trouble))] for trouble in TROUBLES},
    }


def _requests(telemetry: Telemetry, workers: Workers, place: Mapping[Name, int]) -> Iterator[MetricSample]:
    """By route and status, where there was one."""
    statuses = (*map(str, STATUSES), "other")
    for route in telemetry.routes:
        first = place["requests", route, statuses[0]]
        for status, count in zip(statuses, _sums(workers, first, len(statuses)), strict=True):
            if count:
                yield labelled(count, route=route, status=status)


def _latencies(telemetry: Telemetry, workers: Workers, place: Mapping[Name, int]) -> Iterator[MetricSample]:
    """A histogram of each route that was asked for."""
    bounds = (*map(str, LATENCY_SECONDS), "+Inf")
    for route in telemetry.routes:
        *counts, seconds = _sums(workers, place["seconds", route, bounds[0]], len(bounds) + 1)
        running = 0.0
        if not any(counts):
            continue
        for bound, count in zip(bounds, counts, strict=True):
            running += count
            yield MetricSample(f'_bucket{{route="{route}",le="{bound}"}}', running)
        yield MetricSample(f'_sum{{route="{route}"}}', round(seconds, 6))
        yield MetricSample(f'_count{{route="{route}"}}', running)


def _sums(workers: Workers, first: int, count: int) -> list[float]:
    """Of so many counters that stand side by side."""
    return [sum(column) for column in zip(*(values[first : first + count] for values in workers), strict=True)]
