"""Exposures that clients report: named by our variants, and checked against the variant that our hash gives."""

from collections.abc import Sequence

import msgspec

from events.records import EXPOSURE, Record
from experiments.assignment import CompiledExperiment, plausible
from experiments.catalog import Catalog


def judged(records: Sequence[Record], catalog: Catalog) -> list[Record]:
    """The same records; exposures with their variant's key, phase and propensity, marked where they cannot be true."""
    return [_judged(record, catalog) if record.type == EXPOSURE else record for record in records]


def _judged(record: Record, catalog: Catalog) -> Record:
    """Against every phase served in the last 24 hours, because an SDK may hold an old payload.

    An experiment that is not ours is stored as it is: sites report other tools' tests by the same event.
    """
    phases = catalog.served.get(record.experiment or "", ())
    if not phases or record.variant is None:
        return record
    for phase in phases:
        variant = _variant_key(phase, record.variant)
        if plausible((phase,), record.visitor_id, record.user_id, variant):
            return _marked(record, phase, variant, forged=False)
    newest = phases[0]
    variant = _variant_key(newest, record.variant)
    forced = record.visitor_id in newest.previewed
    return _marked(record, newest, variant, forged=not forced, forced=forced)


def _marked(record: Record, phase: CompiledExperiment, variant: str, *, forged: bool, forced: bool = False) -> Record:
    weight = next((each.weight for each in phase.variants if each.key == variant), None)
    forced = forced or record.visitor_id in phase.previewed
    return msgspec.structs.replace(
        record, variant=variant, phase=phase.phase, propensity=weight, forged=forged, forced=forced
    )


def _variant_key(phase: CompiledExperiment, told: str) -> str:
    """The key of a variant; SDKs may tell its index instead."""
    keys = [variant.key for variant in phase.variants]
    if told in keys or not (told.isascii() and told.isdigit()):
        return told
    return keys[int(told)] if int(told) < len(keys) else told
