"""64-bit digests of the ids in a part, kept sorted beside it, so that a question about an id opens few parts."""

import zlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from events.parts.arrow import Array, Table, arrow, compute
from kit.files import replace_file

Digests = npt.NDArray[np.uint64]

MESSAGE_SEED: Final = 0x6D657373616765
VISITOR_SEED: Final = 0x76697369746F72
USER_SEED: Final = 0x75736572

_WORD: Final = 8
_CHUNK: Final = 65_536
_HEADER: Final = 4  # words: format, messages, people, crc32 of what follows
_FORMAT: Final = 0x7265736F6E617465


class PartDigests(NamedTuple):
    """The digests of one part: of each row's message_id (sorted, repeated ones too), of its people (sorted, unique)."""

    messages: Digests
    people: Digests


NO_DIGESTS: Final = PartDigests(np.empty(0, np.uint64), np.empty(0, np.uint64))


def digests(texts: Array, seed: int) -> Digests:
    """The digest of each text, in order; nulls are not allowed.

    The digest only finds candidates, which are then compared by their text; so it need not withstand an attacker, who
    could at most cost a second look. Each 8-byte word passes through the finalizer of splitmix64 (Steele, Lea, Flood:
    Fast splittable pseudorandom number generators, 2014).
    """
    chunks = texts.chunks if isinstance(texts, arrow.ChunkedArray) else [texts]
    slices = [chunk.slice(start, _CHUNK) for chunk in chunks for start in range(0, len(chunk), _CHUNK)]
    return np.concatenate([np.empty(0, np.uint64), *(_chunk_digests(chunk, seed) for chunk in slices)])


def digest(text: str, seed: int) -> int:
    """The digest of one text."""
    return int(digests(arrow.array([text]), seed)[0])


def table_digests(table: Table) -> PartDigests:
    """The digests of a part's rows."""
    messages = digests(table.column("message_id"), MESSAGE_SEED)
    people = [
        digests(compute.unique(table.column(column)).drop_null(), seed)
        for column, seed in (("visitor_id", VISITOR_SEED), ("user_id", USER_SEED))
    ]
    return PartDigests(np.sort(messages), distinct(np.sort(np.concatenate(people))))


def write_digests(path: Path, content: PartDigests) -> None:
    """Write the digests beside their part. They can be made again, so nothing waits for the disk."""
    body = np.concatenate(content)
    header = np.array([_FORMAT, len(content.messages), len(content.people), zlib.crc32(body.tobytes())], np.uint64)
    replace_file(path, header.tobytes() + body.tobytes(), durable=False)


def read_digests(path: Path) -> PartDigests | None:
    """The digests in a file; None where it is missing or, by its own sum, not what was written."""
    try:
        words = np.fromfile(path, np.uint64)
    except OSError:
        return None
    whole = len(words) >= _HEADER and int(words[0]) == _FORMAT
    whole = whole and len(words) == _HEADER + int(words[1]) + int(words[2])
    if not whole or int(words[3]) != zlib.crc32(words[_HEADER:].tobytes()):
        return None
    middle = _HEADER + int(words[1])
    return PartDigests(words[_HEADER:middle], words[middle:])


def distinct(sorted_digests: Digests) -> Digests:
    """Sorted digests without their repeats (numpy's own `unique` hashes, forty times slower on sorted millions)."""
    return sorted_digests[np.append(True, sorted_digests[1:] != sorted_digests[:-1])[: len(sorted_digests)]]


def repeated(sorted_digests: Digests) -> Digests:
    """Those of the sorted digests that stand more than once among them."""
    return distinct(sorted_digests[1:][sorted_digests[1:] == sorted_digests[:-1]])


def found_in(sorted_digests: Digests, wanted: Digests) -> Digests:
    """Those of the wanted digests (sorted) that stand in the sorted ones; the longer side is the one searched."""
    if len(sorted_digests) < len(wanted):
        return distinct(sorted_digests[_stand_in(sorted_digests, wanted)])
    return distinct(wanted[_stand_in(wanted, sorted_digests)])


def _stand_in(wanted: Digests, sorted_digests: Digests) -> npt.NDArray[np.bool_]:
    if len(sorted_digests) == 0:
        return np.zeros(len(wanted), np.bool_)
    places = np.searchsorted(sorted_digests, wanted)
    return sorted_digests[np.minimum(places, len(sorted_digests) - 1)] == wanted


def _chunk_digests(texts: Array, seed: int) -> Digests:
    """All texts of a chunk at once, as rows of zero-padded 8-byte words; a text's own words alone count."""
    lengths = np.asarray(compute.binary_length(texts), np.int64)
    width = -(-int(lengths.max(initial=1)) // _WORD) * _WORD
    padded = np.zeros((len(texts), width), np.uint8)
    _, offsets, content = texts.buffers()
    if content is not None:
        bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        padded[np.arange(width) < lengths[:, None]] = np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]]
    state = _mixed(lengths.astype(np.uint64) ^ np.uint64(seed))
    for index, word in enumerate(padded.view(np.uint64).T):
        state = np.where(lengths > index * _WORD, _mixed(state ^ word), state)
    return state


def _mixed(words: Digests) -> Digests:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
