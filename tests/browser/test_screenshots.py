"""The pictures of the documents can be made anew, each of the width and size that documents take."""

from pathlib import Path

import pytest
from screenshots import PICTURES, WIDTH, draw, library

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_every_picture_is_made_small_and_of_one_width(tmp_path: Path) -> None:
    held = library()
    if held is None:
        pytest.skip("no libfaketime: `make test-tools` installs it by apt as root")
    made = draw(tmp_path / "images", held)
    assert [file.stem for file in made] == [*PICTURES]
    for file in made:
        content = file.read_bytes()
        assert int.from_bytes(content[16:20]) == WIDTH
        assert len(content) <= 150_000
