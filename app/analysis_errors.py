"""What went wrong in the analysis, as its asker should read it."""

import logging

from app.analysis_protocol import AnalysisError
from events.engine import QueryTimeout
from events.export import InvalidCursor
from events.parts import DataDamaged
from events.store_errors import StoreUnavailable
from experiments.metric_conditions import UncountableCondition
from experiments.readout_errors import InvalidDate, NotFound

RETRY_SECONDS = 5
DAMAGE_RETRY_SECONDS = 60  # damage does not pass by itself; this spares the log from eager clients

logger = logging.getLogger("resonate.analysis")


def refusal(error: Exception, call: str) -> AnalysisError:
    """The refusal that an exception of a call stands for; one that is not foreseen is logged and named nowhere else."""
    if isinstance(error, NotFound):
        return AnalysisError(404, f"unknown_{error.what}", str(error))
    if isinstance(error, InvalidDate):
        return AnalysisError(400, "invalid_date", str(error))
    if isinstance(error, UncountableCondition):
        return AnalysisError(400, "uncountable_condition", str(error))
    if isinstance(error, InvalidCursor):
        return AnalysisError(400, "invalid_cursor", str(error))
    if isinstance(error, DataDamaged):
        return AnalysisError(503, "data_damaged", str(error), DAMAGE_RETRY_SECONDS)
    if isinstance(error, QueryTimeout):
        return AnalysisError(503, "analysis_timeout", str(error), RETRY_SECONDS)
    if isinstance(error, StoreUnavailable):
        return AnalysisError(503, error.cause, "the event store does not answer", error.retry_after_seconds)
    logger.error("call %s failed", call, exc_info=error)
    detail = f"{call} could not be computed; the log of the service says why"
    return AnalysisError(503, "analysis_failed", detail, RETRY_SECONDS)
