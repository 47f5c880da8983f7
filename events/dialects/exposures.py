"""An exposure as clients report it, in the words of every SDK: the experiment, the variant, and which id was hashed."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from events.consent import Consent
from events.dialects.fields import Notes, needed_id, optional_id
from events.dialects.names import EXPERIMENT_VIEWED
from events.dialects.validation import HASHED, Arrival
from events.records import EXPOSURE, ExposureSource, Record

EXPERIMENTS: Final = ("experimentId", "experiment_id", "experiment_key", "experimentKey")
# keys of variants go before their indexes, and what is written as a key may be an index
VARIANTS: Final = ("variation_key", "variationKey", "variationId", "variation_id")
HASH_ATTRIBUTES: Final = ("hashAttribute", "hash_attribute")
USUAL: Final = ("experiment_id", "variation_id")
HASHED_ID: Final = "hashed_id"  # of the context: the id that was hashed, where it is not the one of the row


def exposure(
    fields: dict[str, Any], properties: Mapping[str, Any], source: ExposureSource, usual: tuple[str, str] = USUAL
) -> None:
    """Adds to `fields` what an exposure says of its experiment, by the `usual` names where it says nothing.

    Raises Refused.
    """
    fields["type"] = EXPOSURE
    fields["event"] = EXPERIMENT_VIEWED
    fields["exposure_source"] = source
    experiment, variant = name_told(properties, EXPERIMENTS, usual[0]), name_told(properties, VARIANTS, usual[1])
    fields["experiment"] = needed_id(*said(properties, EXPERIMENTS), field=f"properties.{experiment}")
    fields["variant"] = needed_id(*said(properties, VARIANTS), field=f"properties.{variant}")


def said(properties: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """What is written under these names, in their order."""
    return [properties[name] for name in names if name in properties]


def name_told(properties: Mapping[str, Any], names: tuple[str, ...], usual: str) -> str:
    """Which of these names is written, the first that says something; where none is, the usual one."""
    written = [name for name in names if name in properties]
    return next((name for name in written if properties[name] is not None), (written or [usual])[0])


def hashed_id(properties: Mapping[str, Any], notes: Notes) -> str | None:
    """The id that the client's SDK hashed, where it says so."""
    told = next((value for value in said(properties, HASHED) if value is not None), None)
    return None if told is None else optional_id(told, f"properties.{name_told(properties, HASHED, HASHED[0])}", notes)


def weighed(record: Record, hashed: str | None, consent: Consent, arrival: Arrival) -> Record | None:
    """The exposure as it is believed, None where nobody may know of it; one without a messageId gets one."""
    if arrival.judge is not None:
        return arrival.judge(record, hashed, consent)
    return record if record.message_id else msgspec.structs.replace(record, message_id=str(uuid.uuid4()))
