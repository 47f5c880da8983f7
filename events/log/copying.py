"""The log's share of a backup: its live parts of one moment, linked or copied, while the writer goes on."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from events.log.verify import FOLDER
from events.parts.digests import write_digests
from events.parts.ledger import LEDGER
from events.parts.manifest import LOG, MANIFEST_SUFFIX, FolderListing, Found
from events.parts.part import Contents, DataDamaged, Part, PartListing, Survey
from kit.files import Content, content_of, copy_file, link_file, read_or_none, recording

MOST_LISTINGS: Final = 20
NOT_THAT: Final = "it is not what its manifest says"
ASIDE: Final = ("unreadable-*.json", f"{FOLDER}/*")  # what no part holds and nobody changes any more


class LogRestless(Exception):
    """The log changed each time that it was listed: it was copied at no moment."""


@dataclass(slots=True)
class CopiedLog:
    """What was copied: each file by its name in the data directory, with its content; and how far the log goes.

    `damages` is what is wrong with it, by name: the copy has everything else.
    """

    files: dict[str, Content] = field(default_factory=dict[str, Content])
    parts: list[Part] = field(default_factory=list[Part])
    damages: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def ends(self) -> Mapping[int, Part]:
        """The newest part of each shard."""
        return {part.shard: part for part in self.parts}


def copy_log(data: Path, target: Path) -> CopiedLog:
    """Copy what the log of a data directory holds to where there is none yet. Raises LogRestless, OSError.

    A part that is linked is not read; its size is compared. One that a merge replaced meanwhile: all is listed anew,
    and what was copied already stays.
    """
    listing, copied = PartListing(data / LOG), CopiedLog()
    for _ in range(MOST_LISTINGS):
        found = listing.survey()
        try:
            live = dict(_files(data, found))
            for name, source in live.items():
                if name not in copied.files:
                    copied.files[name] = _copied(source.path, target / name, source.known)
        except FileNotFoundError:
            continue
        _leave_out(copied, target, copied.files.keys() - live.keys())
        copied.parts = found.parts
        copied.damages = {damage.name: damage.cause for damage in found.damages}
        for name, source in live.items():
            if source.known not in (None, copied.files[name]):
                copied.damages[source.path.name] = NOT_THAT
        _copy_ledger(data, target, copied)
        return copied
    raise LogRestless(f"the log changed {MOST_LISTINGS} times while it was listed; try again")


@dataclass(frozen=True, slots=True)
class _Source:
    """A file to be copied; of a part's data its manifest says what is in it."""

    path: Path
    known: Content | None = None


def _files(data: Path, found: Survey) -> Iterator[tuple[str, _Source]]:
    """What the log consists of, by its name in the data directory; of damaged parts what there is."""
    log = data / LOG
    for part in found.parts:
        yield _named(data, part.path, Content(part.bytes, part.sha256))
        yield _named(data, part.path.with_suffix(MANIFEST_SUFFIX))
    damaged = {damage.name for damage in found.damages}
    for file in FolderListing(log).files() if damaged else ():
        if file.data.name in damaged:
            yield from (_named(data, path) for path in _there(file))
    for pattern in ASIDE:
        yield from (_named(data, path) for path in sorted(log.glob(pattern)))


def _there(file: Found) -> Iterator[Path]:
    yield from (path for path in (file.data, file.manifest) if path.exists())


def _named(data: Path, path: Path, known: Content | None = None) -> tuple[str, _Source]:
    return path.relative_to(data).as_posix(), _Source(path, known)


def _copied(source: Path, target: Path, known: Content | None) -> Content:
    """Linked, it is read only where nobody knows what is in it; copied, it is what was read."""
    if not link_file(source, target):
        return copy_file(source, target)
    if known is not None and known.bytes == target.stat().st_size:
        return known
    return content_of(target)


def _leave_out(copied: CopiedLog, target: Path, names: Collection[str]) -> None:
    """What was copied before a merge took its place."""
    for name in names:
        del copied.files[name]
        (target / name).unlink()


def _copy_ledger(data: Path, target: Path, copied: CopiedLog) -> None:
    """The ledger goes last: of what it says is gone by then, readers pass over what was copied."""
    name = f"{LOG}/{LEDGER}"
    content = read_or_none(data / name)
    if content is not None:
        with recording(target / name) as file:
            file.write(content)
        copied.files[name] = file.content


def make_digests(data: Path) -> None:
    """Make the digests beside each part, which no copy has, because they can be made again. Raises OSError."""
    contents = Contents()
    for part in PartListing(data / LOG).survey().parts:
        with suppress(DataDamaged):
            if not part.digests.exists():
                write_digests(part.digests, contents.digests(part))
