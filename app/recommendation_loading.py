"""Loads the published model and catalogue in a thread of a worker; the first import of numpy there."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from recommender.artefact import ArtefactDamaged
from recommender.serving import load, published

if TYPE_CHECKING:
    from recommender.serving import Loaded

logger = logging.getLogger(__name__)


class _Tombstone(msgspec.Struct, frozen=True):
    """What a worker needs of an erasure: the digest of the id."""

    digest: str


def loaded_from(data: Path, before: "Loaded | None", damages: dict[str, str]) -> "Loaded":
    """What should be served now; an artefact that is damaged is named in `damages` and in the log."""
    damages.clear()

    def complain(damage: ArtefactDamaged) -> None:
        damages[damage.name] = damage.cause
        logger.error("artefact refused, the former one serves: %s", damage)

    return load(data, published(data), before, _erased(data), complain)


def _erased(data: Path) -> frozenset[int]:
    """Digests of erased customers, as the model knows customers: their past is forgotten at once.

    Who returns is known by the purchases that came after, from the store, until the next training.
    """
    try:
        stones = msgspec.json.decode((data / "tombstones.json").read_bytes(), type=list[_Tombstone])
    except FileNotFoundError:
        return frozenset()
    return frozenset(int(stone.digest[:16], 16) for stone in stones)
