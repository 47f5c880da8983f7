"""What definition files mean once they are read: frozen models, with units in the names of quantities."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from kit.time import DAY_SECONDS

Status = Literal["draft", "running", "paused", "stopped", "archived"]
"""What a file wants of its experiment.
`running`: Visitors are assigned while it is between start and end.
`stopped`: It is over for good: everybody gets control, or the variant that was shipped.
`archived`: It is over and no longer answered.
As everywhere: `draft`, `paused`.
"""
UnitKind = Literal["visitor", "user"]
Method = Literal["anytime", "planned", "fixed", "bayesian"]
Correction = Literal["holm", "bh"]
IdentityRule = Literal["first_touch", "strict"]
"""Whose visits count as one unit.
`first_touch`: A visitor counts from the first exposure on, whoever logs in later.
`strict`: Visitors who turn out to be several people, or several of one, are left out.
"""
Outcome = Literal["shipped", "rolled_back", "inconclusive"]
"""What came of an experiment.
`shipped`: A variant was given to everyone.
`rolled_back`: Everybody went back to control.
`inconclusive`: Here: Nothing won or lost.
"""
Strategy = Literal["for_you", "buy_again", "bought_together", "popular"]
"""How products are chosen.
`for_you`: What fits what the visitor bought and looked at.
`buy_again`: What the visitor bought and is due again.
`bought_together`: What others bought with the products of the page or cart.
`popular`: What many buy.
"""
LearnFrom = Literal["auto", "backend", "any"]
Delivery = Literal["everywhere", "server"]
"""Where a definition is sent.
`everywhere`: To pages too.
`server`: To backends alone: no page sees it.
"""
NotInReason = Literal["audience", "traffic", "layer", "holdout", "unit"]
"""Why a visitor does not take part.
`audience`: Here: The visitor is not among those who may take part.
`traffic`: Here: The visitor is not in the share of the audience that takes part.
`layer`: Here: The visitor lies in the slice of another experiment.
`holdout`: Here: The visitor is held back.
`unit`: Here: The request lacks the id of what is counted.
"""


class Definition(BaseModel):
    """The border between YAML (or the stored snapshot) and the inside: frozen, and nothing unknown passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Layer(Definition):
    """Experiments of one layer are mutually exclusive; `start` and `end` are shares of 1, half-open."""

    name: str
    """Here: The name of the layer: its experiments exclude one another."""
    start: float
    """Here: Where the slice begins, as a share of all visitors from 0 to 1."""
    end: float
    """Here: Where the slice ends, as a share of all visitors from 0 to 1; it does not belong to it."""


class TrafficStep(Definition):
    """From `since` on (None: from the start), this share (of 1) of the audience takes part."""

    since: datetime | None
    """Here: From when on, null from the start."""
    share: float
    """Which part of the whole it is, from 0 to 1."""


class Audience(Definition):
    """Who may take part: members of all named segments, for whom `where` (GrowthBook conditions) holds as well."""

    segments: tuple[str, ...] = ()
    """Named audiences: a visitor must be in all of them."""
    where: dict[str, Any] = {}
    """Conditions that must hold, in GrowthBook's language."""


class Recommend(Definition):
    """The products a variant shows: a slot of `recommendations.yaml` or a strategy, or a slot with parts overridden."""

    slot: str | None = None
    """The place on a page that shows products."""
    strategy: Strategy | None = None
    """How products are chosen."""
    limit: int | None = None
    """How many products at most."""


class Variant(Definition):
    """One message; `weight` is its share of 1 (all weights of an experiment add up to 1; 0 serves nobody).

    As everywhere: `key`, `weight`.
    """

    key: str
    weight: float
    payload: Any
    """Here: What the website gets of the variant."""
    recommend: Recommend | None = None
    """The products that the variant shows, null where it shows none."""


class Preview(Definition):
    """Visitors who always see one variant and are never counted.

    As everywhere: `variant`.
    """

    variant: str
    visitors: tuple[str, ...]
    """Here: The ids of the visitors who see it."""


class Guardrail(Definition):
    """The largest harm borne: relative (0.1 is 10 %), or absolute in the metric's unit.

    As everywhere: `metric`.
    """

    metric: str
    max_harm: float
    """The largest harm that is borne: a share of control, or in the metric's unit."""
    relative: bool
    """Here: Whether the largest harm is a share of control; else it is in the metric's unit."""
    require_safe: bool = False
    """Whether nothing is shipped before harm beyond the limit is ruled out."""


class GoalMargin(Definition):
    """A goal that must only be no worse than by a margin: relative (0.02 is 2 %), or of a metric in points its unit.

    As everywhere: `metric`, `margin`.
    """

    metric: str
    margin: float
    relative: bool
    """Here: Whether the margin is a share of control; else it is in the metric's unit."""


class DefinedPrior(Definition):
    """A proper prior of the relative lift, normal with this mean and standard deviation."""

    mean: float
    """The lift that is expected before any data, as a share of control."""
    sd: float
    """The standard deviation."""


class Plan(Definition):
    """How the result will be judged. `alpha` and `power` are probabilities, `mde` effects by metric on its scale.

    As everywhere: `method`, `alpha`, `days`, `min_days`, `looks`, `correction`.
    """

    method: Method = "anytime"
    alpha: float = 0.05
    power: float = 0.8
    """The chance that an effect of the wanted size is found (0.8 is 80 %)."""
    days: int = 28
    min_days: int = 7
    looks: int = 4
    mde: dict[str, float] = {}
    """The smallest effect that the plan wants to find: a share of control, or in points."""
    cuped_seconds: int = 14 * DAY_SECONDS
    """How far before the exposure CUPED looks back, in seconds; 0 switches it off."""
    correction: Correction = "holm"
    dimensions: tuple[str, ...] = ()
    """Here: What visitors are split by, such as `device`."""
    prior: DefinedPrior | None = None
    """What effects are taken to be like before any data, null where nothing is."""
    identity: IdentityRule = "first_touch"
    """Here: When a visitor who logs in is counted, and when left out."""


class GivenVisitor(Definition):
    """The visitor of an in-file test; `segments` are taken as held, whatever the attributes say.

    As everywhere: `visitor`.
    """

    visitor: str | None = None
    user: str | None = None
    """Here: The id of the user who is logged in."""
    segments: tuple[str, ...] = ()
    """Here: Named audiences that the visitor is taken to be in."""
    attributes: dict[str, Any] = {}
    """What is known of the visitor."""


class Expectation(Definition):
    """What an in-file test expects of the answer; None is not asked."""

    in_experiment: bool | None = None
    """Here: Whether the visitor must take part."""
    because: NotInReason | None = None
    """Here: Why the visitor does not take part, as a code."""
    variant: str | None = None
    """Here: The key of the variant that the visitor must get."""


class VisitorTest(Definition):
    """An in-file test of one visitor; `line` is where it stands in the file."""

    line: int
    """The line of the file."""
    given: GivenVisitor
    """The visitor of a test in the file."""
    expect: Expectation
    """What a test in the file expects of the answer."""


class SplitTest(Definition):
    """An in-file test of the shares of `visitors` made-up visitors, each within `tolerance` (of 1) of its weight.

    As everywhere: `line`.
    """

    line: int
    visitors: int
    """Here: How many visitors are made up."""
    tolerance: float = 0.01
    """By how much a variant's share may miss its weight."""


class DecisionNote(Definition):
    """What was decided when the experiment was stopped.

    As everywhere: `outcome`.
    """

    outcome: Outcome | None = None
    variant: str | None = None
    """Here: The key of the variant that was shipped, null where none was."""
    note: str | None = None
    """What people remarked when they decided."""


class Experiment(Definition):
    """One experiment file, resolved: defaults filled in, words turned into numbers, dates with a zone.

    As everywhere: `key`, `name`, `owner`, `start`, `end`, `phase`, `unit`, `goals`, `plan`.
    """

    key: str
    name: str
    owner: str | None = None
    hypothesis: str | None = None
    """What the experiment is to show."""
    status: Status = "draft"
    """Here: What the file wants of it."""
    start: datetime | None = None
    end: datetime | None = None
    phase: int = 0
    unit: UnitKind = "visitor"
    layer: Layer | None = None
    """The slice of visitors that excludes experiments in other slices, null where it excludes none."""
    holdouts: tuple[str, ...] = ()
    """Here: The holdouts whose visitors see nothing of it, by name."""
    traffic: tuple[TrafficStep, ...] = (TrafficStep(since=None, share=1.0),)
    """The share of the audience that takes part, from when on."""
    audience: Audience = Audience()
    """Who may take part."""
    variants: tuple[Variant, ...]
    """Here: The messages with their shares, control first."""
    preview: Preview | None = None
    """Here: Visitors who always see one variant and are never counted."""
    delivery: Delivery = "everywhere"
    """Where the definition is sent."""
    goals: tuple[str, ...]
    margins: tuple[GoalMargin, ...] = ()
    """Goals that must only be no worse, and by how much."""
    secondary: tuple[str, ...] = ()
    """Here: The metrics that are watched and decide nothing."""
    guardrails: tuple[Guardrail, ...] = ()
    """Here: The metrics that must not be harmed, each with its limit."""
    plan: Plan = Plan()
    tests: tuple[VisitorTest | SplitTest, ...] = ()
    """Tests in the file, which `check` runs."""
    decision: DecisionNote = DecisionNote()
    """Here: What people decided when it was stopped."""

    @property
    def control(self) -> Variant:
        """The first variant."""
        return self.variants[0]

    def margin(self, goal: str) -> GoalMargin | None:
        """By how much a goal may be worse; None where it has to win."""
        return next((each for each in self.margins if each.metric == goal), None)

    @property
    def seed(self) -> str:
        """What the unit is hashed with: the key in phase 0, `key:n` in phase n."""
        return self.key if self.phase == 0 else f"{self.key}:{self.phase}"

    @property
    def servable(self) -> bool:
        """Whether it is answered at all; drafts and archived experiments are not found."""
        return self.status not in ("draft", "archived")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics it reads, goals first, each once."""
        guardrails = (guardrail.metric for guardrail in self.guardrails)
        return tuple(dict.fromkeys((*self.goals, *self.secondary, *guardrails)))

    def started(self, now: datetime) -> bool:
        """Whether its start lies behind."""
        return self.start is None or now >= self.start

    def ended(self, now: datetime) -> bool:
        """Whether its end lies behind."""
        return self.end is not None and now >= self.end

    def active(self, now: datetime) -> bool:
        """Whether it assigns visitors at this moment."""
        return self.status == "running" and self.started(now) and not self.ended(now)

    def traffic_share(self, now: datetime) -> float:
        """The share (of 1) of the audience that takes part at this moment."""
        reached = [step.share for step in self.traffic if step.since is None or step.since <= now]
        return reached[-1] if reached else 0.0


MetricType = Literal["proportion", "count", "mean", "ratio", "quantile", "funnel", "retention", "csat", "nps", "ces"]
"""How a metric is computed.
`proportion`: The share of units that did something.
`count`: How often a unit did something.
`ratio`: One sum divided by another.
`quantile`: The value below which a share of all values lies.
`funnel`: The share of units that went through all steps.
`retention`: The share of units that came back.
`mean`: Here: The mean value of a unit.
As everywhere: `csat`, `nps`, `ces`.
"""
Want = Literal["up", "down"]
EffectScale = Literal["relative", "points"]
Quantity = Literal["rate", "money", "points", "seconds", "number"]
"""What the values of a metric are, which says how they are read.
`rate`: A share, from 0 to 1.
`money`: Money in the shop's currency.
`seconds`: A time, in seconds.
`number`: A plain number.
`points`: Here: Points of a survey's score.
"""
