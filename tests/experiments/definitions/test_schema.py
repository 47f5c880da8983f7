"""The JSON Schema takes every file the reader takes, and refuses the mistakes an editor can see."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from worlds.definition_examples import METRICS
from worlds.definition_mistakes import Mistake, mistakes

from experiments.definitions.folder import SIDES, builtin_metrics, read_sources
from experiments.definitions.schema import TEMPLATE, SchemaKind, json_schema
from experiments.targeting.attributes import ATTRIBUTES
from kit.located import Problems
from kit.yaml import read_yaml

REPOSITORY = Path(__file__).parents[3]
MEANINGS = REPOSITORY / "experiments/definitions/meanings.json"
EDITOR = [mistake for mistake in mistakes() if mistake.seen_by_editor]


def accepted(name: str, text: str) -> bool:
    """Whether the schema takes a file, read as we read it and as an editor (YAML 1.1 here, 1.2 there) may."""
    node = read_yaml(text.encode(), Problems(name))
    return _valid(name, node.plain() if node else None)


def _valid(name: str, value: Any) -> bool:
    stem = Path(name).stem
    return _validator(stem if stem in SIDES else "experiment").is_valid(value)


@cache
def _validator(kind: SchemaKind) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema(kind))


def valid_files() -> dict[str, str]:
    guide = (REPOSITORY / "docs" / "definitions.md").read_text(encoding="utf-8")
    blocks = [block.partition("\n```")[0] for block in guide.split("```yaml\n")[1:]]
    files = {block.partition("\n")[0].removeprefix("# "): block for block in blocks}
    files |= {
        str(path.relative_to(REPOSITORY)): path.read_text()
        for path in REPOSITORY.glob("app/demo/example_shop/definitions/*.y*ml")
    }
    return files | {
        "new.yaml": TEMPLATE.format(key="new"),
        "metrics.yaml of tests": "".join(f"m{n}: {text}\n" for n, text in enumerate(METRICS)),
    }


@pytest.mark.parametrize(("name", "text"), valid_files().items(), ids=valid_files().keys())
def test_a_valid_file_is_accepted(name: str, text: str) -> None:
    assert accepted(name.removesuffix(" of tests"), text)


@pytest.mark.parametrize("mistake", EDITOR, ids=[mistake.name for mistake in EDITOR])
def test_a_mistake_of_shape_is_refused(mistake: Mistake) -> None:
    assert not all(accepted(name, text) for name, text in mistake.files.items())


def test_most_mistakes_are_seen_by_an_editor() -> None:
    assert len(EDITOR) >= 60


def test_the_built_in_metrics_are_accepted() -> None:
    text = (REPOSITORY / "experiments" / "definitions" / "builtin_metrics.yaml").read_text()
    assert accepted("metrics.yaml", text)
    assert len(yaml.safe_load(text)) == len(builtin_metrics())


@pytest.mark.parametrize("kind", get_args(SchemaKind))
def test_a_schema_is_itself_valid_and_titled(kind: SchemaKind) -> None:
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"Resonate {kind}"


def test_every_field_the_reader_knows_is_in_the_schema() -> None:
    errors = read_sources({"banner.yaml": b"key: banner\nzzz: 1\n"}).errors
    known = next(error.message for error in errors if "zzz" in error.message).partition("known are ")[2].split(", ")
    assert sorted(json_schema()["properties"]) == known


ODD: list[Any] = [
    None,
    True,
    0,
    1,
    1.0,
    -1,
    "",
    "odd",
    "1 odd",
    [],
    [1],
    ["odd"],
    {},
    {"odd": 1},
    {"odd": {"odd": "odd"}},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value below a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in inner:
        yield (*path, step)
        yield from places(below, (*path, step))


def folders() -> list[dict[str, str]]:
    """The guide's folder, the example shop's, and one of every metric type: all without a mistake."""
    files = valid_files()
    guide = {name: text for name, text in files.items() if "/" not in name and not name.endswith(" of tests")}
    shop = {Path(name).name: text for name, text in files.items() if "/" in name}
    return [guide, shop, {"metrics.yaml": files["metrics.yaml of tests"]}]


FOLDERS = folders()


def mistakes_of(files: dict[str, str]) -> list[str]:
    return [str(error) for error in read_sources({name: text.encode() for name, text in files.items()}).errors]


@pytest.mark.parametrize("files", FOLDERS)
def test_the_folders_have_no_mistake(files: dict[str, str]) -> None:
    assert mistakes_of(files) == []


@given(data=st.data())
def test_whatever_an_editor_refuses_the_reader_refuses(data: st.DataObject) -> None:
    """One value of one file is replaced by one that mostly does not belong there."""
    files = data.draw(st.sampled_from(FOLDERS))
    name = data.draw(st.sampled_from(sorted(files)))
    node = read_yaml(files[name].encode(), Problems(name))
    assert node is not None
    content = node.plain()
    *way, last = data.draw(st.sampled_from(list(places(content))))
    holder = content
    for step in way:
        holder = holder[step]
    holder[last] = data.draw(st.sampled_from(ODD))
    written = json.dumps(content)
    assert accepted(name, written) or mistakes_of(files | {name: written}), (way, last, holder[last])


def test_an_editor_proposes_every_attribute_that_the_tag_tells() -> None:
    audience = json_schema("experiment")["properties"]["audience"]["anyOf"][0]["properties"]["where"]["anyOf"][0]
    segment = next(iter(json_schema("segments")["patternProperties"].values()))["properties"]["where"]
    for schema in (audience, segment):
        assert schema["properties"].keys() == ATTRIBUTES.keys()
        assert schema["properties"]["path"]["description"].endswith("as in {path: {$regex: ^/tea}}")


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every field that a schema names, by its way, and whether it is described there."""
    if isinstance(schema, list):
        for each in schema:
            yield from properties(each, path)
    if not isinstance(schema, dict):
        return
    for name, part in schema.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        yield inner, any("description" in each for each in (part, *part.get("anyOf", [])))
        yield from properties(part, inner)
    for name, part in schema.items():
        if name == "patternProperties":
            yield from properties(list(part.values()), path)
        elif name != "properties":
            yield from properties(part, path)


@pytest.mark.parametrize("kind", get_args(SchemaKind))
def test_every_field_says_what_it_is_and_nothing_is_said_of_what_is_none(kind: SchemaKind) -> None:
    found = list(properties(json_schema(kind)))
    assert found
    assert sorted({name for name, described in found if not described}) == []
    written = json.loads(MEANINGS.read_text())[kind]
    assert sorted(written.keys() - {name for name, _ in found}) == []
    assert [name for name, told in written.items() if len(told) < 8 or told.lower() == name] == []


def test_metrics_are_offered_where_one_is_named_and_others_are_taken_too() -> None:
    schema = json_schema("experiment", builtin_metrics())
    validator = jsonschema.Draft202012Validator(schema)
    assert json.dumps(schema).count('"refund_rate"') == 7  # goal, its metric, those of goals, secondary, two mappings
    for goal in ("purchase_rate", "their_own"):
        file = {"key": "a", "variants": ["a", "b"], "goal": goal, "guardrails": {"refund_rate": "10%", "own": "5%"}}
        assert validator.is_valid(file)
    assert not validator.is_valid({"key": "a", "variants": ["a", "b"], "goal": "no name!"})
