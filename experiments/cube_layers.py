"""Which sources of a cube are read by the same scan of events."""

from collections.abc import Iterable

from experiments.countable import COLUMNS
from experiments.metric_conditions import fields_of
from experiments.metrics import SourceKey


def layers_of(sources: Iterable[SourceKey]) -> list[list[SourceKey]]:
    """Sources by scan: at most one of each event, so that a row has one source, and those that read JSON apart."""
    layers: list[list[SourceKey]] = []
    for key in sources:
        free = next((layer for layer in layers if all(_go_together(key, other) for other in layer)), None)
        if free is None:
            layers.append([key])
        else:
            free.append(key)
    return layers


def _go_together(key: SourceKey, other: SourceKey) -> bool:
    """Whether one scan serves both: JSON is not read of the many events of a source that asks for none of it."""
    return key.event != other.event and _reads_json(key) == _reads_json(other)


def _reads_json(key: SourceKey) -> bool:
    return any(name not in COLUMNS and name != "value" for name in (*fields_of(key.condition), key.value))
