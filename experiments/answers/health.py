"""Whether a readout may be trusted, as an answer: how the variants filled, what was left out, who told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.statistics.sample_ratio import Balance


@dataclass(frozen=True, slots=True)
class MultiExposure:
    rate: float
    """The share of units that saw several variants; above 0.01 something mixes visitors up."""
    rule: str = "first_exposure"
    """By which exposure a unit that saw several variants is counted: the first."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """What was left out; `currency` by metric: events whose money cannot be said in the shop's currency.

    `contested`: orders that several pages claim, `powerless_refunds`: those of whoever is believed less than the order.
    The last three are of an imported table: units in several groups or rows, rows that lack cells.
    """

    bots: int = 0
    """Exposures of automated visitors, which count nowhere."""
    forged: int = 0
    """Exposures of variants that the service would not have given to this visitor, which count nowhere."""
    forced: int = 0
    """Exposures of previews and forced variants, which count nowhere."""
    currency: Mapping[str, int] = field(default_factory=dict[str, int])
    """By metric: events whose money cannot be said in the shop's currency, because no rate is defined."""
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

    While it stands and `withholds_ship`, that variant (every one, if none is named) is not shipped.
    """

    code: str
    """The name of what was found, the same in every answer, so that programs may rely on it."""
    detail: str
    """What was found, in a sentence, with what to do about it."""
    metric: str | None = None
    variant: str | None = None
    withholds_ship: bool = False
    """Whether nothing is shipped while this stands."""


@dataclass(frozen=True, slots=True)
class VariantTrust:
    """Who told of a variant's conversions, of the first goal: how many by `backend`, `proven` and `page`, and from how
    many `networks` the pages did, those of each shop day counted anew; the share of its visitors whose ids were issued
    here."""

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
    """The same for each variant."""


@dataclass(frozen=True, slots=True)
class Identities:
    """`second_users`: visitors whom pages call by a further user, which is followed by nothing."""

    second_users: int
    """Visitors whom pages call by a second user; that user is followed by nothing."""


@dataclass(frozen=True, slots=True)
class Consents:
    """Units by variant and by the mode of consent under which they are stored. `none`: answers to those who refuse, of
    whom it is known neither who they are nor what they saw."""

    none: int
    """Answers to visitors who refuse everything: nothing is kept of who they are or what they saw."""
    by_variant: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Health:
    srm: Balance
    """Whether the variants filled as their weights say (sample ratio); if not, no number can be trusted."""
    multi_exposure: MultiExposure
    """Units that saw several variants."""
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
