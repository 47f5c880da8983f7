"""Analyses a table that comes from elsewhere with the same engine and gives the same readout."""

from dataclasses import dataclass
from pathlib import Path

from experiments.answers.health import Check, Excluded, Health, MultiExposure
from experiments.answers.readout import PlanReadout, Readout
from experiments.definitions.model import Plan
from experiments.importing.groups import dimension_faults, variants_of
from experiments.importing.measure import Measured, measured
from experiments.importing.profile import profiled
from experiments.importing.request import ImportFailed, ImportRequest
from experiments.importing.sheet import Sheet, opened
from experiments.importing.spelling import Fault
from experiments.importing.textfile import file_digest
from experiments.importing.units import Units, repetition, repetition_faults, show_units, single_units
from experiments.readout.decision import Schedule, decide, evidence_of
from experiments.readout.health import MULTI_EXPOSURE_WARNING, stated
from experiments.readout.metrics import explored, metric_readout, settled
from experiments.readout.samples import Judge
from experiments.readout.study import StudiedMetric
from experiments.statistics.sample_ratio import balance
from experiments.wording.figures import rate_text
from experiments.wording.sentences import worded
from kit.time import now_utc


def import_table(path: Path, request: ImportRequest) -> Readout:
    """The readout of a CSV or Parquet file: watermark None, fingerprint the sha256 of the file. Nothing stays written.

    Raises `ImportFailed` with everything that is wrong, each with its row, what stands there and what would be right.
    """
    digest = file_digest(path)
    with opened(path, request) as sheet:
        try:
            analysed = _analysed(sheet, request)
        except ImportFailed:
            analysed = None
        if analysed is None or not analysed.found.adds_up:
            analysed = _analysed(sheet, request, thorough=True)
    return _readout(request, digest, analysed)


@dataclass(frozen=True, slots=True)
class _Analysed:
    """A table that is right: its variants, control first, what was measured, and what the reader must know."""

    variants: tuple[str, ...]
    found: Measured
    excluded: Excluded
    notices: tuple[Check, ...]


def _analysed(sheet: Sheet, request: ImportRequest, *, thorough: bool = False) -> _Analysed:
    """From the profile to the moments; raises `ImportFailed`.

    `thorough`, the numbers of a Parquet file are copied first: what such a file tells of itself passes over NaN, and
    the engine believes it.
    """
    if thorough and "number" in sheet.kinds.values():
        sheet.copy()
    profile, variants = profiled(sheet, request, thorough=thorough), variants_of(sheet, request)
    faults = [*sheet.faults, *profile.faults, *variants.faults, *dimension_faults(sheet, request)]
    faults += show_units(sheet, request, profile, variants)
    repeated = repetition(sheet, request)
    sheet.refuse([*faults, *repetition_faults(sheet, request, repeated, variants.names)])
    units = single_units(sheet, request, profile, repeated)
    found = measured(sheet, request, profile, units, variants.names)
    empty = [name for name, count in zip(variants.names, found.units, strict=True) if not count]
    sheet.refuse([Fault(f"no unit of {name} is left once all that had to be left out is") for name in empty])
    notices = [*sheet.notices, *profile.notices, *units.notices, *_said(request, units, found)]
    return _Analysed(variants.names, found, units.excluded, tuple(notices))


def _said(request: ImportRequest, units: Units, found: Measured) -> list[Check]:
    """What a reader must know of the units before trusting the numbers."""
    if request.counts:
        return [
            Check("rows_are_counts", "the rows count units: no unit is known by itself, so none is looked at twice")
        ]
    if request.unit is None:
        told = "no unit was named, so each row counts as one; --unit COLUMN finds those that stand in several rows"
        return [Check("rows_are_units", told)]
    rate = _several_groups(units.excluded, found)
    if rate <= MULTI_EXPOSURE_WARNING:
        return []
    groups = "both" if len(found.units) == 2 else "several"
    return [
        Check(
            "multi_exposure", f"{rate_text(rate)} of the units stand in {groups} groups; above 1 % look for the cause"
        )
    ]


def _several_groups(excluded: Excluded, found: Measured) -> float:
    """The share of all units that stand in several groups."""
    both = excluded.both_groups or 0
    return both / (both + (excluded.duplicates or 0) + sum(found.units))


def _readout(request: ImportRequest, digest: str, analysed: _Analysed) -> Readout:
    variants, found, excluded = analysed.variants, analysed.found, analysed.excluded
    given = request.weights or dict.fromkeys(variants, 1.0)
    total = sum(given.values())
    weights = tuple(given[name] / total for name in variants)
    judge = Judge(
        plan=Plan(method=request.method, alpha=request.alpha, correction=request.correction),
        days=None,
        planned_units=request.planned_units or sum(found.units),
        arms=variants,
        weights=weights,
        family=len(request.metrics) * (len(variants) - 1),
    )
    unit = "row" if request.unit is None else "unit"
    judged = settled(
        judge,
        [
            metric_readout(judge, StudiedMetric(observed.rule.metric, "goal", post_hoc=False), observed, None, unit)
            for observed in found.metrics
        ],
    )
    levels = [(name, level, counts) for name, rows in found.levels.items() for level, counts in rows.items()]
    metrics, srm = explored(judged), balance([found.units], weights, levels=levels)
    over = Schedule("closed", closed_days=0, days_left=0, min_days=0, over=True, early=False)
    rate = _several_groups(excluded, found)
    exposure = MultiExposure(rate, "both_groups_left_out" if rate else "one_row_per_unit")
    readout = Readout(
        experiment=request.experiment,
        name=request.experiment,
        phase=0,
        fingerprint=digest,
        as_of=now_utc().replace(microsecond=0),
        watermark=None,
        pending=0,
        state="closed",
        closed=True,
        plan=PlanReadout.of(judge.plan, judge.planned_units, 0),
        health=Health(srm, exposure, excluded, stated(analysed.notices)),
        decision=decide(evidence_of(metrics), over, alarm=srm.alarm),
        worth_reason="A table does not say how many units a month brings, so nothing is said of the worth.",
        metrics=metrics,
    )
    return worded(readout)
