"""Makes and revokes keys in the file of RESONATE_KEYS, for commands and for a page alike: what is changed is in the
audit first, and the file is changed as a whole.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from app.keys.audit import Actor, Audit
from app.keys.file import KeysInvalid, KeysUnwritable, read_keys, with_key, without_key
from app.keys.listed import changes, publish_change
from app.keys.named import PUBLISHED, KeyClass, KeyList, ListedKey, digest_of, keys_in_force
from kit.files import locked, read_or_none, replace_file
from kit.suggestions import did_you_mean
from kit.time import now_seconds

NO_FILE: Final = "RESONATE_KEYS names no file of keys; set it, here and for the service, to one such as keys.yaml"
Change = Callable[[bytes], bytes]  # of the file as it is


class KeysRefused(Exception):
    """A key that is not made or revoked; the message says why, and what would be right. Nothing is changed."""


@dataclass(frozen=True, slots=True)
class WantedKey:
    """What somebody says of a new key, as they wrote it; without scopes it has all of its class."""

    name: str
    kind: KeyClass
    scopes: Sequence[str] = ()
    origins: Sequence[str] = ()
    expires: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file of keys of a data directory with its audit, and who changes it, why, by which request."""

    file: Path
    data: Path
    audit: Audit
    actor: Actor
    reason: str | None = None
    request_id: str | None = None

    def add(self, wanted: WantedKey) -> str:
        """A new key, which is kept nowhere: the file has its digest. Raises KeysRefused, AuditUnusable or OSError."""
        key = f"{'pk' if wanted.kind == 'publishable' else 'sk'}_{secrets.token_urlsafe(32)}"

        def changed(content: bytes) -> bytes:
            made = listed_key(wanted, digest_of(key))
            if made.expires is not None and made.expires <= now_seconds():
                raise KeysRefused(
                    f"expires: {wanted.expires} is over, so this key would open nothing; name a later day"
                )
            if any(each.name == made.name for each in read_keys(content, self.file.name).keys):
                raise KeysRefused(f"there is a key {made.name} already; revoke it first, or take another name")
            return with_key(content, made)

        self.change(changed)
        return key

    def revoke(self, name: str) -> None:
        """Takes a key out. That waits for no audit: where there is no room for its line, it follows.

        Raises KeysRefused or OSError.
        """

        def changed(content: bytes) -> bytes:
            known = [key.name for key in read_keys(content, self.file.name).keys]
            if name not in known:
                hint = did_you_mean(name, known, otherwise="; `resonate keys list` lists those of the file")
                raise KeysRefused(f"there is no key {name[:100]}{hint}")
            return without_key(content, name)

        self.change(changed, waits=False)

    def change(self, changed: Change, *, waits: bool = True) -> None:
        """Changes the file as a whole, once the audit has it where it `waits` for that; a running service need not read
        it anew.

        Raises KeysRefused, AuditUnusable or OSError with nothing changed.
        """
        try:
            with locked(self.data / PUBLISHED):
                content = read_or_none(self.file) or b""
                before, after = read_keys(content, self.file.name), changed(content)
                listed = read_keys(after, self.file.name)
                told = changes(before, listed, self.actor)
                lines = [replace(line, reason=self.reason, request_id=self.request_id) for line in told]
                if waits:
                    self.audit.write(*lines)
                standing = keys_in_force(self.data)
                in_force = standing.listed if standing is not None and standing.path == str(self.file) else KeyList()
                if in_force == before:  # else the service has yet to see what else was changed
                    publish_change(self.file, self.data, listed)
                replace_file(self.file, after, keeps_mode=True)
                if not waits:
                    self.audit.follow(*lines)
        except (KeysInvalid, KeysUnwritable) as error:
            raise KeysRefused(str(error)) from None


def listed_key(wanted: WantedKey, digest: str) -> ListedKey:
    """The key as the file has it, judged as one that stands there. Raises KeysInvalid."""
    members = [f"name: {json.dumps(wanted.name)}", f"class: {wanted.kind}", f'digest: "{digest}"']
    lists = (("scopes", wanted.scopes), ("origins", wanted.origins))
    members += [f"{name}: {json.dumps(list(texts))}" for name, texts in lists if texts]
    texts = (("expires", wanted.expires), ("site", wanted.site))
    members += [f"{name}: {json.dumps(text)}" for name, text in texts if text]
    [made] = read_keys(f"keys: [{{{', '.join(members)}}}]".encode(), "the new key").keys
    return made
