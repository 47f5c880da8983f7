"""Every metric type as a marketer writes it, with what it means."""

from typing import Any

from experiments.definitions.shop import Bound, Cap, RatioPart, Subtract

METRICS: dict[str, dict[str, Any]] = {
    "{type: proportion, event: Order Completed, window: 7 days}": {"event": "Order Completed"},
    "{type: count, event: page, cap: 20}": {"cap": Cap(fixed=20.0)},
    "{type: mean, event: e, value: revenue, cap: p99.9, subtract: {event: r, value: total, within: 30 days}}": {
        "cap": Cap(percentile=0.999),
        "subtract": Subtract(event="r", value="total", within_seconds=30 * 86400),
    },
    "{type: mean, event: e, value: revenue, cap: 500 EUR}": {"cap": Cap(fixed=500.0)},
    "{type: mean, event: e, value: revenue, cap: {low: p0.1, high: p99.9}}": {
        "cap": Cap(percentile=0.999, low=Bound(percentile=0.001)),
    },
    "{type: mean, event: e, value: margin, cap: {low: -100 EUR}}": {"cap": Cap(low=Bound(fixed=-100.0))},
    "{type: ratio, numerator: {event: a, sum: x, cap: p99}, denominator: {event: b, count: true, cap: {high: 20}}}": {
        "numerator": RatioPart(event="a", sum="x", cap=Cap(percentile=0.99)),
        "denominator": RatioPart(event="b", cap=Cap(fixed=20.0)),
    },
    "{type: mean, event: engagement, value: engaged_seconds, cap: 30 minutes, window: 1 day}": {
        "cap": Cap(fixed=1800.0),
        "window_seconds": 86400,
    },
    "{type: ratio, numerator: {event: a, sum: revenue}, denominator: {event: b, count: true, where: {x: 1}}}": {
        "numerator": RatioPart(event="a", sum="revenue"),
        "denominator": RatioPart(event="b", where={"x": 1}),
    },
    "{type: quantile, event: e, value: v, q: 0.75}": {"q": 0.75},
    "{type: funnel, steps: [a, b, c], window: 12 hours}": {"steps": ("a", "b", "c"), "window_seconds": 43200},
    "{type: retention, event: page, from: 7 days, to: 14 days}": {
        "from_seconds": 604800,
        "to_seconds": 1209600,
        "window_seconds": 1209600,
    },
    "{type: csat, where: {survey: csat}}": {"event": "Survey Answered", "where": {"survey": "csat"}},
    "{type: nps, event: Poll}": {"event": "Poll", "scale": None, "effect_scale": "points"},
    "{type: nps, scale: relative}": {"effect_scale": "relative"},
    "{type: mean, event: e, value: margin, scale: points}": {"scale": "points", "effect_scale": "points"},
    "{type: ces, want: down}": {"want": "down"},
}
