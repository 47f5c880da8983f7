"""Keeps the keys of `keys.yaml` live: the supervisor reads the file and publishes what is good, workers follow that.

So all workers change over whole, within two seconds; a file that cannot be read leaves the last good keys in force,
also for a worker that starts then; and a change is in the audit before it holds.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from app.keys.audit import Actor, Audit, AuditLine, AuditUnusable, line_of
from app.keys.file import MOST_BYTES, KeysInvalid, read_keys
from app.keys.named import PUBLISHED, KeyList, ListedKey, PublishedKeys, keys_in_force
from kit.files import FileMark, create_file, mark_of, replace_file, why_unwritten

logger = logging.getLogger(__name__)

WIDEST_MODE: Final = 0o640
SETTLED_SECONDS: Final = 0.15


class KeysKeeper:
    """The one reader of the file: `boot`, then `poll` a few times a second.

    A change is taken once the file stayed the same for a moment (`pace` counts its seconds), so that nobody is caught
    in the middle of saving.
    """

    def __init__(self, file: Path, data: Path, pace: Callable[[], float] = monotonic) -> None:
        self._file = file
        self._data = data
        self._audit = Audit(data)
        self._pace = pace
        self._seen: FileMark | None = None
        self._seen_since = 0.0
        self._taken: FileMark | None = None
        self._noted: KeyList | None = None  # of a change that is in the audit, and not in force yet
        self.problems: tuple[str, ...] = ()
        self.not_kept: str | None = None  # why what is in force lags behind the file

    def boot(self) -> None:
        """Publish what the file says, or keep what it said last. Raises KeysInvalid where that is not known."""
        self._take()
        if self.problems and self._standing() is None:
            raise KeysInvalid(list(self.problems))

    def poll(self) -> bool:
        """Look whether the file was changed; True where something else is in force, or wrong, now."""
        self._audit.catch_up()
        mark = mark_of(self._file)
        if mark != self._seen:
            self._seen, self._seen_since = mark, self._pace()
        if mark == self._taken or self._pace() - self._seen_since < SETTLED_SECONDS:
            return False
        known = self.problems
        self._take()
        return self.problems != known or self._taken == mark

    def _take(self) -> None:
        """Publish a good file, once the audit has the change; what a bad one said before stays in force.

        Where the audit cannot be written, keys that the file takes away go all the same, and nothing is added.
        """
        taken, standing = mark_of(self._file), self._standing()
        before = KeyList() if standing is None else standing.listed
        listed, problems = before, list[str]()
        try:
            listed = read_keys(_content(self._file), self._file.name)
        except KeysInvalid as error:
            problems = error.problems
        if not problems and listed != before:
            try:
                if listed != self._noted:
                    self._audit.write(*changes(before, listed, Actor("file", self._file.name)))
                    self._noted = listed
            except AuditUnusable as error:
                problems, taken = [f"{self._file.name}: {error}"], None  # and it is tried again
                listed = remaining(before, listed)
        if not problems:
            self._warn()
        self.problems = tuple(problems)
        published = PublishedKeys(str(self._file), listed, self.problems)
        wanted = published != standing and (standing is not None or not problems)
        self._taken = taken if not wanted or self._kept(published) else None  # None: it is tried again

    def _kept(self, published: PublishedKeys) -> bool:
        """Puts it in force; whether the disk took it."""
        try:
            _publish(self._data, published)
        except OSError as error:
            self.not_kept = why_unwritten(error) or str(error)
            self.problems = (*self.problems, f"{self._data / PUBLISHED} cannot be written: {self.not_kept}")
            return False
        self.not_kept = self._noted = None
        return True

    def _standing(self) -> PublishedKeys | None:
        published = keys_in_force(self._data)
        return published if published is not None and published.path == str(self._file) else None

    def _warn(self) -> None:
        mode = self._file.stat().st_mode & 0o777
        if mode & ~WIDEST_MODE:
            logger.warning("others may read or write %s (mode %04o); chmod 600 it", self._file, mode)


def publish_change(file: Path, data: Path, listed: KeyList) -> None:
    """Put in force what a command wrote into the file, and what it kept in the audit itself."""
    _publish(data, PublishedKeys(str(file), listed))


def _publish(data: Path, published: PublishedKeys) -> None:
    """For the user of the service alone, also where its group reads the data directory: secrets of tokens are in it."""
    path = data / PUBLISHED
    if not path.exists():
        create_file(path, b"", 0o600)
    replace_file(path, msgspec.json.encode(published), keeps_mode=True)


def changes(before: KeyList, after: KeyList, actor: Actor) -> Sequence[AuditLine]:
    """A line for each key that is new, another one, or gone; and for those of user tokens, by their ids."""
    old, new = ({key.name: key for key in each.keys} for each in (before, after))
    lines = [
        line_of(actor, _ACTS[name in old, name in new], name, (_told(old.get(name)), _told(new.get(name))))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    if before.user_tokens != after.user_tokens:
        ids = tuple([text.rpartition(":")[0] for text in each.user_tokens] for each in (before, after))
        lines.append(line_of(actor, "user_tokens.change", "user_tokens", (ids[0], ids[1])))
    return lines


def remaining(before: KeyList, after: KeyList) -> KeyList:
    """What is in both, so that a revocation holds whatever becomes of the rest."""
    keys, tokens = set(after.keys), set(after.user_tokens)
    return KeyList(
        tuple(key for key in before.keys if key in keys), tuple(each for each in before.user_tokens if each in tokens)
    )


_ACTS: Final = {(False, True): "key.new", (True, True): "key.change", (True, False): "key.revoke"}


def _told(key: ListedKey | None) -> dict[str, object] | None:
    return None if key is None else key.told


def _content(file: Path) -> bytes:
    """Raises KeysInvalid."""
    made = "`resonate keys new NAME` begins one"
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise KeysInvalid([f"{file}: it cannot be read: {error.strerror}; {made}"]) from None
    if not content.strip():  # whoever wants no key at all says so
        raise KeysInvalid([f"{file}: it is empty; write `keys: []` for no keys, {made}"])
    return content
