"""Whether a readout may be trusted, as an answer: how the variants filled, what was left out, who told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from experiments.statistics.sample_ratio import Balance

CheckCode = Literal[
    "paused",
    "shipped_in_between",
    "multi_exposure",
    "no_exposures",
    "interaction",
    "redirect_lost",
    "unequal_before_exposure",
    "effect_changed_over_time",
    "backend_orders_joined_by_page",
    "contested_orders",
    "visitor_ids_guessable",
    "conversions_look_forged",
    "consent_differs",
    "engaged_time_estimated",
    "no_engaged_time",
    "events_lost",
    "events_rejected",
    "users_alone",
    "orders_without_value",
    "never_exposed",
    "exposures_forged",
    "units_repeat",
    "rows_are_counts",
    "rows_are_units",
    "rows_above_header",
    "numbers_read",
    "encoding",
]
"""What a reader must know before trusting the numbers.
`shipped_in_between`: Everybody saw one variant for a while, and then it ran on, so that visitors carry over what they
saw: nothing is shipped; begin a new phase.
`no_exposures`: Nobody has been exposed yet: the page must say when it shows the variant.
`interaction`: Another experiment that runs beside this one changes its effect: read both together.
`redirect_lost`: Visitors are lost on the way to the other page, so that those who arrive are not alike: nothing is
shipped.
`unequal_before_exposure`: The variants differed before anybody was exposed: that variant is not shipped.
`effect_changed_over_time`: The effect among those exposed later is another than among those exposed earlier; where the
later half speaks against it, that variant is not shipped.
`backend_orders_joined_by_page`: Orders of the backend are joined to a visitor by pages alone, so that `from: backend`
counts none of them.
`contested_orders`: Several visitors' pages claim the same orders, which then count for nobody.
`visitor_ids_guessable`: Many visitor ids look like counters, e-mails or user ids: who guesses one acts as that browser.
`conversions_look_forged`: Conversions of one variant look invented, by where they come from or how soon they follow.
`consent_differs`: The variants differ in how many visitors allow personal data, so that what rests on it does not
compare like with like.
`engaged_time_estimated`: Time on site is estimated from page views, since no page sent it.
`no_engaged_time`: No page sent time on site: the metric says nothing.
`events_lost`: A damaged part of the log was set aside: its events are in no number.
`events_rejected`: Events that the metrics read were refused; `GET /v1/events/rejected` shows why.
`users_alone`: Events that name a user alone are not stored under the consent that holds.
`orders_without_value`: Orders came without a value: they count as orders and as no money.
`never_exposed`: The experiment is evaluated and never exposed: the page must say when it shows the variant.
`exposures_forged`: Exposures name a variant that was not drawn for this visitor; they count nowhere.
`units_repeat`: Units stand in several rows of the table, which were added up.
`rows_are_counts`: The rows of the table count units, so that no unit is known by itself.
`rows_are_units`: Each row of the table counts as one unit.
`rows_above_header`: Rows above the header of the table were left out.
`numbers_read`: Numbers of the table were read from another spelling, such as a decimal comma.
`encoding`: The file is in an unusual encoding; it was read as the one that is named.
`paused`: Here: The experiment was paused for a while.
`multi_exposure`: Here: Too many units saw several variants: look for what mixes visitors up.
"""


@dataclass(frozen=True, slots=True)
class MultiExposure:
    """Units that saw several variants.

    As everywhere: `rate`.
    """

    rate: float
    rule: str = "first_exposure"
    """By which exposure a unit that saw several variants is counted: the first."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """What was left out of all numbers; the last three are of an imported table."""

    bots: int = 0
    """Exposures of automated visitors, which count nowhere."""
    forged: int = 0
    """Exposures of variants that the service would not have given to this visitor, which count nowhere."""
    forced: int = 0
    """Exposures of previews and forced variants, which count nowhere."""
    currency: Mapping[str, int] = field(default_factory=dict[str, int])
    """Here: By metric, events whose money cannot be said in the shop's currency."""
    quarantined: int = 0
    """Exposures and events set apart because they cannot be true, such as those of a clock far off; they count
    nowhere."""
    contested: int = 0
    """Orders that the pages of several visitors claim; they count for nobody."""
    powerless_refunds: int = 0
    """Refunds told by someone who is believed less than whoever told of the order; they take nothing off."""
    both_groups: int | None = None
    """Of an imported table: units that stand in several groups."""
    duplicates: int | None = None
    """Of an imported table: units that stand in several rows."""
    missing: int | None = None
    """Of an imported table: rows that lack a cell that is needed."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a reader must know before trusting the numbers: of one metric, of one variant where it says so.

    As everywhere: `metric`, `variant`.
    """

    code: CheckCode
    """The name of what was found, the same in every answer, so that programs may rely on it."""
    detail: str
    """What was found, in a sentence, with what to do about it."""
    metric: str | None = None
    variant: str | None = None
    withholds_ship: bool = False
    """Whether nothing is shipped while this stands."""


@dataclass(frozen=True, slots=True)
class VariantTrust:
    """Who told of a variant's conversions, of the first goal."""

    conversions: Mapping[str, int]
    """Conversions of the first goal by who told of them: `backend`, `proven` or `page`."""
    networks: int = 0
    """From how many networks pages told of conversions, those of each shop day counted anew; few networks with many
    conversions look forged."""
    units_issued: float | None = None
    """The share of visitors whose ids this service issued, which nobody can guess; null where nothing is known."""


@dataclass(frozen=True, slots=True)
class Trust:
    by_variant: Mapping[str, VariantTrust]
    """How its conversions look, for each variant."""


@dataclass(frozen=True, slots=True)
class Identities:
    """What is known of visitors and users that go together."""

    second_users: int
    """Visitors whom pages call by a second user; that user is followed by nothing."""


@dataclass(frozen=True, slots=True)
class Consents:
    """Units by variant and by the mode of consent under which they are stored."""

    none: int
    """Answers to visitors who refuse everything: nothing is kept of who they are or what they saw."""
    by_variant: Mapping[str, Mapping[str, int]]
    """Here: Units of each variant by what they allow."""


@dataclass(frozen=True, slots=True)
class Health:
    srm: Balance
    """Whether the variants filled as their weights say (sample ratio); if not, no number can be trusted."""
    multi_exposure: MultiExposure
    """Units that saw several variants: `rate` is their share, and above 0.01 something mixes visitors up."""
    excluded: Excluded
    """What was left out of all numbers, by cause."""
    checks: tuple[Check, ...] = ()
    """What a reader must know before trusting the numbers, each with what to do."""
    authority: Trust | None = None
    """Who told of the conversions, and how much of it anybody could have invented."""
    identity: Identities | None = None
    """What is known of visitors and users that go together."""
    consent: Consents | None = None
    """Units by what they allow to be stored of them, null where consent plays no part."""
    hashed_elsewhere: int | None = None
    """Exposures whose variant was drawn by another id than the one that is counted."""
