"""`keys.yaml` → frozen values: who may call, what for, from which pages, for how long. Errors never show a key."""

import json
import re
from collections.abc import Mapping
from typing import Final

from app.keys.named import CLASSES, KeyList, ListedKey, digest_of
from app.keys.scopes import PAGE_SCOPES, SCOPES, KeyScope
from app.runtime.settings import DIGEST, each_an_origin, token_key
from kit.located import Located, Problems, shortened
from kit.suggestions import did_you_mean
from kit.time import SECOND_US, iso, moment_of, parsed
from kit.yaml import read_yaml

MOST_BYTES: Final = 256_000
MOST_KEYS: Final = 1_000
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NO_NAME: Final = "a name has 1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first"
SECTIONS: Final = ("keys", "user_tokens")
MEMBERS: Final = ("name", "class", "digest", "scopes", "origins", "site", "expires")
VALUES: Final = frozenset({"key", "value", "secret", "token", "api_key"})  # in place of a digest
HEADING: Final = re.compile(r"keys:[ \t]*(?:\[ *\]|null|~)?(?=[ \t]*(?:#.*)?\r?\n?$)")
NOTHING: Final = re.compile(r"keys:[ \t]*(?:\[ *\]|null|~)")
VERIFIED_BY: Final[Mapping[str, str]] = {"EdDSA": "public_key", "HS256": "secret"}


class KeysInvalid(Exception):
    """A file of keys that cannot be used: each mistake with its line, and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_keys(content: bytes, file: str = "keys.yaml") -> KeyList:
    """What a file says. Raises KeysInvalid with all of its mistakes."""
    return locate_keys(content, file)[0]


def locate_keys(content: bytes, file: str = "keys.yaml") -> tuple[KeyList, Mapping[str, int]]:
    """What a file says, and the line at which each key begins, by name. Raises KeysInvalid."""
    if len(content) > MOST_BYTES:
        raise KeysInvalid([f"{file}: it has {len(content) // 1000} kB, a file of keys may have {MOST_BYTES // 1000}"])
    problems = Problems(file)
    root = read_yaml(content, problems)
    reader = _Reader(problems)
    found = KeyList() if root is None else reader.read(root)
    if problems.found:
        raise KeysInvalid([str(error) for error in sorted(problems.found)])
    return found, reader.lines


class KeysUnwritable(Exception):
    """A file is written in a way that no command can change; the message says what to write or delete by hand."""


def with_key(content: bytes, key: ListedKey) -> bytes:
    """The file with one more key behind the others, and all else as it was. Raises KeysInvalid, KeysUnwritable."""
    before, entry = read_keys(content), f"- {_written(key)}\n"
    lines = content.decode("utf-8-sig").splitlines(keepends=True)
    heading = next((place for place, line in enumerate(lines) if HEADING.match(line)), None)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if heading is None:
        lines += ["keys:\n", f"  {entry}"]
    else:
        lines[heading] = NOTHING.sub("keys:", lines[heading])
        end, indent = heading + 1, None
        for place in range(heading + 1, len(lines)):
            line = lines[place]
            if line[0] not in " -#\r\n":
                break
            if line.lstrip().startswith("-") and indent is None:
                indent = line[: len(line) - len(line.lstrip())]
            if line.strip() and line[0] != "#":
                end = place + 1
        lines.insert(end, ("  " if indent is None else indent) + entry)
    after = "".join(lines).encode()
    if _read_or_none(after) != KeyList((*before.keys, key), before.user_tokens):
        raise KeysUnwritable(
            f"the list is not one line per entry below `keys:`; add this to it by hand: {entry.strip()}"
        )
    return after


def without_key(content: bytes, name: str) -> bytes:
    """The file without a key, and all else as it was. Raises KeyError, KeysInvalid, KeysUnwritable."""
    before, places = locate_keys(content)
    line = places[name]
    lines = content.decode("utf-8-sig").splitlines(keepends=True)
    begin = line - 1
    while begin > 0 and not lines[begin].lstrip().startswith("-"):
        begin -= 1
    indent, end = len(lines[begin]) - len(lines[begin].lstrip()), begin + 1
    while end < len(lines) and lines[end].strip() and len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    after = "".join([*lines[:begin], *lines[end:]]).encode()
    kept = tuple(key for key in before.keys if key.name != name)
    if _read_or_none(after) != KeyList(kept, before.user_tokens):
        raise KeysUnwritable(f"no command can take {name} out of the file as it is written; delete it from line {line}")
    return after


def _read_or_none(content: bytes) -> KeyList | None:
    try:
        return read_keys(content)
    except KeysInvalid:
        return None


def _written(key: ListedKey) -> str:
    members = [f"name: {key.name}", f"class: {key.kind}", f'digest: "sha256:{key.digest}"']
    if key.scopes != (PAGE_SCOPES if key.kind == "publishable" else SCOPES):
        members.append(f"scopes: [{', '.join(key.scopes)}]")
    if key.origins is not None:
        members.append(f"origins: [{', '.join(json.dumps(origin) for origin in key.origins)}]")
    if key.site is not None:
        members.append(f'site: "{key.site}"')
    if key.expires is not None:
        members.append(f'expires: "{iso(moment_of(int(key.expires) * SECOND_US))}"')
    return f"{{{', '.join(members)}}}"


class _Reader:
    """One pass over a file, telling each mistake with its line."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.lines: dict[str, int] = {}  # of each name
        self._digests: dict[str, str] = {}  # name by digest

    def read(self, root: Located) -> KeyList:
        sections = self._members(root, "", SECTIONS)
        listed = {name: self._items(sections.get(name), name) for name in SECTIONS}
        if len(listed["keys"]) > MOST_KEYS:
            self.problems.add(root.line, "keys", f"{len(listed['keys'])} keys, a file may have {MOST_KEYS:,}")
            return KeyList()
        keys = [self._key(item, f"keys[{place}]") for place, item in enumerate(listed["keys"])]
        tokens = [self._token(item, f"user_tokens[{place}]") for place, item in enumerate(listed["user_tokens"])]
        names = [each.partition(":")[0] for each in tokens if each]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problems.add(root.line, "user_tokens", f"the kid {name} stands twice; each needs its own")
        return KeyList(tuple(key for key in keys if key), tuple(each for each in tokens if each))

    def _members(self, node: Located, path: str, known: tuple[str, ...]) -> Mapping[str, Located]:
        if not isinstance(node.value, Mapping) or (not node.value and path):
            self.problems.add(node.line, path, f"it must be a mapping of {', '.join(known)}")
            return {}
        for name, member in node.value.items():
            if name in VALUES and name not in known and isinstance(member.value, str):
                self._value(member, f"{path}.{shortened(name)}")
            elif name not in known:
                hint = did_you_mean(name, known, f"; known are {', '.join(known)}")
                self.problems.add(member.line, path, f'unknown member "{shortened(name)}"{hint}')
        return node.value

    def _items(self, node: Located | None, path: str) -> tuple[Located, ...]:
        if node is None or node.value in (None, ""):
            return ()
        if not isinstance(node.value, tuple):
            self.problems.add(node.line, path, "it must be a list")
            return ()
        return node.value

    def _key(self, node: Located, path: str) -> ListedKey | None:
        told = len(self.problems.found)
        members = self._members(node, path, MEMBERS)
        if not members:
            return None
        name, kind = self._word(members, "name", path), self._word(members, "class", path)
        if name and not NAME.fullmatch(name):
            self.problems.add(node.line, path, f"name: {NO_NAME}")
        elif name and name in self.lines:
            self.problems.add(node.line, path, f"name: {name} stands twice (first in line {self.lines[name]})")
        else:
            self.lines[name] = node.line
        if kind and kind not in CLASSES:
            self.problems.add(node.line, path, f"class: it must be {' or '.join(CLASSES)}")
        page = kind == "publishable"
        digest = self._digest(members.get("digest"), name, node.line, path)
        scopes = self._scopes(members.get("scopes"), PAGE_SCOPES if page else SCOPES, page=page, path=path)
        origins, site = self._origins(members.get("origins"), page=page, path=path), None
        if "site" in members:
            site = self._word(members, "site", path)
            if site and not NAME.fullmatch(site):
                self.problems.add(members["site"].line, path, f"site: {NO_NAME}")
        expires = self._moment(members.get("expires"), path)
        if len(self.problems.found) > told or not name or not digest:
            return None
        return ListedKey(
            name=name, kind="publishable" if page else "secret", digest=digest, scopes=scopes, origins=origins,
            site=site, expires=expires,
        )  # fmt: skip

    def _word(self, members: Mapping[str, Located], name: str, path: str) -> str:
        node = members.get(name)
        if node is None or isinstance(node.value, tuple | Mapping) or not node.text:
            line = node.line if node else next(iter(members.values())).line if members else 0
            self.problems.add(line, path, f"{name}: it is missing, write it as text")
            return ""
        return node.text

    def _digest(self, node: Located | None, name: str, line: int, path: str) -> str:
        if node is None or not node.text:
            made = "`resonate keys new` makes a key and writes it"
            self.problems.add(line, path, f"digest: it is missing, write sha256: and 64 hexadecimal digits; {made}")
            return ""
        if not DIGEST.fullmatch(node.text):
            self._value(node, f"{path}.digest")
            return ""
        if node.text in self._digests:
            self.problems.add(node.line, path, f"digest: it is that of {self._digests[node.text]}, a key has one name")
        self._digests[node.text] = name
        return node.text.removeprefix("sha256:")

    def _value(self, node: Located, path: str) -> None:
        if node.text.startswith("sha256:"):
            self.problems.add(node.line, path, "it is not sha256: and 64 hexadecimal digits, in small letters")
            return
        message = f'a key never stands in this file; write digest: "{digest_of(node.text)}" in its place'
        self.problems.add(node.line, path, message)

    def _words(self, node: Located | None, path: str) -> list[tuple[str, int]] | None:
        if node is None:
            return None
        items = node.value if isinstance(node.value, tuple) else (node,)
        if not items or any(not item.text for item in items):
            self.problems.add(node.line, path, "it must be a list of words, or be left out")
        return [(item.text, item.line) for item in items]

    def _scopes(
        self, node: Located | None, allowed: tuple[KeyScope, ...], *, page: bool, path: str
    ) -> tuple[KeyScope, ...]:
        words = self._words(node, f"{path}.scopes")
        if words is None:
            return allowed
        for word, line in words:
            if page and word in SCOPES and word not in allowed:
                wider = f"scopes: {word} is of secret keys; a publishable one has at most {', '.join(allowed)}"
                self.problems.add(line, path, wider)
            elif word not in allowed:
                hint = did_you_mean(word, allowed, f"; there are {', '.join(allowed)}")
                self.problems.add(line, path, f'scopes: unknown scope "{shortened(word)}"{hint}')
        return tuple(scope for scope in allowed if scope in {word for word, _ in words})

    def _origins(self, node: Located | None, *, page: bool, path: str) -> tuple[str, ...] | None:
        words = self._words(node, f"{path}.origins")
        if words is None:
            return None
        origins = tuple(word.rstrip("/") for word, _ in words)
        try:
            each_an_origin(origins)
        except ValueError as error:
            self.problems.add(node.line if node else 0, path, f"origins: {error}")
        if not page:
            self.problems.add(node.line if node else 0, path, "origins: a secret key is of no page, leave them out")
        return origins

    def _moment(self, node: Located | None, path: str) -> float | None:
        if node is None:
            return None
        try:
            return parsed(node.text).timestamp()
        except ValueError:
            right = "it must be a day such as 2027-06-01, at whose beginning (UTC) the key ends, or a moment"
            self.problems.add(node.line, path, f"expires: {right}")
            return None

    def _token(self, node: Located, path: str) -> str | None:
        """As `RESONATE_USER_TOKEN_KEYS` writes it."""
        told = len(self.problems.found)
        members = self._members(node, path, ("kid", "alg", *VERIFIED_BY.values()))
        kid, algorithm = self._word(members, "kid", path), self._word(members, "alg", path)
        by = VERIFIED_BY.get(algorithm)
        if algorithm and by is None:
            self.problems.add(node.line, path, f"alg: it must be {' or '.join(VERIFIED_BY)}")
        text = "" if by is None else f"{kid}:{algorithm}:{self._word(members, by, path)}"
        if len(self.problems.found) > told:
            return None
        try:
            token_key(text)
        except ValueError as error:
            self.problems.add(node.line, path, f"{error}; `resonate keys user-token` makes one")
            return None
        return text
