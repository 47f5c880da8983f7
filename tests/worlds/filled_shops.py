"""A shop whose pages have something to show: a past of visitors, orders and answers, and experiments in each state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import readout_log

EVENTS: Final = 20_000
HOSTILE: Final = ("<img src=x onerror=hostile()>", '"><script>hostile()</script>', "\u202edesrever", "w" * 5_000)
"""Names that would run, close an attribute, turn the text around, or push everything aside."""
BANNER: Final = """\
key: banner
name: Free-shipping banner
owner: marketing
status: running
variants:
  - {key: control, payload: {text: none}}
  - {key: threshold, payload: {text: "<script>hostile()</script>"}}
goals: [purchase_rate]
secondary: [revenue_per_visitor, engaged_time, nps, checkout_funnel]
guardrails: {refund_rate: 2%}
plan: {dimensions: [device, plan]}
"""
FILES: Final[Mapping[str, str]] = {
    "banner.yaml": BANNER,
    "draft.yaml": "key: draft\nvariants: [control, offer]\ngoal: purchase_rate\n",
    "paused.yaml": "key: paused\nstatus: paused\nvariants: [control, short]\ngoal: purchase_rate\n",
}


def hostile_files() -> dict[str, str]:
    """The same shop with hostile names wherever a definition takes a text."""
    return dict(FILES) | {
        "banner.yaml": BANNER.replace("name: Free-shipping banner", f"name: '{HOSTILE[1]}'").replace(
            "owner: marketing", f"owner: '{HOSTILE[0]}'"
        )
        + f"hypothesis: '{HOSTILE[0]}{HOSTILE[2]}'\n"
    }


def write_past(data: Path) -> None:
    """The shop's log of five weeks."""
    readout_log.write(readout_log.LogPlan(EVENTS), data)
