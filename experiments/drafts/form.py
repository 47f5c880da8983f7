"""The fields of the form for a new experiment: from texts to a draft, and from a mistake back to the field it is of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from experiments.definitions.quantities import KEY
from experiments.drafts.draft import Draft, DraftVariant
from kit.located import DefinitionError, Located, Location, Problems
from kit.yaml import plain_scalar, read_yaml

STAND_IN: Final = "new-experiment"  # what a draft is called whose key is none
PLAN: Final = ("method", "days", "looks", "alpha", "power")
MOST_VARIANTS: Final = 20
MOST_CONDITIONS: Final = 8
MOST_GUARDRAILS: Final = 8
TESTS: Final[Mapping[str, str]] = {
    "is": "is",
    "$ne": "is not",
    "$in": "is one of",
    "$nin": "is none of",
    "$gt": "is more than",
    "$gte": "is at least",
    "$lt": "is less than",
    "$lte": "is at most",
    "$regex": "matches",
}
"""What may be asked of an attribute, by the words of the form."""
SEVERAL: Final = ("$in", "$nin")


@dataclass(frozen=True, slots=True)
class FilledForm:
    """What was typed: the draft that it makes, and what of it makes none, by the field it was typed into."""

    draft: Draft
    mistakes: Mapping[str, tuple[str, ...]]
    rows: Mapping[tuple[str, int], int]
    """Of variants and guardrails, by their place in the draft: the row that they were typed into."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{STAND_IN if 'key' in self.mistakes else self.draft.key}.yaml"

    @property
    def text(self) -> str:
        """The file as it would be written; a key that is none has a stand-in, so that all else can be checked."""
        return self.draft.text

    def field_of(self, mistake: DefinitionError) -> str:
        """The field that a mistake of the file is told beside; empty where it is of none alone."""
        name, _, rest = mistake.path.partition(".")
        if not name:  # `goal is missing, name the metric that decides`
            name = mistake.message.partition(" ")[0]
        if name.startswith("variants"):
            return self._variant_field(name, rest)
        if name == "guardrails":
            return self._guardrail_field(rest, mistake.message)
        if name == "plan":
            step = rest.partition(".")[0]
            return step if step in (*PLAN, "mde") else "days"
        if name == "layer":
            return "layer_share" if rest.startswith("share") else "layer"
        if name == "audience":
            return "segments" if rest.startswith("segments") else "c0_name"
        return {"goals": "goal"}.get(name, name)

    def _guardrail_field(self, rest: str, message: str) -> str:
        """Beside its harm, or beside a metric that the message names."""
        for place, (metric, _) in enumerate(self.draft.guardrails):
            row = self.rows["guardrails", place]
            if metric == rest:
                return f"g{row}_harm"
            if f'"{metric}"' in message:
                return f"g{row}_metric"
        return "g0_metric"

    def _variant_field(self, name: str, rest: str) -> str:
        """`variants[2].weight` and `variants.KEY.payload` are those of a row; all else is of the first."""
        found, inner = -1, rest
        for place, variant in enumerate(self.draft.variants):
            numbered, named = f"variants[{place + 1}]", f"{variant.key}."
            if name == numbered:
                found = place
            elif variant.key and f"{rest}.".startswith(named):
                found, inner = place, rest[len(named) :]
        kind = inner.partition(".")[0]
        kind = {"weight": "weight", "payload": "payload", "recommend": "strategy"}.get(kind, "key")
        return f"v{self.rows.get(('variants', found), 0)}_{kind}"


@dataclass(slots=True)
class _Reading:
    """One pass over the fields."""

    fields: Mapping[str, str]
    mistakes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def text(self, name: str) -> str:
        return self.fields.get(name, "").replace("\r\n", "\n").strip()

    def wrong(self, name: str, message: str) -> None:
        self.mistakes.setdefault(name, []).append(message)

    def listed(self, name: str) -> tuple[str, ...]:
        return tuple(part for part in (each.strip() for each in self.text(name).split(",")) if part)

    def key(self) -> str:
        """The key; a stand-in for what is none."""
        text, problems = self.text("key"), Problems("")
        if not text:
            self.wrong("key", "is missing, name the experiment, as in free-shipping-banner")
            return STAND_IN
        KEY.read(Location(Located(text, 0, text), problems))
        for each in problems.found:
            self.wrong("key", each.message)
        return STAND_IN if problems.found else text

    def payload(self, name: str) -> tuple[Any, ...]:
        """What the website gets, written as in a file."""
        problems = Problems("")
        root = read_yaml(self.text(name).encode(), problems)
        for each in problems.found:
            self.wrong(name, f"line {each.line}: {each.message}" if each.line else each.message)
        return () if root is None or problems.found else (root.plain(),)

    def variants(self) -> Iterator[tuple[int, DraftVariant]]:
        for row in range(MOST_VARIANTS):
            key, weight = self.text(f"v{row}_key"), self.text(f"v{row}_weight")
            payload, strategy = self.payload(f"v{row}_payload"), self.text(f"v{row}_strategy")
            if key:
                yield row, DraftVariant(key, weight, payload, strategy)
            elif weight or payload or strategy:
                self.wrong(f"v{row}_key", "is missing, name the variant, or empty its row")

    def where(self) -> dict[str, Any]:
        """What is asked of who takes part: by attribute its value, or its tests."""
        found: dict[str, dict[str, Any]] = {}
        for row in range(MOST_CONDITIONS):
            name, test = self.text(f"c{row}_name"), self.text(f"c{row}_test") or "is"
            said = self.text(f"c{row}_value")
            if not name:
                if said:
                    self.wrong(f"c{row}_name", "is missing, name the attribute, as in device")
                continue
            if test not in TESTS:
                self.wrong(f"c{row}_test", f"is no test; there are {', '.join(TESTS.values())}")
            elif not said:
                self.wrong(f"c{row}_value", f"is missing, say what {name} is to be compared with")
            elif test in found.setdefault(name, {}):
                self.wrong(f"c{row}_name", f"{name} is asked the same twice; name all values in one row: is one of")
            else:
                found[name][test] = [_value(each) for each in said.split(",")] if test in SEVERAL else _value(said)
        return {name: _asked(tests) for name, tests in found.items() if tests}

    def guardrails(self) -> Iterator[tuple[int, tuple[str, str]]]:
        known = set[str]()
        for row in range(MOST_GUARDRAILS):
            metric, harm = self.text(f"g{row}_metric"), self.text(f"g{row}_harm")
            if metric and not harm:
                self.wrong(f"g{row}_harm", "is missing, say the largest harm that is borne, as in 10%")
            elif harm and not metric:
                self.wrong(f"g{row}_metric", "is missing, name the metric that must not get worse")
            elif metric in known:
                self.wrong(f"g{row}_metric", f"{metric} stands twice, keep one")
            elif metric:
                known.add(metric)
                yield row, (metric, harm)


def filled(fields: Mapping[str, str]) -> FilledForm:
    """What was typed into the form."""
    reading = _Reading(fields)
    variants, layer = list(reading.variants()), reading.text("layer")
    shares = tuple(part for part in (each.strip() for each in reading.text("layer_share").split("-")) if part)
    if shares and not layer:
        reading.wrong("layer", "is missing, name the layer whose share this is")
    guardrails = list(reading.guardrails())
    if reading.text("mde") and not reading.listed("goal"):
        reading.wrong("mde", "is of the goal, name that first")
    draft = Draft(
        key=reading.key(),
        name=reading.text("name"),
        owner=reading.text("owner"),
        hypothesis=reading.text("hypothesis"),
        start=reading.text("start"),
        end=reading.text("end"),
        unit=reading.text("unit"),
        traffic=reading.text("traffic"),
        mde=reading.text("mde"),
        holdouts=reading.listed("holdouts"),
        segments=reading.listed("segments"),
        secondary=reading.listed("secondary"),
        layer=(layer, shares) if layer else None,
        where=reading.where(),
        variants=tuple(variant for _, variant in variants),
        goals=reading.listed("goal"),
        guardrails=tuple(guardrail for _, guardrail in guardrails),
        plan={name: reading.text(name) for name in PLAN if reading.text(name)},
    )
    rows = {("variants", place): row for place, (row, _) in enumerate(variants)}
    rows |= {("guardrails", place): row for place, (row, _) in enumerate(guardrails)}
    return FilledForm(draft, {name: tuple(told) for name, told in reading.mistakes.items()}, rows)


def by_field(form: FilledForm, found: tuple[DefinitionError, ...]) -> dict[str, list[str]]:
    """Every mistake beside its field: of the form itself, and of its file."""
    told = {name: [*messages] for name, messages in form.mistakes.items()}
    for each in found:
        if each.file == form.file:
            told.setdefault(form.field_of(each), []).append(each.message)
    return told


def _value(text: str) -> Any:
    """A value as a file has it; in quotes it is a text."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else plain_scalar(text)


def _asked(tests: Mapping[str, Any]) -> Any:
    if set(tests) == {"is"}:
        return tests["is"]
    return {"$eq" if test == "is" else test: value for test, value in tests.items()}
