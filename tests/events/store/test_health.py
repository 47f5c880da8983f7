"""What ails the store is read whatever was written before, and never takes more room."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from events.store.health import STATE_BYTES, StoreState, read_state, store_directory, write_state

TEXTS = st.none() | st.text() | st.sampled_from(["\x00", "é", "💥", "\\"]).map(lambda sign: 400 * sign)


@given(st.lists(st.builds(StoreState, running=st.booleans(), detail=TEXTS, recovery=TEXTS), min_size=1, max_size=3))
def test_the_stores_state_is_read_whatever_was_written_before(states: list[StoreState]) -> None:
    with TemporaryDirectory() as data:
        store_directory(Path(data)).mkdir()
        for state in states:
            write_state(Path(data), state)
        found = read_state(Path(data))
        assert (store_directory(Path(data)) / "state").stat().st_size == STATE_BYTES
    assert found is not None
    assert found == msgspec.structs.replace(states[-1], detail=found.detail, recovery=found.recovery)
    for told, written in ((found.detail, states[-1].detail), (found.recovery, states[-1].recovery)):
        assert (told is None) == (written is None)
        assert (written or "").startswith(told or "")
        assert bool(told) == bool(written)


def test_the_state_is_written_in_the_words_of_the_releases_before(tmp_path: Path) -> None:
    store_directory(tmp_path).mkdir()
    write_state(tmp_path, StoreState(running=True, recovery="a tail was cut"))
    written = msgspec.json.decode((store_directory(tmp_path) / "state").read_bytes())
    assert written == {
        "running": True, "cause": None, "detail": None, "restarts": 0, "salvage": "a tail was cut",
    }  # fmt: skip
