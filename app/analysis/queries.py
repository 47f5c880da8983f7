"""What the analysis process can be asked: one frozen struct a query, for routes, command line and server alike.

Those that read the log wait for what is stored when they are asked. Light to import: workers load it.
"""

from typing import Literal, TypeAlias

import msgspec

from experiments.planning.assumptions import Assumptions, PlanRequest

Form: TypeAlias = Literal["json", "csv", "parquet"]
Detail: TypeAlias = Literal["full", "brief"]
PersonKind: TypeAlias = Literal["visitor", "user"]


class ExperimentsQuery(msgspec.Struct, frozen=True, tag=True):
    """Every definition with status, phases and fingerprints, what is wrong with the files, and a sentence of each: what
    is known at once, or with `read` now read first, of all that run together and of what has ended and was never read.
    """

    read: Literal["known", "now"] = "known"
    format: Form = "json"


class ExperimentQuery(msgspec.Struct, frozen=True, tag=True):
    """One of them, whole."""

    key: str


class MetricsQuery(msgspec.Struct, frozen=True, tag=True):
    """The metrics that are defined."""


class ResultsQuery(msgspec.Struct, frozen=True, tag=True):
    """One readout. `at` (ISO 8601) repeats a past look."""

    key: str
    at: str | None = None
    phase: int | None = None
    metric: str | None = None
    dimension: str | None = None
    include: Literal["sql"] | None = None
    format: Form = "json"
    detail: Detail = "full"


class TimeseriesQuery(msgspec.Struct, frozen=True, tag=True):
    """One metric day by day, or all of them."""

    key: str
    at: str | None = None
    metric: str | None = None
    phase: int | None = None


class ReportQuery(msgspec.Struct, frozen=True, tag=True):
    """All that a report shows of one readout: its results, its series, and the definition that it is of."""

    key: str
    at: str | None = None
    phase: int | None = None


class LookQuery(msgspec.Struct, frozen=True, tag=True):
    """All that the page of an experiment shows of one look: itself as it is known, its results, and the days of one
    metric: of the first where none is named, or one that it has not.
    """

    key: str
    at: str | None = None
    phase: int | None = None
    metric: str | None = None


class PlanQuery(msgspec.Struct, frozen=True, tag=True):
    """Traffic, detectable effect, days; what was said outranks the log and the files."""

    key: str
    said: Assumptions = Assumptions()


class NewPlanQuery(msgspec.Struct, frozen=True, tag=True):
    """A plan that needs no experiment and no log."""

    request: PlanRequest


class LoggedPlanQuery(msgspec.Struct, frozen=True, tag=True):
    """A plan of a metric without any experiment: what was not said is read off the shop's log."""

    metric: str
    said: Assumptions = Assumptions()


class DraftCheckQuery(msgspec.Struct, frozen=True, tag=True):
    """What a check would say once a file of this name had this text; with `history` also by what the log says."""

    file: str
    text: str
    history: bool = False


class UnitsQuery(msgspec.Struct, frozen=True, tag=True):
    """One row per unit."""

    key: str
    at: str | None = None
    phase: int | None = None
    format: Form = "json"


class AllResultsQuery(msgspec.Struct, frozen=True, tag=True):
    """One row per comparison of every experiment that runs, or that ever ran."""

    format: Form = "json"
    status: Literal["running", "all"] = "running"


class ExperienceAsked(msgspec.Struct, frozen=True, tag=True):
    """Customers' experience of the whole site: shop days from `since` to `until`, which look back `window` days."""

    since: str | None = None
    until: str | None = None
    window: int = 28
    kpi: str | None = None
    survey: str | None = None
    by: Literal["channel", "device", "country", "survey"] | None = None
    segment: str | None = None
    compare: Literal["previous"] | None = None
    format: Form = "json"


class ProgramReportQuery(msgspec.Struct, frozen=True, tag=True):
    """What all concluded experiments gave; `since` and `until` are days of their decisions."""

    since: str | None = None
    until: str | None = None
    metric: str | None = None
    format: Form = "json"


class HoldoutsQuery(msgspec.Struct, frozen=True, tag=True):
    """The holdouts that are defined."""


class HoldoutResultsQuery(msgspec.Struct, frozen=True, tag=True):
    """What everything did together, against those who are held back; `since` and `until` narrow who arrived when."""

    key: str
    at: str | None = None
    since: str | None = None
    until: str | None = None
    metric: str | None = None
    format: Form = "json"


class AttributionQuery(msgspec.Struct, frozen=True, tag=True):
    """Views, clicks and attributed revenue of recommendations by strategy."""


class PrivacyQuery(msgspec.Struct, frozen=True, tag=True):
    """What is kept of whom, by the settings and the log."""


class EventsQuery(msgspec.Struct, frozen=True, tag=True):
    """A page of the log."""

    cursor: str | None = None
    limit: int = 1_000


class EventNamesQuery(msgspec.Struct, frozen=True, tag=True):
    """Which events came in the last days, or the newest rows of one name."""

    days: int = 7
    event: str | None = None


class ArrivalsQuery(msgspec.Struct, frozen=True, tag=True):
    """The newest rows of one visitor id."""

    visitor: str
    days: int = 7


class DiagnosisQuery(msgspec.Struct, frozen=True, tag=True):
    """What a doctor asks of the log: who sends, what nobody reads, and whether exposures and conversions both come."""


class PersonQuery(msgspec.Struct, frozen=True, tag=True):
    """All that is held about a person; of several users about those in `only`. `counted` tells the number of events."""

    kind: PersonKind
    id: str
    only: tuple[str, ...] | None = None
    counted: bool = False


class ErasureQuery(msgspec.Struct, frozen=True, tag=True):
    """The erasure of a person; of several users of those in `only`."""

    kind: PersonKind
    id: str
    only: tuple[str, ...] | None = None


ReadableQuery: TypeAlias = ResultsQuery | TimeseriesQuery | ReportQuery | LookQuery
"""Answered from one readout, which may be remembered."""
ComputedQuery: TypeAlias = (
    ReadableQuery
    | ExperimentsQuery
    | PlanQuery
    | LoggedPlanQuery
    | UnitsQuery
    | AllResultsQuery
    | ProgramReportQuery
    | HoldoutsQuery
    | HoldoutResultsQuery
    | ExperienceAsked
    | EventNamesQuery
    | ArrivalsQuery
    | DiagnosisQuery
    | AttributionQuery
    | PrivacyQuery
)
Query: TypeAlias = (
    ExperimentQuery
    | MetricsQuery
    | NewPlanQuery
    | DraftCheckQuery
    | ComputedQuery
    | EventsQuery
    | PersonQuery
    | ErasureQuery
)
