"""The list of planted faults fits the code; two of them are planted, the others by hand and before releases."""

import pytest
from mutations import MUTATIONS, REPOSITORY, misplaced, turns_red
from planted.scripts import SCRIPTS
from servers import javascript
from servers.chromium import NO_CHROMIUM, has_chromium


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_fault_still_has_its_place_and_its_test(name: str) -> None:
    mutation = MUTATIONS[name]
    assert misplaced(mutation) == []
    for test in mutation.tests:
        file, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}" in (REPOSITORY / file).read_text()


def test_every_planted_fault_is_documented_with_its_outcome() -> None:
    text = (REPOSITORY / "docs" / "reliability.md").read_text()
    assert [name for name in MUTATIONS if f"`{name}`" not in text] == []


@pytest.mark.slow
def test_a_planted_fault_turns_its_test_red() -> None:
    assert turns_red(MUTATIONS["believed_exposures"]) is not None


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.drawn(1)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_fault_planted_in_the_tag_turns_its_test_red(name: str) -> None:
    javascript.node()
    if not has_chromium():
        pytest.skip(NO_CHROMIUM)
    assert turns_red(MUTATIONS[name]) is not None
