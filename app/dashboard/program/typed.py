"""What is typed into the form for a new experiment: its rows, what fills it beforehand, and what the check says."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from app.analysis.queries import DraftCheckQuery
from app.dashboard.rendering import answered, answered_soon
from app.dashboard.saying import Json
from app.dashboard.signed_in import Signed
from app.http.errors import Problem
from app.worker.resources import Resources
from experiments.drafts.form import MOST_CONDITIONS, MOST_GUARDRAILS, MOST_VARIANTS, by_field, filled
from experiments.drafts.keeping import Drafts, FoundFile
from kit.located import DefinitionError

MOST_TYPED: Final = 200_000  # characters: a definition file may have as many bytes
OF_THE_PAGE: Final = ("draft", "seen", "quick")  # fields that say nothing of the experiment
Text = Annotated[str, Field(max_length=200)]


class Prefilled(BaseModel):
    """What an address fills the form with: the draft that is opened again, or a plan of the calculator."""

    model_config = ConfigDict(frozen=True)

    draft: Annotated[str, Field(max_length=100)] = ""
    saved: bool = False
    metric: Text = ""
    lift: Text = ""
    days: Text = ""
    method: Text = ""
    looks: Text = ""
    alpha: Text = ""
    power: Text = ""
    weights: Text = ""

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the form."""
        same = self.model_dump(include={"days", "method", "looks", "alpha", "power"})
        shares = [each.strip() for each in self.weights.split(",")][:MOST_VARIANTS] if self.weights else []
        found = {"goal": self.metric, "mde": in_percent(self.lift), **same}
        found |= {f"v{row}_weight": share for row, share in enumerate(shares)}
        return {name: text for name, text in found.items() if text}


def in_percent(lift: str) -> str:
    """A lift as a file has it: `0.05` is 5 %, and what is none stays for the check to name."""
    try:
        return lift if lift.endswith("%") or not lift else f"{float(lift) * 100:.10g}%"
    except ValueError:
        return lift


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows the form has of each kind: those that are filled, and an empty one."""

    variants: int
    conditions: int
    guardrails: int

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Rows":
        """Those of what was typed."""
        return cls(
            _rows(fields, ("v{}_key", "v{}_weight", "v{}_payload", "v{}_strategy"), 3, MOST_VARIANTS),
            _rows(fields, ("c{}_name", "c{}_value"), 1, MOST_CONDITIONS),
            _rows(fields, ("g{}_metric", "g{}_harm"), 1, MOST_GUARDRAILS),
        )


def _rows(fields: Mapping[str, str], names: tuple[str, ...], least: int, most: int) -> int:
    used = [row for row in range(most) if any(fields.get(name.format(row)) for name in names)]
    return min(most, max(least, (used[-1] if used else -1) + 2))


@dataclass(frozen=True, slots=True)
class DraftSaid:
    """What a form came to, said above it. `found` is what the check says, `wrong` that beside its fields, `file` what
    stands in the folder; `late` is said of a log that has not been read yet.
    """

    message: str = ""
    status: int = 200
    good: bool = False
    file: FoundFile | None = None
    found: Json | None = None
    wrong: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    late: bool = False

    @property
    def passed(self) -> bool:
        """Whether the file may be written."""
        return self.found is not None and not self.found["errors"] and not self.wrong

    def but(self, message: str, status: int) -> "DraftSaid":
        """The same, with why nothing came of it."""
        return replace(self, message=message, status=status, good=False)


def drafts_of(worker: Resources) -> Drafts:
    """The drafts of this service."""
    return Drafts(worker.settings.definitions, worker.settings.data)


def typed(fields: Mapping[str, str]) -> dict[str, str]:
    """What was typed; of a draft the key is that of its file. Raises Problem 413."""
    if sum(map(len, fields.values())) > MOST_TYPED:
        raise Problem(413, "draft_too_large", f"a definition file may have {MOST_TYPED:,} characters, this is more")
    draft = fields.get("draft", "")
    return {**fields, **({"key": draft} if draft else {})}


def kept(fields: Mapping[str, str]) -> dict[str, str]:
    """What of a form is kept, so that it can be opened again."""
    return {name: text for name, text in fields.items() if text and name not in OF_THE_PAGE}


async def with_check(
    worker: Resources, signed: Signed, fields: Mapping[str, str], said: DraftSaid, *, history: bool = False
) -> DraftSaid:
    """With what the check says, by the log too where its `history` is asked for and comes within two seconds.

    A check that cannot be asked is said, with 503.
    """
    form, found, late = filled(fields), None, False
    try:
        if history:
            found = await answered_soon(worker, signed, DraftCheckQuery(form.file, form.text, history=True))
            late = found is None
        if found is None:
            found = await answered(worker, signed, DraftCheckQuery(form.file, form.text))
    except Problem as problem:
        if problem.status != 503:
            raise
        return said.but(f"It could not be checked now, and what you typed is still here: {problem.detail}", 503)
    wrong = by_field(form, tuple(DefinitionError(**each) for each in found["errors"]))
    if not fields.get("draft") and "key" not in form.mistakes:
        taken = await asyncio.to_thread(drafts_of(worker).taken, form.draft.key)
        wrong = {**wrong, "key": [taken]} if taken else wrong
    return replace(said, found=found, wrong=wrong, late=late)
