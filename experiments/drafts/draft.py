"""An experiment that is being written: what was said of it, and the text of its file as a person would write it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from experiments.definitions.schema import FIRST_LINE
from experiments.drafts.writing import name_written, value_written
from kit.yaml import plain_scalar

ABOUT: Final[Mapping[str, str]] = {
    "key": "the name of this file, and of the flag in every client",
    "status": "draft | running | paused | stopped | archived",
    "traffic": "of the audience; it may only widen while it runs",
    "variants": "the first is the control",
    "goal": "the metric that decides",
    "goals": "the first decides first",
    "secondary": "watched, and decides nothing",
    "guardrails": "the largest harm that is borne",
    "layer": "experiments of one layer exclude each other",
    "holdouts": "who is held back sees none of it",
}
"""What stands beside the fields, for whoever opens the file."""
COMMENT_COLUMN: Final = 32


@dataclass(frozen=True, slots=True)
class DraftVariant:
    """A variant as it was said. `payload` holds what the website gets, if anything was said of that."""

    key: str
    weight: str = ""
    payload: tuple[Any, ...] = ()
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was said of an experiment, as texts that the check reads as it reads a file; an empty one was not said.

    `goals` has the one first that decides. `mde` is the lift of the first goal that is worth finding.
    """

    key: str
    name: str = ""
    owner: str = ""
    hypothesis: str = ""
    start: str = ""
    end: str = ""
    unit: str = ""
    layer: tuple[str, tuple[str, ...]] | None = None
    holdouts: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    where: Mapping[str, Any] | None = None
    traffic: str = ""
    variants: tuple[DraftVariant, ...] = ()
    goals: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    guardrails: tuple[tuple[str, str], ...] = ()
    plan: Mapping[str, str] | None = None
    mde: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The fields of the file with their values, in the order of the guide; what was not said is not in it."""
        said = {
            "key": self.key,
            "name": self.name,
            "owner": self.owner,
            "hypothesis": self.hypothesis,
            "status": "draft",
            "start": self.start,
            "end": self.end,
            "unit": self.unit,
            "layer": self.layer and {"name": self.layer[0], "share": list(self.layer[1])},
            "holdouts": list(self.holdouts),
            "audience": _said({"segments": list(self.segments), "where": self.where}),
            "traffic": _scalar(self.traffic),
            "variants": self._variants,
            "goal": self.goals[0] if len(self.goals) == 1 else None,
            "goals": list(self.goals) if len(self.goals) > 1 else None,
            "secondary": list(self.secondary),
            "guardrails": {metric: _scalar(harm) for metric, harm in self.guardrails},
            "plan": self._plan,
        }
        return _said(said)

    @property
    def _variants(self) -> list[Any]:
        """Their keys alone, where nothing else was said of any."""
        told = [_variant(variant) for variant in self.variants]
        return [each["key"] for each in told] if all(len(each) == 1 for each in told) else told

    @property
    def _plan(self) -> dict[str, Any]:
        said: dict[str, Any] = {name: _scalar(text) for name, text in (self.plan or {}).items()}
        if self.mde and self.goals:
            said["mde"] = {self.goals[0]: _scalar(self.mde)}
        return said

    @property
    def text(self) -> str:
        """The file."""
        return FIRST_LINE + "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, value in self.document.items():
            if name == "variants" and any(isinstance(each, Mapping) for each in value):
                yield _commented(f"{name}:", name)
                yield from (f"  - {value_written(each)}" for each in value)
            elif name == "audience":
                yield f"{name}:"
                yield from (f"  {inner}: {value_written(each)}" for inner, each in value.items())
            else:
                yield _commented(f"{name_written(name)}: {value_written(value)}", name)


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of these; an empty text, list or mapping, and null, was not."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _scalar(text: str) -> Any:
    """A number where a person would write one, else the text."""
    return plain_scalar(text) if text else None


def _variant(variant: DraftVariant) -> dict[str, Any]:
    said: dict[str, Any] = {"key": variant.key}
    if variant.weight:
        said["weight"] = _scalar(variant.weight)
    if variant.payload:
        said["payload"] = variant.payload[0]
    if variant.strategy:
        said["recommend"] = {"strategy": variant.strategy}
    return said


def _commented(line: str, name: str) -> str:
    about = ABOUT.get(name)
    return line if about is None else f"{line.ljust(COMMENT_COLUMN - 2)}  # {about}"
