"""The built tag is what its source makes, small, and what the printed lines name."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.tag.library import BUILT, PLAIN, BuiltTag, TagLines, proposed_prefix

REPOSITORY = Path(__file__).parents[3]
LARGEST = {  # bytes, packed: what a page waits for, but for its payload
    "the library": 6_000,
    "the whole library": 7_600,  # where the payload asks about visitors or changes pages, and the bare one
}


def test_the_built_files_are_those_that_the_source_makes(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (REPOSITORY / "node_modules" / "esbuild").is_dir():
        pytest.skip("no esbuild: `make node_modules/.installed` installs it by npm")
    subprocess.run([node, "scripts/build-tag.mjs", str(tmp_path)], cwd=REPOSITORY, check=True)
    made = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert made == {each.name: each.read_bytes() for each in BUILT.iterdir()}


def test_the_library_stays_small(capsys: pytest.CaptureFixture[str]) -> None:
    tag = BuiltTag.read()
    sizes = {
        "the library": len(gzip.compress(tag.contents[PLAIN], 6)),
        "the whole library": len(gzip.compress(tag.contents[tag.library], 6)),
        "the parts": len(gzip.compress(tag.contents[tag.parts], 6)),
    }
    with capsys.disabled():
        print("".join(f"\n{name}: {size} bytes, packed" for name, size in sizes.items()))
    assert {name: size for name, size in sizes.items() if size > LARGEST.get(name, size)} == {}


def test_no_built_file_evaluates_text_or_loads_what_is_not_the_services() -> None:
    for name, contents in BuiltTag.read().contents.items():
        text = contents.decode()
        if name.endswith(".js"):
            assert not re.search(
                r"\beval\(|new Function|document\.write|innerHTML\s*=\s*[^=]*\+|https?://[a-z]", text
            ), name


def test_the_printed_lines_name_the_files_and_the_key_however_it_is_written() -> None:
    lines, tag = TagLines.of("https://shop.example/r/x7", "pk_a&b\"'<", "measure"), BuiltTag.read()
    assert 'src="https://shop.example/r/x7/resonate.js?key=pk_a%26b%22%27%3C"' in lines.script
    assert f'src="https://shop.example/r/x7/{tag.library}" integrity="{tag.integrity}"' in lines.bare
    assert 'data-key="pk_a&amp;b&quot;&#x27;&lt;" data-consent="measure"' in lines.bare
    assert "data-consent" not in TagLines.of("", "pk").script
    assert 'data-consent="ask"' in TagLines.of("", "pk").bare


def test_an_address_without_a_path_is_proposed_one_of_its_own() -> None:
    drawn = {proposed_prefix("https://shop.example/") for _ in range(20)}
    assert len(drawn) == 20
    assert all(re.fullmatch(r"https://shop\.example/[a-z][0-9a-f]{8}", each or "") for each in drawn)
    assert proposed_prefix("https://shop.example/r/x7") is None
