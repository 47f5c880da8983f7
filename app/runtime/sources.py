"""Where the settings come from: the options of a command, else the environment, else a file, else their defaults.

A secret may also stand in a file of its own, which its variable (or its entry) with `_FILE` at the end names.
"""

import stat
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from kit.suggestions import did_you_mean

PREFIX: Final = "RESONATE_"
PLACE: Final = f"{PREFIX}SETTINGS"  # names the file
OF_ITS_OWN: Final = "_file"
LONGEST_SECRET: Final = 65_536  # bytes
LONGEST_FILE: Final = 1_048_576
SEE: Final = "docs/settings.md lists those that are"

Origin = Literal["option", "environment", "file", "default"]


class NotTold(ValueError):
    """A setting is told in a way that cannot be used; the message is a whole line for people."""


@dataclass(frozen=True, slots=True)
class GivenValue:
    """The value of a setting as it was given. Messages name it by `label`; `where` is the variable or the file."""

    value: Any
    origin: Origin
    label: str
    where: str


@dataclass(frozen=True, slots=True)
class SettingNames:
    """The names of all settings; those whose values a file of their own may hold; of these, who may have several."""

    names: Collection[str]
    secrets: Collection[str]
    several: Collection[str]

    @property
    def entries(self) -> list[str]:
        """All names by which something may be told, without prefix and in small letters."""
        return sorted([*self.names, *(name + OF_ITS_OWN for name in self.secrets)])


def variable(name: str) -> str:
    """The environment's name of a setting."""
    return PREFIX + name.upper()


def told_settings(
    known: SettingNames, environment: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[list[dict[str, GivenValue]], list[str]]:
    """What each source tells of settings, the one that goes first last; each mistake in how it was told, as a line."""
    problems: list[str] = []
    place = environment.get(PLACE)
    of_file = _settled(known, _entries(known, Path(place), problems), problems) if place else {}
    of_environment = _settled(known, _variables(known, environment), problems)
    of_options = {name: GivenValue(value, "option", variable(name), variable(name)) for name, value in options.items()}
    return [of_file, of_environment, of_options], problems


def open_secrets(known: SettingNames, environment: Mapping[str, str]) -> list[str]:
    """A warning for each file that a secret is read from and that every user of the machine can read."""
    place = environment.get(PLACE)
    told = [*_variables(known, environment).items(), *(_entries(known, Path(place), []).items() if place else [])]
    files = {str(each.value): name for name, each in told if name not in known.names}
    files |= {str(place): name for name, each in told if name in known.secrets and each.origin == "file"}
    return [
        f"{path}: every user of this machine can read {name.removesuffix(OF_ITS_OWN)} there; chmod o= {path}"
        for path, name in files.items()
        if _is_open(Path(path))
    ]


def strangers(known: SettingNames, environment: Mapping[str, str]) -> list[str]:
    """A warning for each `RESONATE_*` variable that means nothing, with the name that was probably meant."""
    read = sorted([PLACE, *map(variable, known.entries)])
    strays = sorted(name for name in environment if name.startswith(PREFIX) and name not in read)
    otherwise = f", it is not read; {SEE}"
    return [f"{name} is not a setting{did_you_mean(name, read, otherwise)}" for name in strays]


def _variables(known: SettingNames, environment: Mapping[str, str]) -> dict[str, GivenValue]:
    """By entry what the environment tells, an empty variable being an absent one; unknown ones are warned about."""
    given = ((name, variable(name), environment.get(variable(name))) for name in known.entries)
    return {name: GivenValue(value, "environment", label, label) for name, label, value in given if value}


def _entries(known: SettingNames, path: Path, problems: list[str]) -> dict[str, GivenValue]:
    """By entry what a settings file tells."""
    try:
        entries = tomllib.loads(_text(path, LONGEST_FILE))
    except tomllib.TOMLDecodeError as error:
        problems.append(f'{path} is no TOML: {error}; an entry is like port = 8000, or host = "0.0.0.0"')
        return {}
    except NotTold as error:
        problems.append(f"settings file {error}")
        return {}
    told = {name: GivenValue(value, "file", f"{path}: {name}", str(path)) for name, value in entries.items()}
    wrong = {name: problem for name, each in told.items() if (problem := _wrong(known, name, each))}
    problems += wrong.values()
    return {name: each for name, each in told.items() if name not in wrong}


def _wrong(known: SettingNames, name: str, told: GivenValue) -> str | None:
    """What is wrong with an entry of a settings file before its value is looked at."""
    plain = name.lower().removeprefix(PREFIX.lower())
    if name not in known.entries and plain in known.entries:
        return f"{told.label} is written {plain} in a file"
    if name not in known.entries and name.removesuffix(OF_ITS_OWN) in known.names:
        return f"{told.label}: no file of its own is read for it; write {name.removesuffix(OF_ITS_OWN)} = …"
    if name not in known.entries:
        return f"{told.label} is not a setting{did_you_mean(name, known.entries, f'; {SEE}')}"
    if isinstance(told.value, dict):
        return f"{told.label} is a table; settings stand above all tables, as {name} = …"
    return None


def _settled(known: SettingNames, entries: Mapping[str, GivenValue], problems: list[str]) -> dict[str, GivenValue]:
    """By setting what one place tells, the secrets read from their files."""
    settled = {name: told for name, told in entries.items() if name in known.names}
    for name, told in entries.items():
        setting = name.removesuffix(OF_ITS_OWN)
        if name in known.names:
            continue
        try:
            if setting in settled:
                raise NotTold(f"{told.label}: {settled[setting].label} is set too; set one of the two")
            settled[setting] = _secret(told, several=setting in known.several)
        except NotTold as error:
            problems.append(str(error))
    return settled


def _secret(told: GivenValue, *, several: bool) -> GivenValue:
    """The content of the file that is named, which no message shows; several values may stand on lines of their own.

    Raises NotTold.
    """
    if not isinstance(told.value, str):
        raise NotTold(f"{told.label} should be the path of a file")
    path = Path(told.value)
    try:
        text = _text(path, LONGEST_SECRET)
    except NotTold as error:
        raise NotTold(f"{told.label}: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise NotTold(f"{told.label}: {path} is empty; write the value into it, or leave the setting out")
    if len(lines) > 1 and not several:
        raise NotTold(f"{told.label}: {path} has {len(lines)} lines, it should have one")
    return GivenValue(",".join(lines), told.origin, f"{told.label} ({path})", f"{told.where}, {path}")


def _text(path: Path, longest: int) -> str:
    """The text of a file. Raises NotTold."""
    try:
        with path.open("rb") as file:
            content = file.read(longest + 1)
    except OSError as error:
        raise NotTold(f"{path}: {error.strerror}; name a file that this user can read") from None
    if len(content) > longest:
        raise NotTold(f"{path} has more than {longest:,} bytes")
    try:
        return content.decode("utf-8-sig")  # some editors put a mark before all else
    except UnicodeDecodeError:
        raise NotTold(f"{path} is not UTF-8") from None


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def shown_sources(
    known: SettingNames, told: Mapping[str, GivenValue], values: Iterable[tuple[str, Any]]
) -> list[dict[str, Any]]:
    """Each setting as `resonate settings` shows it: its value in force, a secret as `…`, and from where it is."""
    rows: list[dict[str, Any]] = []
    for name, value in values:
        source = told.get(name, GivenValue(value, "default", "", ""))
        shown = "…" if name in known.secrets and value not in (None, (), []) else value
        rows.append({"name": name, "value": shown, "from": source.origin, "where": source.where or None})
    return rows
