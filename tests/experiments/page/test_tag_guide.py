"""What docs/tag.md says of attributes and changes is so."""

from datetime import UTC, datetime
from pathlib import Path

from experiments.catalog.check import check_folder
from experiments.targeting.attributes import ATTRIBUTES

GUIDE = (Path(__file__).parents[3] / "docs" / "tag.md").read_text(encoding="utf-8")


def test_the_table_of_attributes_is_the_one_that_conditions_are_read_by() -> None:
    rows = [line.strip("| ").split(" | ") for line in GUIDE.splitlines() if line.startswith("| `") and "{" in line]
    told = {row[0].strip("`"): row for row in rows if row[0].strip("`") in ATTRIBUTES}
    assert list(told) == list(ATTRIBUTES)
    for each in ATTRIBUTES.values():
        values = f": {', '.join(each.values)}" if each.values else ""
        source = [each.told_by] if each.told_by else []
        assert told[each.name][1:] == [each.means + values, f"`{each.example}`", *source]


def test_every_example_of_a_definition_passes_the_check(tmp_path: Path) -> None:
    blocks = [block.partition("\n```")[0] for block in GUIDE.split("```yaml\n")[1:]]
    files = {block.partition("\n")[0].removeprefix("# "): block for block in blocks}
    assert len(files) >= 3
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = check_folder(tmp_path, datetime(2026, 1, 10, tzinfo=UTC))
    assert (result.errors, result.warnings) == ((), ())
