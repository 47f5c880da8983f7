"""What is answered about experiments themselves: their definitions, states and frozen phases."""

from typing import Any

from experiments.catalog import Catalog
from experiments.catalog_archive import CatalogArchive
from experiments.catalog_follower import CatalogFollower
from experiments.catalog_phases import FrozenDesign
from experiments.definition import Experiment
from experiments.readout_errors import UnknownExperiment


def experiments_answer(catalogs: CatalogFollower, archive: CatalogArchive) -> dict[str, Any]:
    """Every experiment in order of key, and what is wrong with the files that are not served."""
    catalog = catalogs.catalog
    return {
        "version": catalog.version,
        "errors": [str(error) for error in catalogs.errors],
        "experiments": [_summary(catalog, catalog.experiments[key], archive) for key in sorted(catalog.experiments)],
    }


def experiment_answer(catalogs: CatalogFollower, archive: CatalogArchive, key: str) -> dict[str, Any]:
    """One experiment with its whole definition. Raises UnknownExperiment."""
    catalog = catalogs.catalog
    experiment = catalog.experiments.get(key)
    if experiment is None:
        raise UnknownExperiment(key, catalog.experiments)
    return {**_summary(catalog, experiment, archive), "definition": experiment.model_dump(mode="json")}


def _summary(catalog: Catalog, experiment: Experiment, archive: CatalogArchive) -> dict[str, Any]:
    return {
        "key": experiment.key,
        "name": experiment.name,
        "owner": experiment.owner,
        "status": experiment.status,
        "status_in_file": catalog.written.get(experiment.key, experiment.status),
        "start": experiment.start,
        "end": experiment.end,
        "phase": experiment.phase,
        "unit": experiment.unit,
        "variants": [{"key": variant.key, "weight": variant.weight} for variant in experiment.variants],
        "goals": experiment.goals,
        "secondary": experiment.secondary,
        "guardrails": [guardrail.metric for guardrail in experiment.guardrails],
        "method": experiment.plan.method,
        "decision": experiment.decision.model_dump(mode="json"),
        "phases": [_phase(design) for design in archive.phases(experiment.key)],
    }


def _phase(design: FrozenDesign) -> dict[str, Any]:
    return {
        "phase": design.phase,
        "fingerprint": design.fingerprint,
        "frozen_at": design.frozen_at,
        "planned_units": design.planned_units,
        "end": design.end,
        "stopped_at": design.stopped_at,
        "pauses": [{"since": pause.since, "until": pause.until} for pause in design.pauses],
    }
