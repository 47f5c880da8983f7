"""What follows from each code of a readout, as a clause of a sentence: of reasons why, of checks what is the matter."""

from collections.abc import Mapping
from typing import Final

CLAUSES: Final[Mapping[str, str]] = {
    "not_enough_units": "too few units",
    "no_variance": "all of them have the same value",
    "no_denominator": "nothing has happened yet that it could be divided by",
    "judged_by_margin": "it must only be no worse than its margin",
    "shown_in_points": "it is said in points",
    "control_mean_near_zero": "control may be zero, so nothing is relative to it",
    "few_conversions": "so few conversions that the exact test was used",
    "few_non_conversions": "almost everybody converts, so the exact test was used",
    "few_events": "too few events",
    "few_non_events": "almost everybody converts",
    "covariate_constant": "nothing from before was there to adjust by",
    "covariate_unrelated": "what was before explains nothing",
    "ties": "too many have exactly this value",
    "out_of_range": "the numbers are too large or too small",
    "before_first_look": "nothing has closed yet that may be looked at",
    "waiting_for_windows": "windows of the look are still open",
    "not_a_test": "this method tests nothing",
    "response_rates_differ": "not the same share of both variants answers the survey",
    "response_could_explain": "a few more answers could make this difference",
    "stopped_early_estimate_inflated": "it was decided early, so the estimate is likely too high",
    "no_longer_supported": "what it said once it no longer says",
    "estimated_from_page_views": "the time is estimated from page views",
}
"""Of reasons, by code."""

INFORMS: Final = "informs"
WITHHOLDS: Final = "withholds ship"
UNHEALTHY: Final = "unhealthy"
CHECKS: Final[Mapping[str, tuple[str, str]]] = {
    "sample_ratio_mismatch": (UNHEALTHY, "the variants did not fill as their weights say"),
    "shipped_in_between": (WITHHOLDS, "everybody saw one variant in between"),
    "redirect_lost": (WITHHOLDS, "visitors are lost on the way to the other page"),
    "unequal_before_exposure": (WITHHOLDS, "the variants were not alike to begin with"),
    "effect_changed_over_time": (WITHHOLDS, "the effect changed over time"),
    "paused": (INFORMS, "it was paused"),
    "multi_exposure": (INFORMS, "some saw several variants"),
    "no_exposures": (INFORMS, "nobody has been exposed yet"),
    "interaction": (INFORMS, "another experiment changes the effect"),
    "backend_orders_joined_by_page": (INFORMS, "orders are joined to visitors by pages alone"),
    "contested_orders": (INFORMS, "several visitors' pages claim the same orders"),
    "visitor_ids_guessable": (INFORMS, "visitor ids can be guessed"),
    "conversions_look_forged": (INFORMS, "conversions look invented"),
    "consent_differs": (INFORMS, "the variants differ in who allows what"),
    "engaged_time_estimated": (INFORMS, "time on site is estimated"),
    "no_engaged_time": (INFORMS, "no time on site was sent"),
    "events_rejected": (INFORMS, "events were refused"),
    "users_alone": (INFORMS, "events that name a user alone are not stored"),
    "orders_without_value": (INFORMS, "orders came without a value"),
    "never_exposed": (INFORMS, "the page does not say when it shows the variant"),
    "exposures_forged": (INFORMS, "exposures name a variant that was not drawn"),
    "units_repeat": (INFORMS, "units stand in several rows"),
    "rows_are_counts": (INFORMS, "the rows count units"),
    "rows_are_units": (INFORMS, "each row counts as one unit"),
    "rows_above_header": (INFORMS, "there are rows above the header"),
    "numbers_read": (INFORMS, "numbers were read from another spelling"),
    "encoding": (INFORMS, "the file has an unusual encoding"),
    "events_lost": (INFORMS, "a damaged part of the log is in no number"),
}
"""Of checks, by code: what follows from one, and what is the matter."""


def known_check(code: str) -> tuple[str, str]:
    """What follows from a check, and what is the matter; a code of anything else informs, and says nothing."""
    return CHECKS.get(code, (INFORMS, ""))
