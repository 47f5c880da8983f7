"""What may be said of a result, and what never: over readouts of every action, verdict, method and code."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, happened, speaks
from oracles.said import digits_said
from worlds.said_readouts import said_readout

from experiments.answers.comparison import ComparisonReadout
from experiments.answers.readout import MetricReadout, Readout
from experiments.statistics.estimate import Caveat
from experiments.wording.sentences import MOST, sentences

FIXED = {
    "ship": r"(?<=[.?!] )Ship [^ ]+\.",
    "roll_back": r"(?<=[.?!] )Roll back (to )?[^ ]+\.",
    "keep_running": r"(?<=[.?!] )Keep running: (up to [\d,]+ more planned day|nobody has been exposed|its last day)",
    "inconclusive": r"(?<=[.?!] )No winner: ",
    "unhealthy": r"(?<=[.?!] )Do not use these numbers: ",
    "not_started": r"(?<=[.?!] )Not started: ",
}
DATES = re.compile(r"\b\d{1,2} [A-Z][a-z]+ \d{4}\b|\d\d:\d\d UTC")
HEDGES = ("may still be chance", "not ruled out yet", "no different yet", "cannot be", "may be chance")
seeds = st.integers(0, 10**9)


def every_text(readout: Readout) -> list[str]:
    said = sentences(readout)
    return [said.top, *(text for metric in said.metrics for text in metric.comparisons)]


def each(readout: Readout) -> list[tuple[MetricReadout, ComparisonReadout, str]]:
    said = sentences(readout)
    return [
        (metric, judged, text)
        for metric, told in zip(readout.metrics, said.metrics, strict=True)
        for judged, text in zip(metric.comparisons, told.comparisons, strict=True)
    ]


@given(seed=seeds)
@settings(max_examples=examples(100))
def test_no_sentence_is_long_or_says_what_is_no_word_and_no_number(seed: int) -> None:
    for text in every_text(said_readout(seed)):
        assert len(text) <= MOST
        assert "\n" not in text
        assert not re.search(r"\b(nan|NaN|None|inf|null)\b|_|\be[+-]\d", text), text
        for number in re.findall(r"\d[\d,]*(?:\.\d+)?", DATES.sub("", text)):
            assert digits_said(number.rstrip(",")) <= 4, text


@given(seed=seeds)
@settings(max_examples=examples(100))
def test_what_to_do_is_said_in_the_words_of_its_action_and_in_no_others(seed: int) -> None:
    readout = said_readout(seed)
    top = sentences(readout).top
    assert [action for action, words in FIXED.items() if re.search(words, top)] == [readout.decision.action], top
    assert ("Worth between" in top) <= (readout.worth is not None), top


@speaks(direction=0.3, unclear=0.2, decided=0.02, closed=0.1)
@given(seed=seeds)
@settings(max_examples=examples(100))
def test_the_words_agree_with_the_numbers(seed: int) -> None:
    for metric, judged, text in each(said_readout(seed)):
        before = text.partition("(plausible")[0]
        words = re.findall(r"\b(higher|lower)\b", before)
        effect = judged.lift if isinstance(judged.lift, float) else judged.difference
        happened("direction", bool(words))
        if words and isinstance(effect, float):
            assert words[0] == ("higher" if effect > 0.0 else "lower"), text
        happened("closed", not judged.gate.open)
        if not judged.gate.open:
            assert "cannot be judged" in text
            assert not re.search(r"higher|lower|%|better|worse", text.replace(metric.title, "")), text
        happened("unclear", judged.verdict == "unclear" and judged.gate.open)
        if judged.verdict == "unclear":
            assert any(hedge in text for hedge in HEDGES), text
            assert ": better" not in text
            assert ": worse" not in text
        plain = metric.margin is None and metric.guardrail is None
        said_at_all = bool(words) and plain and judged.verdict in ("wins", "loses")
        happened("decided", said_at_all)
        if said_at_all:
            won = judged.verdict == "wins"
            assert [f": {word}" in text for word in ("better", "worse")] == [won, not won], text
            assert (words[0] == "higher") == ((judged.verdict == "wins") == (metric.want == "up")), text


@given(seed=seeds)
@settings(max_examples=examples(100))
def test_numbers_that_cannot_be_trusted_are_not_said(seed: int) -> None:
    readout = said_readout(seed)
    top = sentences(replace(readout, decision=replace(readout.decision, action="unhealthy"), worth=None)).top
    assert not re.search(r"higher|lower|against|Worth|better|worse", top), top


@given(seed=seeds)
@settings(max_examples=examples(100))
def test_scores_are_said_in_points_and_never_in_percent(seed: int) -> None:
    for metric, judged, text in each(said_readout(seed)):
        if metric.type == "nps" and metric.guardrail is None and metric.margin is None:
            assert "%" not in text, text
            assert judged.ci


@pytest.mark.parametrize("action", FIXED)
def test_every_code_may_stand_in_a_decision(action: str) -> None:
    readout = said_readout(3)
    for code in (*Caveat, "shipped_in_between", "no_longer_supported", "redirect_lost", "a_code_of_tomorrow"):
        decision = replace(readout.decision, action=action, codes=(str(code),), because=("So it is.",), days_left=3)
        assert "_" not in sentences(replace(readout, decision=decision)).top
