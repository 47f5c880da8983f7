"""Texts and their places as plain arrays, so that a hundred thousand ids cost a worker no memory of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int32]
Bools: TypeAlias = npt.NDArray[np.bool_]


UNKNOWN: Final = -1
REMEMBERED: Final = 16_384  # texts of one block, or of one index
LONGEST_REMEMBERED: Final = 256  # characters, as the catalogue's ids
_EXACT_BYTES: Final = 16  # as the log's tombstones write an id, so that an erased person is found by it
_WORD: Final = 8
_USERS: Final = 0x9E37_79B9_7F4A_7C15  # any constant; an id may be of a visitor and of a user


@dataclass(frozen=True, slots=True)
class Texts:
    """Many texts in one block of UTF-8; text i is `blob[offsets[i]:offsets[i + 1]]`. Those read lately are kept."""

    blob: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    _read: dict[int, str] = field(default_factory=dict[int, str], compare=False, repr=False)

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        encoded = [text.encode() for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, place: int) -> str:
        text = self._read.get(place)
        if text is None:
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            text = self._read[place] = self._text(place)
        return text

    def all(self) -> list[str]:
        """Every text, in order."""
        return [self._text(place) for place in range(len(self))]

    def _text(self, place: int) -> str:
        return str(self.blob[self.offsets[place] : self.offsets[place + 1]].data, "utf-8")


@dataclass(frozen=True, slots=True)
class Index:
    """Finds the place of a text by its 64-bit digest: `digests` is sorted, `places` says where each stands.

    Texts that were asked for lately are remembered: most requests are about the same few products.
    """

    digests: npt.NDArray[np.uint64]
    places: Ints
    _known: dict[str, int] = field(default_factory=dict[str, int], compare=False, repr=False)

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Index":
        digests = np.fromiter(map(id_digest, texts), np.uint64, len(texts))
        order = np.argsort(digests, kind="stable").astype(np.int32)
        return cls(digests[order], order)

    def find(self, texts: Sequence[str]) -> Ints:
        """The place of each text, UNKNOWN where there is none."""
        return np.array(self.places_of(texts), np.int32)

    def places_of(self, texts: Sequence[str]) -> list[int]:
        """The same as a list."""
        known = self._known
        new = [text for text in texts if text not in known]
        if not new:
            return [known[text] for text in texts]
        found = self.find_digests(np.fromiter(map(id_digest, new), np.uint64, len(new))).tolist()
        fresh = dict(zip(new, found, strict=True))
        places = [fresh[text] if text in fresh else known[text] for text in texts]
        if len(known) + len(fresh) > REMEMBERED:
            known.clear()
        known.update((text, place) for text, place in fresh.items() if len(text) <= LONGEST_REMEMBERED)
        return places

    def find_digests(self, wanted: npt.NDArray[np.uint64]) -> Ints:
        """The place of each digest, UNKNOWN where there is none."""
        if not len(self.digests):
            return np.full(len(wanted), UNKNOWN, np.int32)
        near = np.minimum(np.searchsorted(self.digests, wanted), len(self.digests) - 1)
        return np.where(self.digests[near] == wanted, self.places[near], UNKNOWN).astype(np.int32)


def person_digest(person: str) -> int:
    """The digest of somebody's id, of a user and of a visitor by different ones; `person` as `events.records` names."""
    kind, identifier = person[:2], person[2:]
    if kind not in ("u:", "v:", "o:"):
        raise ValueError(f"{person!r} does not say whether it is a user or a visitor")
    return erased_digest(kind == "u:", id_digest(identifier))


def erased_digest(is_user: bool, digest: int) -> int:
    """The digest of a person from that of the id."""
    return digest ^ _USERS if is_user else digest


def id_digest(text: str) -> int:
    """The first 64 bits of the BLAKE2b digest by which erasure names an id."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_EXACT_BYTES).digest()[:_WORD], "big")
