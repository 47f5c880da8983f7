"""What is answered of the live model: what serves, how it was judged, what it brought."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from recommender.ranking.request import Strategy


class StrategyCounts(TypedDict):
    """How a strategy was asked for, since the start."""

    requests: int
    """How many lists were asked for."""
    fallbacks: int
    """How many of them another strategy served."""
    items: int
    """How many products were shown."""
    fallback_rate: float | None
    """The share of lists that another strategy served, null without any."""


class StrategyWorth(TypedDict):
    """What lists of one strategy, fallback and model brought.

    As everywhere: `strategy`.
    """

    strategy: Strategy
    fallback: Strategy | None
    """The strategy that served in place of the one asked for."""
    model_version: str | None
    """The version of the model that served."""
    views: int
    """How many lists were seen."""
    clicks: int
    """How many clicks followed."""
    click_rate: float | None
    """Clicks for each list that was seen."""
    purchases: int
    """How many purchases of what was clicked followed within a week."""
    attributed_revenue: float
    """Their revenue, in the shop's currency."""
    attributed_revenue_per_view: float | None
    """Their revenue for each list that was seen, in the shop's currency."""


class Attribution(TypedDict):
    """Views, clicks and purchases by strategy."""

    strategies: Sequence[StrategyWorth]
    """The strategies, one each."""


class RecommenderReport(TypedDict):
    """The live model.

    As everywhere: `model_version`.
    """

    model_version: str | None
    products_version: str | None
    """The version of the catalogue of products that serves."""
    products: int
    """How many products the catalogue has."""
    model: Mapping[str, Any]
    """The manifest of the live model: when it was trained, on how much, how it was judged."""
    damaged: Mapping[str, str]
    """What was refused because its files are damaged, with the cause."""
    last_training: Mapping[str, Any] | None
    """How the last training ended, null before the first."""
    strategies: Mapping[str, StrategyCounts]
    """Here: How each strategy was asked for, by its name."""
    attribution: Attribution | None
    """What lists brought, null where the log could not be read."""
    attribution_error: NotRequired[str]
    """Why nothing is told of what lists brought, as a code."""
