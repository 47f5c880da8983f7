"""What `resonate check` would say of a folder once a draft stands in it, and what of that is the draft's doing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from experiments.catalog.check import Served, SiteHistory, check_folder
from experiments.definitions.folder import read_sources
from experiments.definitions.model import Experiment, Guardrail
from experiments.definitions.shop import Metric
from kit.located import DefinitionError


@dataclass(frozen=True, slots=True)
class DraftCheck:
    """What the draft would bring: mistakes and warnings of its file, and mistakes of others that come with it.

    `elsewhere` are mistakes that stand in the folder without it: until they are mended nothing new is served.
    """

    errors: tuple[DefinitionError, ...]
    warnings: tuple[DefinitionError, ...]
    elsewhere: tuple[DefinitionError, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a draft is checked against: the folder, what is served, what the log says, what nobody tells the pages."""

    folder: Path
    served: Served | None
    history: SiteHistory | None
    untold: Mapping[str, str]


def check_draft(around: Surroundings, file: str, text: str, now: datetime) -> DraftCheck:
    """Check a folder as though a file of this name had this text."""
    instead = {file: text.encode()}
    history = around.history
    if history is not None:
        alone = [each.experiment for each in read_sources(instead).files.values()]
        history = of_one(history, alone[0]) if alone else None
    found = check_folder(around.folder, now, around.served, history, around.untold, instead)
    others = {error for error in found.errors if error.file != file}
    if others:
        others &= set(check_folder(around.folder, now, around.served).errors)
    return DraftCheck(
        errors=tuple(error for error in found.errors if error not in others),
        warnings=tuple(warning for warning in found.warnings if warning.file == file),
        elsewhere=tuple(sorted(others)),
    )


def of_one(history: SiteHistory, asker: Experiment) -> SiteHistory:
    """The history as one experiment asks it: what the log says of all others is not read for its sake."""

    def days_to_mde(experiment: Experiment, metric: str) -> float | None:
        return history.days_to_mde(experiment, metric) if experiment.key == asker.key else None

    def smallest_harm(experiment: Experiment, guardrail: Guardrail) -> float | None:
        return history.smallest_harm(experiment, guardrail) if experiment.key == asker.key else None

    def matching_visitors(experiment: Experiment) -> int | None:
        return history.matching_visitors(experiment) if experiment.key == asker.key else None

    def events(metric: Metric) -> int | None:
        return history.events(metric) if metric.name in asker.goals else None

    return SiteHistory(events, days_to_mde, smallest_harm, matching_visitors)
