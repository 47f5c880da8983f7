"""How many units a day would take part in an experiment, by the log: `python -P -m app.site_traffic DATA`.

A process of its own, because it needs the analysis engine, which neither the supervisor nor a worker may load. It reads
an experiment (JSON) from standard input and prints a number, or null where the log cannot say.
"""

import json
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from experiments.definition import Experiment
    from experiments.metric_definition import Metric
    from experiments.planning import TrafficPlan
    from experiments.readout import Readouts

LOOKBACK: Final = timedelta(days=28)
TIMEOUT_SECONDS: Final = 5.0
REMEMBERED_SECONDS: Final = 300.0

logger = logging.getLogger("resonate.supervisor")


class SiteTraffic:
    """Units a day of a data directory's log; None where nothing was logged or the question takes too long.

    What the whole site sees is remembered for a while: many experiments may begin in one moment, and none waits long.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self._known: dict[tuple[str, str], tuple[float, float | None]] = {}

    def __call__(self, experiment: "Experiment") -> float | None:
        if next((self.data / "log").glob("date=*"), None) is None:
            return None
        kind = experiment.unit, experiment.plan.identity
        asked_at, everyone = self._known.get(kind, (-REMEMBERED_SECONDS, None))
        if monotonic() - asked_at >= REMEMBERED_SECONDS:
            everyone = self._asked(experiment)
            self._known[kind] = monotonic(), everyone
        return None if everyone is None else everyone * share_of_everyone(experiment)

    def _asked(self, experiment: "Experiment") -> float | None:
        """What everyone on the site would be, asked of a process that may load the engine."""
        command = [sys.executable, "-P", "-m", "app.site_traffic", str(self.data)]
        asked = experiment.model_dump_json()
        try:
            done = subprocess.run(
                command, input=asked, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
            )
            return json.loads(done.stdout)
        except (subprocess.SubprocessError, ValueError) as error:
            logger.warning("the traffic of %s is not known: %s", experiment.key, type(error).__name__)
            return None


def share_of_everyone(experiment: "Experiment") -> float:
    """The share of the site's units that traffic and layer let in; whom the audience lets in, nobody knows before."""
    layer = experiment.layer
    return experiment.traffic[-1].share * (layer.end - layer.start if layer else 1.0)


def site_plan(readouts: "Readouts", experiment: "Experiment", *more: "Metric") -> "TrafficPlan | None":
    """The plan of an experiment that need not be served yet, from the whole site's traffic of the last 28 days.

    Everyone seen counts, in the share that traffic lets in; who meets the audience is not known beforehand. `more` are
    metrics that the served definitions need not hold.
    """
    from experiments.readout_query import ReadoutQuery, microseconds
    from experiments.study import StudiedMetric, Study
    from experiments.traffic import traffic_plan

    catalog = readouts.archive.latest()
    chosen = [catalog.metrics[name] for name in experiment.metrics if name in catalog.metrics]
    metrics = [*more] or chosen or [catalog.metrics[name] for name in sorted(catalog.metrics)[:1]]
    studied = tuple(StudiedMetric(metric, "goal", post_hoc=False) for metric in metrics)
    study = Study(experiment, catalog.shop, studied, "", 0, None, None, ())
    query = ReadoutQuery()
    since = microseconds(readouts.as_of(query) - LOOKBACK)
    return readouts.observe(study, query, (), traffic_plan(study, "site"), site_since_us=since)


def units_a_day(data: Path, experiment: "Experiment") -> float | None:
    """The units of the whole site on a day, as this experiment tells units apart; None with too little to say."""
    from events.engine import EventLog
    from experiments.catalog_archive import CatalogArchive
    from experiments.catalog_follower import NoCatalog
    from experiments.definition import TrafficStep
    from experiments.readout import Readouts

    try:
        everyone = experiment.model_copy(update={"traffic": (TrafficStep(since=None, share=1.0),), "layer": None})
        plan = site_plan(Readouts(EventLog(data), CatalogArchive(data)), everyone)
    except NoCatalog:
        return None
    return plan and plan.units_per_day


def main() -> int:
    """Answer one question."""
    from experiments.definition import Experiment

    print(json.dumps(units_a_day(Path(sys.argv[1]), Experiment.model_validate_json(sys.stdin.read()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
