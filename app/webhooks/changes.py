"""What has changed of the experiments since they were looked at last, and what is told of it."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from experiments.wording.codes import INFORMS, known_check

Kind = Literal["action_changed", "health_changed", "started", "stopped"]
Stage = Literal["before", "running", "over"]
HEADINGS: Final[Mapping[Kind, str]] = {
    "action_changed": "Decision changed",
    "health_changed": "Health changed",
    "started": "Started",
    "stopped": "Stopped",
}
STAGES: Final[Mapping[str, "Stage"]] = {
    "draft": "before", "not_started": "before", "enrolling": "running", "ended": "over", "closed": "over",
}  # fmt: skip
"""Of states; one that is paused stays where it was."""
UNDECIDED: Final = "keep_running"  # what holds of whatever begins
NOT_STARTED: Final = "not_started"
SAMPLE_RATIO: Final = "sample_ratio_mismatch"


class Message(msgspec.Struct, frozen=True):
    """One change, as it is told. `id` is the same whenever it is sent again."""

    id: str
    at: Annotated[datetime, Meta(tz=True)]
    experiment: str
    kind: Kind
    sentence: str
    address: str

    def body(self, form: Literal["object", "text"]) -> bytes:
        """What is sent: the change as an object, or as the one text that chats show."""
        if form == "text":
            text = f"{HEADINGS[self.kind]}: {self.sentence} {self.address}"
            for letter, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # a name must not call a channel
                text = text.replace(letter, written)
            return msgspec.json.encode({"text": text})
        return msgspec.json.encode({name: getattr(self, name) for name in self.__struct_fields__ if name != "id"})


class Seen(msgspec.Struct, frozen=True):
    """A phase of an experiment as it was seen last: what was decided (None: nobody knew), and what stood against it."""

    phase: int
    stage: Stage = "before"
    action: str | None = UNDECIDED
    variant: str | None = None
    against: tuple[str, ...] = ()


def changed_since(
    seen: Mapping[str, Seen] | None, listed: Sequence[Mapping[str, Any]], now: datetime, address: Callable[[str], str]
) -> tuple[dict[str, Seen], list[Message]]:
    """How the experiments of a list are seen now, and a message for each change.

    Who looks for the first time (None) only remembers. What is not known at a look has not changed, and an experiment
    that comes with its end was never here.
    """
    after: dict[str, Seen] = {}
    found: list[tuple[str, Kind, str]] = []
    for entry in listed:
        key: str = entry["key"]
        before = None if seen is None else seen.get(key)
        is_new = before is None
        if before is None or before.phase != entry["phase"]:
            before = Seen(entry["phase"])
        now_seen = after[key] = _seen(before, entry, is_first=seen is None)
        if seen is not None and not (is_new and now_seen.stage == "over"):
            for kind in _kinds(before, now_seen):
                found.append((key, kind, _sentence(kind, entry)))
    for key in (seen or {}).keys() - after.keys():
        if (seen or {})[key].stage == "running":
            gone = f"{key} has stopped: its definition is gone, so nobody is assigned any more."
            found.append((key, "stopped", gone))
    return after, [Message(secrets.token_hex(16), now, key, kind, said, address(key)) for key, kind, said in found]


def _seen(before: Seen, entry: Mapping[str, Any], *, is_first: bool) -> Seen:
    """A phase as an entry of the list shows it; what that does not say is as it was before."""
    state, action, variant, against = entry["state"], entry["action"], entry["variant"], before.against
    stage: Stage = STAGES.get(state, "running" if is_first else before.stage)
    if action is None or action == NOT_STARTED:
        action, variant = (None if is_first and stage != "before" else before.action), before.variant
    else:
        codes = {check["code"] for check in entry["checks"] if known_check(check["code"])[0] != INFORMS}
        against = tuple(sorted(codes | ({SAMPLE_RATIO} if entry["alarm"] else set())))
    return Seen(before.phase, stage, action, variant, against)


def _kinds(before: Seen, after: Seen) -> Iterator[Kind]:
    if before.stage != after.stage and after.stage != "before":
        yield "started" if after.stage == "running" else "stopped"
    if before.action is not None and (before.action, before.variant) != (after.action, after.variant):
        yield "action_changed"
    if before.action is not None and before.against != after.against:
        yield "health_changed"


def _sentence(kind: Kind, entry: Mapping[str, Any]) -> str:
    name = entry["name"]
    if kind == "started":
        phase = f" its phase {entry['phase']}" if entry["phase"] else ""
        return f"{name} has started{phase}: visitors are assigned and counted."
    if kind == "stopped":
        shipped = entry["decision"]["variant"] if entry["decision"]["outcome"] == "shipped" else None
        return f"{name} has stopped: {f'everybody sees {shipped}' if shipped else 'nobody is assigned any more'}."
    return entry["sentence"]
