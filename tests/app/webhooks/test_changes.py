"""What is told of experiments: each change once, and nothing that is not one."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples

from app.webhooks.changes import Message, Seen, changed_since

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
RATIO = {"code": "sample_ratio_mismatch"}


def entry(key: str = "banner", state: str = "enrolling", action: str | None = "keep_running", **more: Any) -> dict:
    decision = {"outcome": None, "variant": None}
    told = {"key": key, "name": "Banner", "phase": 0, "state": state, "action": action, "variant": None}
    return {**told, "alarm": False, "checks": [], "sentence": "How it is.", "decision": decision, **more}


def told_of(*lists: list[dict]) -> list[Message]:
    """What is told when the lists are seen one after another."""
    seen: dict[str, Seen] | None = None
    told: list[Message] = []
    for listed in lists:
        seen, found = changed_since(seen, listed, NOW, lambda key: f"https://shop.example/{key}")
        told += found
    return told


def kinds(*lists: list[dict]) -> list[str]:
    return [each.kind for each in told_of(*lists)]


def test_who_looks_for_the_first_time_tells_nothing() -> None:
    assert not told_of([entry(), entry("other", "ended", "ship", variant="b")])


def test_a_decision_that_changes_is_told_once_with_the_sentence_of_its_result() -> None:
    ship = entry(action="ship", variant="threshold", sentence="Ship threshold.")
    [told] = told_of([entry()], [ship], [ship], [ship])
    assert (told.kind, told.sentence, told.experiment) == ("action_changed", "Ship threshold.", "banner")
    assert (told.at, told.address) == (NOW, "https://shop.example/banner")


def test_another_variant_to_ship_is_another_decision() -> None:
    assert kinds(*([entry(action="ship", variant=each)] for each in ("b", "b", "c"))) == ["action_changed"]


def test_health_changes_by_what_stands_against_the_numbers_and_not_by_what_informs() -> None:
    sick = entry(action="unhealthy", alarm=True, checks=[RATIO])
    assert kinds([entry()], [entry(checks=[{"code": "paused"}])]) == []
    assert kinds([entry()], [entry(checks=[{"code": "redirect_lost"}])]) == ["health_changed"]
    assert kinds([entry()], [sick], [sick], [entry()]) == ["action_changed", "health_changed"] * 2


def test_start_and_stop_are_told_by_state_before_anybody_has_read_results() -> None:
    draft, runs = entry(state="draft", action=None), entry(action=None)
    stopped = entry(state="ended", action=None, decision={"outcome": "shipped", "variant": "b"})
    told = told_of([draft], [runs], [runs], [stopped], [entry(state="closed", action=None)])
    assert [each.kind for each in told] == ["started", "stopped"]
    assert told[1].sentence == "Banner has stopped: everybody sees b."


def test_a_pause_is_neither_start_nor_stop() -> None:
    paused = entry(state="paused")
    assert kinds([entry()], [paused], [entry()], [paused]) == []
    assert kinds([entry(state="draft", action=None)], [entry(state="paused", action=None)]) == []


def test_an_experiment_that_comes_later_has_started_and_one_that_comes_with_its_end_was_never_here() -> None:
    assert kinds([], [entry()]) == ["started"]
    assert kinds([], [entry(state="closed", action="ship", variant="b")]) == []


def test_a_new_phase_has_started_and_is_decided_anew() -> None:
    first = entry(action="ship", variant="b")
    told = told_of([first], [entry(phase=1)], [entry(phase=1, action="ship", variant="b")])
    assert [each.kind for each in told] == ["started", "action_changed"]
    assert told[0].sentence == "Banner has started its phase 1: visitors are assigned and counted."


def test_a_definition_that_is_gone_has_stopped() -> None:
    [told] = told_of([entry()], [], [])
    assert (told.kind, told.experiment) == ("stopped", "banner")
    assert not told_of([entry(state="ended")], [])


def test_what_is_not_known_has_not_changed() -> None:
    unknown = entry(action=None)
    assert kinds([entry(action="ship", variant="b")], [unknown], [entry(action="ship", variant="b")]) == []
    assert kinds([unknown], [entry(action="ship", variant="b")]) == []  # of what it was nobody knew


def test_a_text_for_chats_calls_nobody_by_a_name() -> None:
    [told] = told_of([entry()], [entry(action="ship", sentence="<!channel> & co: ship b.")])
    assert told.body("text") == (
        b'{"text":"Decision changed: &lt;!channel&gt; &amp; co: ship b. https://shop.example/banner"}'
    )


looks = st.sampled_from(
    [entry(state=state, action=action, phase=phase) for state in ("draft", "enrolling", "paused", "ended")
     for action in (None, "keep_running", "unhealthy") for phase in (0, 1)]
)  # fmt: skip


@settings(max_examples=examples(100))
@given(st.lists(looks, min_size=1, max_size=12))
def test_looking_again_at_the_same_tells_nothing_more(seen: list[dict]) -> None:
    lists = [[each] for each in seen]
    assert kinds(*(listed for listed in lists for _ in range(3))) == kinds(*lists)
