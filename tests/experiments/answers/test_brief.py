"""A readout in brief: the same look, three numbers a metric, small, and nothing of what may not be said."""

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples, happened, speaks
from worlds.said_readouts import said_readout

from experiments.answers.brief import brief
from experiments.answers.encoding import plain
from experiments.wording.sentences import MOST

LARGEST = 3_000  # bytes, of ten metrics of a test with one variant
seeds = st.integers(0, 10**9)


@speaks(spoken=0.3, silent=0.1)
@given(seed=seeds)
@settings(max_examples=examples(100))
def test_each_effect_is_that_of_the_readout_and_none_where_it_is_too_early_or_untrusted(seed: int) -> None:
    readout = said_readout(seed)
    told = plain(brief(readout))
    pairs = [(metric, judged) for metric in readout.metrics for judged in metric.comparisons]
    if readout.decision.action == "unhealthy":
        assert told["metrics"] == []
        return
    for (metric, judged), row in zip(pairs, told["metrics"], strict=True):
        assert (row["metric"], row["variant"], row["verdict"]) == (metric.metric, judged.variant, judged.verdict)
        whole = plain(judged)
        points = metric.effect_scale == "points"
        effect, ci = (whole["difference"], whole["difference_ci"]) if points else (whole["lift"], whole["ci"])
        spoken = judged.gate.open and effect is not None
        happened("spoken", spoken)
        happened("silent", not spoken)
        assert row["effect"] == (effect if spoken else None)
        assert [row["low"], row["high"]] == (ci if spoken and ci else [None, None])


@given(seed=seeds)
@settings(max_examples=examples(100))
def test_ten_metrics_of_one_variant_are_small(seed: int) -> None:
    readout = said_readout(seed)
    one = [
        replace(metric, comparisons=tuple(replace(each, variant="threshold") for each in metric.comparisons[:1]))
        for metric in readout.metrics
    ]
    ten = replace(readout, sentence="s" * MOST, metrics=tuple((one * 10)[:10]))
    assert len(msgspec.json.encode(plain(brief(ten)))) <= LARGEST
