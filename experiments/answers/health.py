"""Whether a readout may be trusted, as an answer: how the variants filled, what was left out, who told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.statistics.sample_ratio import Balance


@dataclass(frozen=True, slots=True)
class MultiExposure:
    rate: float
    rule: str = "first_exposure"


@dataclass(frozen=True, slots=True)
class Excluded:
    """What was left out; `currency` by metric: events whose money cannot be said in the shop's currency.

    `contested`: orders that several pages claim, `powerless_refunds`: those of whoever is believed less than the order.
    The last three are of an imported table: units in several groups or rows, rows that lack cells.
    """

    bots: int = 0
    forged: int = 0
    forced: int = 0
    currency: Mapping[str, int] = field(default_factory=dict[str, int])
    quarantined: int = 0
    contested: int = 0
    powerless_refunds: int = 0
    both_groups: int | None = None
    duplicates: int | None = None
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something that a reader must know before trusting the numbers: of one metric, of one variant where it says so.

    While it stands and `withholds_ship`, that variant (every one, if none is named) is not shipped.
    """

    code: str
    detail: str
    metric: str | None = None
    variant: str | None = None
    withholds_ship: bool = False


@dataclass(frozen=True, slots=True)
class VariantTrust:
    """Who told of a variant's conversions, of the first goal: how many by `backend`, `proven` and `page`, and from how
    many `networks` the pages did, those of each shop day counted anew; the share of its visitors whose ids were issued
    here."""

    conversions: Mapping[str, int]
    networks: int = 0
    units_issued: float | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    by_variant: Mapping[str, VariantTrust]


@dataclass(frozen=True, slots=True)
class Identities:
    """`second_users`: visitors whom pages call by a further user, which is followed by nothing."""

    second_users: int


@dataclass(frozen=True, slots=True)
class Consents:
    """Units by variant and by the mode of consent under which they are stored. `none`: answers to those who refuse, of
    whom it is known neither who they are nor what they saw."""

    none: int
    by_variant: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Health:
    srm: Balance
    multi_exposure: MultiExposure
    excluded: Excluded
    checks: tuple[Check, ...] = ()
    authority: Trust | None = None
    identity: Identities | None = None
    consent: Consents | None = None
    hashed_elsewhere: int | None = None  # exposures that another id drew; None without any
