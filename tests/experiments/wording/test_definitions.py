"""What a metric is, as people say it."""

import pytest

from experiments.definitions.folder import builtin_metrics
from experiments.wording.definitions import definition_text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("orders_per_visitor", "How many times a visitor has an Order Completed within 7 days of"),
        ("pages_per_visitor", "How many times a visitor has a page view within 7 days of"),
    ],
)
def test_an_event_has_the_article_that_its_name_takes(name: str, said: str) -> None:
    (metric,) = [each for each in builtin_metrics() if each.name == name]
    assert definition_text(metric).startswith(said)


def test_no_metric_of_ours_is_said_with_a_wrong_article() -> None:
    texts = [f" {definition_text(metric)}" for metric in builtin_metrics()]
    assert texts
    assert [text for text in texts for vowel in "AEIOaeio" if f" a {vowel}" in text] == []
