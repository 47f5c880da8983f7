"""Whether a readout can be trusted at all: allocation, several variants at once, what was left out, interactions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np

from events.parts.ledger import Loss
from experiments.answers.health import Check, Consents, Excluded, Health, Identities, MultiExposure, Trust, VariantTrust
from experiments.arrivals.exposing import elsewhere_hashed
from experiments.catalog.catalog import Catalog
from experiments.cube.believed import (
    ARRIVES_SECONDS,
    Believed,
    Consenting,
    UnitIds,
    believed,
    consenting,
    followed_by_page,
    unit_ids,
)
from experiments.cube.cube import levels_table
from experiments.cube.forgery import SOON_SECONDS, signs
from experiments.cube.measures import MetricRule
from experiments.cube.observations import MetricObservation
from experiments.cube.shop_days import calendar_date
from experiments.cube.statements import statement
from experiments.cube.sums import columns_of
from experiments.definitions.model import Experiment
from experiments.definitions.page_changes import leads_to
from experiments.readout.inquiries import Opened
from experiments.readout.samples import Judge, pairs_on, pooled
from experiments.readout.study import Study
from experiments.statistics.arms import Pair, mean_arm, ratio_arm
from experiments.statistics.arms import pair as paired
from experiments.statistics.effect import Effect, effect, lift
from experiments.statistics.estimate import NoEstimate, Scale
from experiments.statistics.fixed import welch_p
from experiments.statistics.interaction import Interaction, changed_lift, interaction
from experiments.statistics.moments import JointMoments
from experiments.statistics.multiplicity import holm
from experiments.statistics.sample_ratio import Balance, balance, homogeneity
from experiments.wording.effects import sentence_case
from experiments.wording.figures import figure_text, lift_text, p_text, rate_text
from experiments.wording.naming import title_of
from kit.time import DAY_US

MULTI_EXPOSURE_WARNING = 0.01
FEW_ORDERS: Final = 0.01
MANY_GUESSABLE: Final = 0.01
FEW_IDS: Final = 100  # of which one may look like anything
ISSUE: Final = "let POST /v1/visitor issue them, or make them of 128 random bits"
RECIPE: Final = (
    "they name no anonymousId: carry the visitor id through the payment (in the metadata of cart or payment), and send"
    " it with the order"
)
ESTIMATE = "{type: mean, event: page, value: engaged_seconds, window: 1 day}"


def health_of(opened: Opened, dimensions: Sequence[str], checks: Sequence[Check] = ()) -> Health:
    """The health of a study whose cube is built."""
    study, cube = opened.study, opened.cube
    counted = cube.once(statement("several_variants"))
    several, units = int(counted["n"][counted["study"] == opened.place].sum()), opened.units
    rate = several / units if units else 0.0
    found: list[Check] = []
    for pause in study.calendar.pauses:
        until = f" to {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
        found.append(Check("paused", f"it was paused from {pause.since:%Y-%m-%d %H:%M} UTC{until}"))
    for stretch in study.shipped_in_between:
        seen = "another phase" if stretch.variant is None else f"variant {stretch.variant}"
        lasted = f"from {stretch.since:%Y-%m-%d %H:%M} to {stretch.until:%Y-%m-%d %H:%M} UTC"
        anew = f"then it ran on: write `phase: {study.experiment.phase + 1}` to begin anew"
        told = f"{seen} was shown to everyone {lasted}, {anew}"
        found.append(Check("shipped_in_between", told, withholds_ship=True))
    found += checks
    if rate > MULTI_EXPOSURE_WARNING:
        found.insert(
            0,
            Check(
                "multi_exposure", f"{rate_text(rate)} of the units saw several variants; above 1 % look for the cause"
            ),
        )
    rules = [cube.plan.rule(each.metric.name) for each in study.metrics]
    trust = believed(cube, opened.place, cube.plan.rule(study.goals[0]))
    consents = consenting(cube, opened.place)
    ids = unit_ids(cube, opened.place)
    found += [*_trust_checks(trust), *_forged(study, trust), *_consent_checks(study, consents), *_id_checks(ids or ())]
    found += _redirect_checks(opened)
    exposures, quarantined, unconverted = cube.excluded(opened.place, rules)
    return Health(
        srm=_srm(opened, dimensions),
        multi_exposure=MultiExposure(rate),
        excluded=Excluded(
            quarantined=int(exposures[0]) + quarantined,
            bots=int(exposures[1]),
            forced=int(exposures[2]),
            forged=int(exposures[3]),
            currency=unconverted,
            contested=trust.orders.contested,
            powerless_refunds=trust.orders.powerless,
        ),
        authority=Trust(
            {
                arm: VariantTrust(told, len(pages.networks), of.issued / of.units if of.units else None)
                for arm, told, pages, of in zip(
                    study.arms, trust.conversions, trust.by_pages, ids or [UnitIds()] * len(study.arms), strict=True
                )
            }
        ),
        identity=Identities(trust.second_users),
        consent=None
        if consents is None
        else Consents(consents.refused, dict(zip(study.arms, consents.units, strict=True))),
        hashed_elsewhere=elsewhere_hashed(cube, study.experiment.key, study.experiment.phase) or None,
        checks=stated(found),
    )


def stated(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks, each with its detail as a whole sentence."""
    return tuple(replace(check, detail=sentence_case(check.detail)) for check in checks)


def _trust_checks(trust: Believed) -> Iterator[Check]:
    """Orders whose buyers only pages know."""
    orders = trust.orders
    told = orders.known + orders.joined_by_page
    if told and orders.joined_by_page / told > FEW_ORDERS:
        share = rate_text(orders.joined_by_page / told)
        share += " of the orders of backends are joined to a visitor by pages alone"
        yield Check("backend_orders_joined_by_page", f"{share}, so that from: backend counts none of them; {RECIPE}")
    if orders.contested and orders.contested / (orders.contested + told) > FEW_ORDERS:
        share = f"{orders.contested} orders are claimed by several visitors' pages and count for nobody"
        yield Check("contested_orders", f"{share}; {RECIPE}")


def _id_checks(ids: Sequence[UnitIds]) -> Iterator[Check]:
    """Visitors whose ids anybody guesses, and so acts as their browser."""
    pages, guessable = sum(each.pages for each in ids), sum(each.guessable for each in ids)
    if pages >= FEW_IDS and guessable / pages > MANY_GUESSABLE:
        share = (
            f"{rate_text(guessable / pages)} of the visitor ids that pages sent look like counters, e-mails or user ids"
        )
        yield Check("visitor_ids_guessable", f"{share}: who guesses one acts as that browser; {ISSUE}")


def _forged(study: Study, trust: Believed) -> Iterator[Check]:
    """Conversions of the first goal that look invented, and what says so."""
    goal = study.goals[0]
    title = next(title_of(each.metric) for each in study.metrics if each.metric.name == goal)
    for sign in signs(trust.by_pages):
        arm, told = study.arms[sign.arm], f"{sign.units} of the {sign.of} units of whose conversion pages told"
        said = {
            "networks": f"{told} come from {sign.networks} network{'s' if sign.networks > 1 else ''}",
            "unbacked": f"backends know nothing of {told}",
            "soon": f"{told} converted within {SOON_SECONDS:g} s of their first exposure",
        }[sign.kind]
        beside = f"of the other arms' {sign.elsewhere_of} it is {sign.elsewhere} ({p_text(sign.p)})"
        advice = "a metric with from: backend counts nothing that pages invent"
        yield Check("conversions_look_forged", f"in the {title} of {arm} {said}, {beside}; {advice}", goal, arm)


def _consent_checks(study: Study, consents: Consenting | None) -> Iterator[Check]:
    """Whether the variants differ in how much their visitors allow."""
    p = None if consents is None else homogeneity([(each["measure"], each["personal"]) for each in consents.units])
    if consents is not None and isinstance(p, float) and p < UNEQUAL_ALPHA:
        shares = ", ".join(
            f"{rate_text(units['personal'] / total)} in {arm}"
            for arm, units in zip(study.arms, consents.units, strict=True)
            if (total := units["personal"] + units["measure"])
        )
        told = f"the share of units under personal consent is {shares} ({p_text(p)}): the variant moves who allows what"
        yield Check("consent_differs", f"{told}, so that what rests on personal data does not compare like with like")


def _redirect_checks(opened: Opened) -> Iterator[Check]:
    """Whether variants that lead to another page lose visitors on the way there."""
    study = opened.study
    if not any(leads_to(variant.payload) for variant in study.experiment.variants):
        return
    arms = followed_by_page(opened.cube, opened.place)
    p = homogeneity(arms)
    if isinstance(p, float) and p < LOST_ALPHA:
        shares = ", ".join(
            f"{rate_text(followed / (followed + lost))} in {arm}"
            for arm, (followed, lost) in zip(study.arms, arms, strict=True)
            if followed + lost
        )
        told = f"a page follows within {ARRIVES_SECONDS:g} s of the exposure for {shares} ({p_text(p)})"
        advice = (
            "visitors are lost on the way to the other page, and those who arrive are others than those who set out"
        )
        yield Check("redirect_lost", f"{told}: {advice}", withholds_ship=True)


def engaged_time_checks(observed: Mapping[str, MetricObservation]) -> list[Check]:
    """Engaged time that is an estimate, and engaged time of a site that sends none."""
    found: list[Check] = []
    for metric in observed.values():
        title = title_of(metric.rule.metric)
        if metric.rule.estimated:
            told = "the time to the next page view within 30 minutes; the last page view of a visit has none"
            found.append(Check("engaged_time_estimated", f"the {title} is estimated from page views: {told}"))
        elif (
            metric.final_beats
            and not any(views for _, views in metric.final_beats)
            and any(arm.count for arm in metric.arms)
        ):
            told = f"a site without the snippet can estimate it from page views: engaged_time_estimate, or {ESTIMATE}"
            found.append(Check("no_engaged_time", f"no page view sent engaged time for the {title}; {told}"))
    return found


def lost_events(lost: Iterable[Loss]) -> list[Check]:
    """Damaged parts of the log that a person decided to go on without."""
    told = "was damaged and set aside on"
    return [
        Check("events_lost", f"part {loss.name} {told} {loss.set_aside_at[:10]}: its events are in no number")
        for loss in lost
    ]


def _srm(opened: Opened, dimensions: Sequence[str]) -> Balance:
    cube, arms = opened.cube, opened.arms
    days = sorted({day for _, day, _ in opened.gained})
    counts = np.zeros((len(days), len(arms)), dtype=np.int64)
    for arm, day, n in opened.gained:
        counts[days.index(day), arm] = n
    cumulative = counts.cumsum(axis=0) if days else np.zeros((1, len(arms)), dtype=np.int64)
    closed = [row for row, day in enumerate(days) if opened.days.closed(day)]
    looks = [tuple(int(n) for n in cumulative[row]) for row in closed]
    now = tuple(int(n) for n in cumulative[-1])
    levels = [
        ("day", calendar_date(day).isoformat(), tuple(int(n) for n in counts[row])) for row, day in enumerate(days)
    ]
    for dimension in dimensions:
        rows = cube.once(statement("units_by_level").tables(levels=levels_table(cube.plan, dimension)))
        found: dict[str, list[int]] = {}
        for arm, level, n in zip(rows["arm"], rows["level"], rows["n"], strict=True):
            if arm in arms:
                found.setdefault(str(level), [0] * len(arms))[arm - arms.start] = int(n)
        levels += [(dimension, level, tuple(observed)) for level, observed in sorted(found.items())]
    return balance(looks, opened.study.weights, now, levels)


UNEQUAL_ALPHA: Final = 0.001
LOST_ALPHA: Final = 0.0005  # of one look, as below
CHANGED_ALPHA: Final = 0.0005  # of one look: at any of 28 daily ones an alarm rings in less than 1 % without a change


def unequal_checks(judge: Judge, study: Study, observed: Mapping[str, MetricObservation]) -> list[Check]:
    """Goals whose covariate differed before anybody was exposed (Welch, Holm over goals × variants)."""
    found: dict[tuple[str, str], tuple[Pair, float]] = {}
    for name in (name for name in study.goals if observed[name].rule.cuped):
        rule, arms = observed[name].rule, observed[name].arms
        before = [
            ratio_arm(columns_of(moments, {"x": "num", "e": "den"}))
            if rule.is_ratio
            else mean_arm(moments.moments("x"))
            for moments in arms
        ]
        for treatment in range(1, len(arms)):
            pair = paired(before[0], before[treatment])
            difference = effect(pair) if isinstance(pair, Pair) else pair
            if isinstance(pair, Pair) and isinstance(difference, Effect):
                found[name, judge.arms[treatment]] = pair, welch_p(difference)
    checks: list[Check] = []
    corrected = holm([p for _, p in found.values()])
    for ((name, variant), (pair, _)), p in zip(found.items(), corrected, strict=True):
        if p < UNEQUAL_ALPHA:
            title, had = title_of(observed[name].rule.metric), figure_text(pair.treatment.value)
            told = f"in the {title} before their exposure {variant} had {had} and {study.arms[0]}"
            told += f" {figure_text(pair.control.value)} ({p_text(p)}): they were not alike to begin with"
            checks.append(Check("unequal_before_exposure", told, name, variant, withholds_ship=True))
    return checks


def changed_checks(judge: Judge, study: Study, observed: Mapping[str, MetricObservation]) -> list[Check]:
    """Goals whose lift among the units exposed in the later half of the days differs from that in the earlier half.

    Mature units only, both halves through the gate, Holm over goals × variants. A ship is withheld where the later
    half does not favour the variant.
    """
    found: dict[tuple[str, str], tuple[Pair, Pair, float]] = {}
    for name in study.goals:
        halves = _halves(judge, observed[name])
        plain = replace(observed[name].rule, cuped=False)
        for treatment in range(1, len(judge.arms) if halves else 0):
            early, late = (pairs_on(plain, half, treatment)[0] for half in halves)
            change = changed_lift(early, late, plain.metric.effect_scale)
            if isinstance(change, float) and isinstance(early, Pair) and isinstance(late, Pair):
                found[name, judge.arms[treatment]] = early, late, change
    checks: list[Check] = []
    corrected = holm([p for _, _, p in found.values()])
    for ((name, variant), (early, late, _)), p in zip(found.items(), corrected, strict=True):
        if p < CHANGED_ALPHA:
            gained = late.treatment.value - late.control.value
            favours = gained > 0.0 if observed[name].rule.metric.want == "up" else gained < 0.0
            before, after = (_against(pair, observed[name].rule.metric.effect_scale) for pair in (early, late))
            title = title_of(observed[name].rule.metric)
            told = f"in the {title} {variant} against {study.arms[0]} was {before} among those exposed in the earlier"
            told += f" half of the days and {after} in the later half ({p_text(p)})"
            checks.append(Check("effect_changed_over_time", told, name, variant, withholds_ship=not favours))
    return checks


def _halves(judge: Judge, observed: MetricObservation) -> tuple[list[JointMoments], ...]:
    """The mature units exposed in the earlier and in the later half of the days; empty where a half has none."""
    days = judge.days
    if days is None or days.first is None:
        return ()
    window = observed.rule.window.end_us
    mature = {day: arms for day, arms in observed.cohorts.items() if days.closed(days.matures(day, window))}
    middle = days.first + (max(mature, default=days.first) - days.first + DAY_US) // DAY_US // 2 * DAY_US
    halves = [[arms for day, arms in mature.items() if (day < middle) is early] for early in (True, False)]
    return tuple(pooled(half) for half in halves) if all(halves) else ()


def _against(pair: Pair, scale: Scale) -> str:
    relative = lift(pair, scale)
    if isinstance(relative, NoEstimate):
        return figure_text(pair.treatment.value - pair.control.value, signed=True)
    return lift_text(relative, signed=True)


ALPHA: Final = 0.05
MOST_NEIGHBOURS: Final = 5


def neighbours_of(study: Study, catalog: Catalog) -> list[Experiment]:
    """The running experiments that a running study may share units with, whose interaction is looked for: over the same
    kind of unit, and not of its layer."""
    layer = study.experiment.layer
    found = [
        other
        for other in catalog.experiments.values()
        if (other.status, other.unit) == ("running", study.experiment.unit)
        and other.key != study.experiment.key
        and not (other.layer and layer and other.layer.name == layer.name)
    ]
    return found[:MOST_NEIGHBOURS] if study.experiment.status == "running" else []


def interaction_checks(opened: Opened, observed: Mapping[str, MetricObservation], catalog: Catalog) -> list[Check]:
    """One check for each other running experiment whose arms change the effect on the primary goal (Holm, 5 %)."""
    study = opened.study
    primary = study.goals[0]
    checks: list[Check] = []
    for other in neighbours_of(study, catalog):
        variants = [variant.key for variant in other.variants]
        overlaps = zip(variants, map(str, opened.cube.other_arms(other.key)), strict=True)
        levels = {key: found[arm] for found in [observed[primary].overlaps] for key, arm in overlaps if arm in found}
        contrasted = contrasts(observed[primary].rule, levels, study.arms, variants)
        corrected = holm([contrast.p for contrast in contrasted.values()])
        for ((variant, level), contrast), p in zip(contrasted.items(), corrected, strict=True):
            if p <= ALPHA:
                title = title_of(observed[primary].rule.metric)
                told = f"the effect of {variant} on the {title} differs between {variants[0]} and {level}"
                told += f" of {other.key} by {figure_text(contrast.difference)} ({p_text(p)}); read both together"
                checks.append(Check("interaction", told))
    return checks


def contrasts(
    rule: MetricRule, levels: Mapping[str, Sequence[JointMoments]], arms: Sequence[str], others: Sequence[str]
) -> dict[tuple[str, str], Interaction]:
    """By variant and the other's variant: the effect there minus the effect among the other's control."""
    found: dict[tuple[str, str], Interaction] = {}
    plain = replace(rule, cuped=False)
    for treatment, other in product(range(1, len(arms)), others[1:]):
        if others[0] not in levels or other not in levels:
            continue
        beside = [pairs_on(plain, levels[level], treatment)[0] for level in (others[0], other)]
        known = [pair for pair in beside if isinstance(pair, Pair)]
        contrast = interaction(known[0], known[1]) if len(known) == 2 else None
        if isinstance(contrast, Interaction):
            found[arms[treatment], other] = contrast
    return found
