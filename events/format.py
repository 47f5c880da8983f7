"""The format in which data is kept: what this release reads and writes, and what it says of data it must not touch.

The one place that is changed where a part, a manifest, a file of the catalogue, a key of the store or a function of it
changes: `FORMAT` rises by one, and `tests/worlds/formats/` gets a sample of it (docs/decisions/format-numbers.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Annotated, Final, Self

import msgspec

FORMAT: Final = 1
MIN_READER: Final = 1  # releases that know this format can read what this one writes
MIN_WRITER: Final = 1  # … and can write beside it
OLDEST_READ: Final = 1
LAST_READERS: Final[Mapping[int, str]] = {}
"""Per format that is older than `OLDEST_READ`: the newest release that reads it, and brings it further."""

Number = Annotated[int, msgspec.Meta(ge=1)]


class Format(msgspec.Struct, frozen=True):
    """What stands beside data: its format, the lowest format that a release must know to read it, or to write it."""

    format: Number
    min_reader: Number
    min_writer: Number
    written_by: str  # the release that brought the data into this format

    @classmethod
    def of_fields(cls, fields: Mapping[bytes, bytes]) -> Self:
        """As a hash of the store has it; raises ValueError where that is none."""
        texts = {name.decode(): value.decode() for name, value in fields.items()}
        return msgspec.convert(texts, cls, strict=False)

    @classmethod
    def of_json(cls, content: bytes) -> Self:
        """As a file has it; what a newer release says beside it is passed over. Raises ValueError where it is none."""
        return msgspec.json.decode(content, type=cls)


UNMARKED: Final = Format(1, 1, 1, "")
"""Data of a release that noted no format."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a release reads (`oldest_read` up to the format that it writes), and by way of whom it is reached."""

    version: str
    format: int = FORMAT
    min_reader: int = MIN_READER
    min_writer: int = MIN_WRITER
    oldest_read: int = OLDEST_READ
    last_readers: Mapping[int, str] = field(default_factory=lambda: LAST_READERS)

    def refusal(self, what: str, found: Format, *, writes: bool) -> str | None:
        """Why this release must leave some data alone, and what would be right; None where it need not."""
        wrote = f"Resonate {found.written_by}" if found.written_by else "a release that noted no format"
        begins = f"{what} is in format {found.format}, written by {wrote}; this is {self.version}, which"
        install = f"Install {found.written_by or 'that release'} or newer"
        if found.min_reader > self.format:
            return f"{begins} reads up to {self.format}. {install}, or restore a backup made before the upgrade"
        if found.format < self.oldest_read:
            by_way_of = self.last_readers[found.format]
            return f"{begins} reads from {self.oldest_read} on: upgrade by way of Resonate {by_way_of}"
        if writes and found.min_writer > self.format:
            return (
                f"{begins} reads it and writes up to {self.format}. {install} to write it, or restore a backup made "
                "before the upgrade"
            )
        return None

    def noted(self, found: Format | None) -> Format:
        """What stands beside data once this release has written there too: never less than stood there before.

        So an older release that may write beside a newer one's data does not hide what the newer one wrote.
        """
        ours = Format(self.format, self.min_reader, self.min_writer, self.version)
        if found is None:
            return ours
        if found.format >= ours.format:
            return found
        least_reader, least_writer = max(found.min_reader, ours.min_reader), max(found.min_writer, ours.min_writer)
        return Format(ours.format, least_reader, least_writer, ours.written_by)


def this_release() -> Release:
    """The release that is running."""
    return Release(version("resonate"))
