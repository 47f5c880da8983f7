"""Readouts as they may be judged, drawn with all that can stand in them: every action, verdict, method and code."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, get_args

from experiments.answers.comparison import AnytimeAnswer, ComparedArm, ComparisonReadout, Methods, Sample, Verdict
from experiments.answers.health import Check, CheckCode, Excluded, Health, MultiExposure
from experiments.answers.readout import Action, Decision, Ground, MetricReadout, PlanReadout, Readout, Worth
from experiments.definitions.model import Guardrail, MetricType, Plan, Quantity
from experiments.statistics.arms import Gate, proportion_arm
from experiments.statistics.arms import pair as paired
from experiments.statistics.comparison import Method, Question, compare
from experiments.statistics.estimate import Caveat, Interval, NoEstimate
from experiments.statistics.guardrail import margin_verdict
from experiments.statistics.sample_ratio import Balance
from experiments.wording.codes import CHECKS, CLAUSES

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
METHODS: Final[tuple[Method, ...]] = get_args(Method)
KINDS: Final[tuple[tuple[MetricType, Quantity, str], ...]] = (
    ("proportion", "rate", "orders"),
    ("count", "number", "orders"),
    ("mean", "money", "orders"),
    ("mean", "seconds", "conversions"),
    ("nps", "points", "answers"),
    ("csat", "rate", "answers"),
    ("ratio", "rate", "refunds"),
    ("quantile", "seconds", "conversions"),
    ("retention", "rate", "page views"),
)
TITLES: Final = ("purchase rate", "revenue per visitor", "time on site", "NPS", "refund rate", "x" * 200)
KEYS: Final = ("threshold", "b", "free-shipping.2", "v" * 100, "c")
ARMS: Final = paired(proportion_arm(100, 30), proportion_arm(100, 40))
SHOWN: Final = Sample(None, Question(), ARMS, None, ())  # pyright: ignore[reportArgumentType]
_SAID: Final = compare(ARMS, Question())
_DAY: Final = _SAID.anytime
BESIDE: Final = Methods(
    _SAID.fixed, _SAID.pooled, _SAID.delta,
    AnytimeAnswer(_DAY.p, _DAY.ci, _DAY.difference_ci, _DAY.statistic, _DAY.degrees_of_freedom, _DAY.p),
    NoEstimate(Caveat.BEFORE_FIRST_LOOK), _SAID.bayesian, None,
)  # fmt: skip
CLOSED: Final = (
    Caveat.FEW_EVENTS, Caveat.FEW_EVENTS, Caveat.FEW_NON_EVENTS, Caveat.NOT_ENOUGH_UNITS, Caveat.NO_DENOMINATOR,
    Caveat.TIES, Caveat.OUT_OF_RANGE,
)  # fmt: skip
"""Why a gate may be closed."""
SEVERITIES: Final = (0.0, 1e-12, 1e-3, 0.05, 0.4, 3.0, 1e4, 1e13)


@dataclass(slots=True)
class Drawing:
    """What one seed draws."""

    chance: random.Random

    def pick(self, *of: Any) -> Any:
        return self.chance.choice(of)

    def number(self) -> float:
        """Of any size and sign, mostly of those that shops have."""
        share, amount = self.chance.uniform(0, 1), self.chance.uniform(1, 500)
        size = self.pick(0.0, share, share, amount, 1e-9, 1e9)
        return size * self.pick(1.0, 1.0, 1.0, -1.0) * self.chance.uniform(0.5, 1.5)

    def comparison(self, metric: dict[str, Any], variant: str) -> ComparisonReadout:
        """One variant, whose verdict goes with its numbers."""
        chance, pick = self.chance, self.pick
        control = abs(self.number()) if metric["quantity"] == "rate" else self.number()
        control = min(control, 1.0) if metric["quantity"] == "rate" else control
        treatment = control * (1.0 + pick(*SEVERITIES) * pick(1.0, -1.0)) if pick(True, True, False) else self.number()
        difference = treatment - control
        points = metric["effect_scale"] == "points"
        lift: Any = NoEstimate(Caveat.SHOWN_IN_POINTS) if points else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
        if control and not points:
            lift = difference / abs(control)
        width = abs(difference) * chance.uniform(0.1, 3.0) + pick(0.0, 1e-9)
        apart = Interval.around(difference - width, difference + width)
        relative: Any = lift if isinstance(lift, NoEstimate) else NoEstimate(Caveat.CONTROL_MEAN_NEAR_ZERO)
        if isinstance(lift, float) and pick(True, True, True, False):
            relative = Interval.around(apart.low / abs(control), apart.high / abs(control))
        reasons = [code for code in CLAUSES if chance.random() < 0.06]
        open_ = pick(True, True, True, False)
        gate = Gate(True, None, 40.0, 10, 0)
        if not open_:
            reason = pick(*CLOSED)
            gate = Gate(False, reason, chance.uniform(0.0, 9.9), 10, pick(None, 1, chance.randint(2, 10**6)))
        values = [pick(*[value] * 9, NoEstimate(pick(*Caveat))) for value in (control, treatment)]
        adjusted = pick(True, False, False)
        units = [chance.randint(1, 10 ** chance.randint(1, 6)) for _ in range(2)]
        arms = tuple(
            ComparedArm(name, n, None, None, value, 1.0, value if adjusted and isinstance(value, float) else None)
            for name, n, value in zip(("control", variant), units, values, strict=True)
        )
        deciding = relative if isinstance(relative, Interval) else apart
        verdict = self.verdict(metric, deciding, open_=open_)
        p = pick(chance.random(), 1e-12, NoEstimate(pick(*Caveat)))
        return ComparisonReadout(
            variant=variant,
            against="control",
            as_of_day=date(2026, 1, 9),
            arms=(arms[0], arms[1]),
            lift=lift,
            ci=relative,
            difference=difference,
            difference_ci=apart,
            p=p,
            p_adjusted=p,
            ci_simultaneous=relative,
            method=pick(*METHODS),
            cuped=adjusted,
            gate=gate,
            variance_floor=1.0,
            verdict=verdict,
            decided_on=pick(None, date(2026, 1, 7)),
            decided=None,
            next_look=pick(None, date(2026, 1, 31)),
            worst_case=None,
            smallest_effect=pick(abs(self.number()), NoEstimate(Caveat.NO_VARIANCE)),
            reasons=tuple(reasons),
            methods=BESIDE,
            shown=SHOWN,
            rulings=(),
            daily=(),
            blocked=(),
        )

    def verdict(self, metric: dict[str, Any], interval: Interval, *, open_: bool) -> Verdict:
        """One that the interval allows."""
        if not open_:
            return "unclear"
        up = metric["want"] == "up"
        good = interval.low > 0.0 if up else interval.high < 0.0
        bad = interval.high < 0.0 if up else interval.low > 0.0
        if metric["guardrail"] is not None:
            return "violated" if bad else self.pick("safe", "unclear")
        if metric["margin"] is not None:
            return margin_verdict(interval, metric["margin"], metric["want"])
        return self.pick("wins", "unclear") if good else self.pick("loses", "unclear") if bad else "unclear"

    def metric(self, role: str, variants: tuple[str, ...], number: int) -> MetricReadout:
        kind, quantity, noun = self.pick(*KINDS)
        points = kind == "nps" or self.pick(*[False] * 8, True)
        guardrail = None
        if role == "guardrail":
            relative = not points and self.pick(True, False)
            guardrail = Guardrail(metric="m", max_harm=self.pick(0.1, 0.02, 3.0), relative=relative)
        known: dict[str, Any] = {
            "metric": f"metric_{number}",
            "title": self.pick(*TITLES),
            "quantity": quantity,
            "noun": noun,
            "role": role,
            "type": kind,
            "unit": self.pick("visitor", "user", "unit"),
            "effect_scale": "points" if points else "relative",
            "want": self.pick("up", "down"),
            "window_seconds": 86_400,
            "post_hoc": False,
            "arms": (),
            "guardrail": guardrail,
            "margin": self.pick(None, None, None, 0.02) if role == "goal" else None,
            "currency": "EUR" if quantity == "money" else None,
        }
        return MetricReadout(comparisons=tuple(self.comparison(known, each) for each in variants), **known)


def said_readout(seed: int) -> Readout:
    """The readout of a seed."""
    chance = random.Random(seed)
    drawing, pick = Drawing(chance), chance.choice
    variants = tuple(chance.sample(KEYS, chance.randint(0, 4)))
    roles = ["goal", *["goal"] * chance.randint(0, 1), *["secondary"] * chance.randint(0, 1)]
    roles += ["guardrail"] * chance.randint(0, 2)
    metrics = tuple(drawing.metric(role, variants, number) for number, role in enumerate(roles))
    actions: list[Action] = [each for each in ACTIONS if variants or each != "ship"]
    action = pick(actions)
    decided = pick(variants) if variants and action == "ship" else None
    if variants and action == "roll_back":
        decided = pick((None, *variants))
    codes = [str(code) for code in (*Ground, *CLAUSES, *CHECKS) if chance.random() < 0.05]
    because = tuple("It starts on 12 January 2026, 21:00 UTC: nobody is assigned before." for _ in codes)
    worth = None
    if action in ("ship", "roll_back", "inconclusive") and pick((True, False)):
        ends = sorted((drawing.number() * 1e3, drawing.number() * 1e3 + 1e-6))
        money = pick((True, False))
        worth = Worth(
            ends[0], Interval.around(*ends), "metric_0", "b", "As ever.",
            currency="EUR" if money else None, unit=None if money else "orders",
        )  # fmt: skip
    observed = tuple(chance.randint(0, 10**7) for _ in range(len(variants) + 1))
    shares = tuple(1.0 / len(observed) for _ in observed)
    checks = tuple(Check(code, "Look.") for code in get_args(CheckCode) if chance.random() < 0.05)
    srm = Balance(0.5, 0.5, action == "unhealthy", shares, observed)
    as_of = datetime(2026, 1, 10, tzinfo=UTC)
    return Readout(
        experiment="banner",
        phase=0,
        fingerprint="f",
        as_of=as_of,
        watermark=as_of,
        pending=0,
        name=pick(("Free-shipping banner", "Does it sell?", "n" * 250, "line\nbreak \u202e mark")),
        state="enrolling",
        closed=False,
        plan=PlanReadout.of(Plan(method=pick(METHODS)), 1_000, 9),
        health=Health(srm, MultiExposure(0.0), Excluded(), checks),
        decision=Decision(action, decided, pick((0, 1, 6, 1_000)), because, tuple(codes)),
        worth=worth,
        metrics=metrics,
    )


def compared(control: float, treatment: float, ends: tuple[float, float], **changes: Any) -> ComparisonReadout:
    """Threshold against control; `ends` are those of the interval of the lift."""
    apart = treatment - control
    arms = tuple(
        ComparedArm(name, 4_000, None, None, value, 1.0, None)
        for name, value in (("control", control), ("threshold", treatment))
    )
    own: dict[str, Any] = {
        "variant": "threshold", "against": "control", "as_of_day": date(2026, 1, 9), "arms": arms,
        "lift": apart / abs(control), "ci": Interval(*ends), "difference": apart,
        "difference_ci": Interval(ends[0] * abs(control), ends[1] * abs(control)),
        "p": 0.31, "p_adjusted": 0.31, "ci_simultaneous": Interval(*ends), "method": "anytime", "cuped": False,
        "gate": Gate(True, None, 300.0, 10, 0), "variance_floor": 1.0, "verdict": "unclear", "decided_on": None,
        "decided": None, "next_look": None, "worst_case": None, "smallest_effect": 0.067, "reasons": (),
        "methods": BESIDE, "shown": SHOWN, "rulings": (), "daily": (), "blocked": (),
    }  # fmt: skip
    return ComparisonReadout(**(own | changes))


def told(*comparisons: ComparisonReadout, **changes: Any) -> MetricReadout:
    """The purchase rate of these comparisons."""
    own: dict[str, Any] = {
        "metric": "purchase_rate", "title": "purchase rate", "quantity": "rate", "noun": "orders", "role": "goal",
        "type": "proportion", "unit": "visitor", "effect_scale": "relative", "want": "up", "window_seconds": 604_800,
        "post_hoc": False, "arms": (), "comparisons": comparisons,
    }  # fmt: skip
    return MetricReadout(**(own | changes))


def banner(decision: Decision, *metrics: MetricReadout, **changes: Any) -> Readout:
    """The free-shipping banner as it is judged."""
    return replace(
        said_readout(3), name="Free-shipping banner", decision=decision, metrics=metrics, **{"worth": None, **changes}
    )
