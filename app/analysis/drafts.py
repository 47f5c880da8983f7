"""What is asked before there is an experiment: whether its file would pass the check, and a plan by the shop's log."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.analysis.client import AnalysisAnswer
from app.analysis.queries import DraftCheckQuery, LoggedPlanQuery
from app.analysis.responses import json_answer
from app.analysis.site_history import logged, site_history
from experiments.catalog.check import served_in
from experiments.definitions.folder import meant_metric
from experiments.drafts.checking import Surroundings, check_draft
from experiments.planning.assumptions import InvalidPlan, plan_request
from experiments.planning.plan import plan_json
from experiments.readout.read import Readouts

if TYPE_CHECKING:
    from app.analysis.state import Analysis


def draft_checked(analysis: "Analysis", query: DraftCheckQuery) -> AnalysisAnswer:
    """What `resonate check` would say of the folder with this file in it."""
    settings = analysis.settings
    history = site_history(analysis.readouts) if query.history else None
    around = Surroundings(settings.definitions, served_in(settings.data), history, settings.untold)
    return json_answer(asdict(check_draft(around, query.file, query.text, datetime.now(UTC))))


def logged_plan(readouts: Readouts, query: LoggedPlanQuery) -> dict[str, Any]:
    """A plan of a metric; what was not said of traffic and values is the log's. Raises InvalidPlan."""
    name, said, known = query.metric, query.said, readouts.archive.latest().metrics
    if name not in known:
        raise InvalidPlan(f'metric: unknown metric "{name[:100]}"{meant_metric(name, known)}')
    if known[name].effect_scale == "points":
        raise InvalidPlan(f"metric: {name} is shown in points and has no lift; plan it in its experiment's file")
    return plan_json(logged(readouts, known[name], said) or plan_request(said))
