"""Exposures that clients report, held against what was served: which are true, which forged, which were sent before."""

from typing import Final

import msgspec

from app.http.access import Grant
from app.worker.resources import Resources
from events.consent import PERSONAL, Consent
from events.dialects.exposures import HASHED_ID
from events.records import REPEATABLE, Record, is_test
from experiments.assignment.assign import CompiledExperiment, plausible
from experiments.catalog.visible import Visible
from kit.time import DAY_US, now_seconds

_written: Final = msgspec.json.Encoder().encode


class Repeated(msgspec.Struct, frozen=True, array_like=True):
    """What makes two exposures the same one: who saw which variant on which shop day. Of those that do not count it is
    also why.
    """

    visitor_id: str
    user_id: str | None
    experiment: str | None
    phase: int | None
    variant: str | None
    day: int
    forged: bool = False
    forced: bool = False
    bot: bool = False
    apart: bool = False  # of an impossible time, or sent to see whether it arrives


def exposure_id(resources: Resources, exposure: Repeated) -> str:
    """The messageId that stands for every exposure that is the same, so that the log has it once.

    One that does not count takes the place of none that does, and nobody else can work out the id of somebody's
    exposure, and so take its place.
    """
    return REPEATABLE + resources.recognition.ids.digest(_written(exposure))


def weighed_exposure(
    resources: Resources, grant: Grant, record: Record, hashed: str | None, consent: Consent
) -> Record | None:
    """An exposure as it is believed by what its key may see, with an id that stands for all that are the same where its
    sender gave none.
    """
    found = judged(record, hashed, consent, resources.visible_to(grant, now_seconds()))
    if found is None or found.message_id:
        return found
    repeated = Repeated(
        found.visitor_id,
        found.user_id if consent is PERSONAL else None,
        found.experiment,
        found.phase,
        found.variant,
        found.time // DAY_US if found.quarantined else resources.shop_day(found.time),
        found.forged,
        found.forced,
        found.bot,
        found.quarantined or is_test(found),
    )
    return msgspec.structs.replace(found, message_id=exposure_id(resources, repeated))


def judged(record: Record, hashed: str | None, consent: Consent, visible: Visible) -> Record | None:
    """An exposure with its variant's key, phase and propensity, marked where it cannot be true; None where nobody may
    know of the user who would be enrolled.

    It is held against every phase that its sender saw in the last 24 hours, because an SDK may hold an old payload, and
    by the id that the SDK `hashed`: the unit is who is named all the same, because what they do comes under that. An
    experiment that is not ours is stored as it is: sites report other tools' tests by the same event.
    """
    phases = visible.served.get(record.experiment or "", ())
    by_user = bool(phases) and phases[0].by_user
    if hashed is not None and hashed != (record.user_id if by_user else record.visitor_id):
        record = msgspec.structs.replace(record, context={**(record.context or {}), HASHED_ID: hashed})
        ids = (hashed, hashed)
    else:
        ids = (record.visitor_id, record.user_id)
    if not phases or record.variant is None:
        return record
    if consent is not PERSONAL and by_user:
        return None
    for phase in phases:
        variant = _variant_key(phase, record.variant)
        if plausible((phase,), *ids, variant):
            return _marked(record, phase, variant, forged=False)
    newest = phases[0]
    variant = _variant_key(newest, record.variant)
    return _marked(record, newest, variant, forged=record.visitor_id not in newest.previewed)


def _marked(record: Record, phase: CompiledExperiment, variant: str, *, forged: bool) -> Record:
    weight = next((each.weight for each in phase.variants if each.key == variant), None)
    forced = record.visitor_id in phase.previewed
    return msgspec.structs.replace(
        record, variant=variant, phase=phase.phase, propensity=weight, forged=forged, forced=forced
    )


def _variant_key(phase: CompiledExperiment, told: str) -> str:
    """The key of a variant; SDKs may tell its index instead."""
    keys = [variant.key for variant in phase.variants]
    if told in keys or not (len(told) < 10 and told.isascii() and told.isdigit()):
        return told
    return keys[int(told)] if int(told) < len(keys) else told
