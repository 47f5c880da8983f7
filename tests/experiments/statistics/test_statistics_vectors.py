"""The published vectors, run on four peers; which key is the one to meet stands in the vectors' README."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from oracles.estimates import ends, existing, power_of, shares, vector_cases

from experiments.statistics import comparison
from experiments.statistics.arms import Arm, Pair, mean_arm, pair, ratio_arm
from experiments.statistics.bayesian import LiftPrior, Posterior, beta_lift, gaussian, posterior
from experiments.statistics.comparison import Answer, Question, compare
from experiments.statistics.cuped import Adjustment, adjust_means, adjust_ratios
from experiments.statistics.effect import effect
from experiments.statistics.estimate import Interval
from experiments.statistics.fixed import fisher_p, newcombe_interval, pooled_z
from experiments.statistics.moments import JointMoments, Moments
from experiments.statistics.multiplicity import benjamini_hochberg, holm
from experiments.statistics.power import Design, detectable_lift, duration_days, required_units, whole_units
from experiments.statistics.quantiles import quantile_arm
from experiments.statistics.sample_ratio import CONCENTRATION, chi_square, log_bayes_factor, sequential_p
from experiments.statistics.sequential import anytime_critical, anytime_p, bounds, tuning

printed = partial(pytest.approx, rel=1e-9, abs=1e-13)  # values are printed with twelve digits


def mean_of(count: int, total: float, squares: float) -> Moments:
    return JointMoments.from_sums(count, {"y": total}, {("y", "y"): squares}).moments("y")


def ratio_of(case: dict[str, Any], arm: str) -> Arm:
    count, total, denominators = case[f"n{arm}"], case[f"m{arm}"], case[f"d{arm}"]
    products = {
        ("num", "num"): case[f"m2{arm}"],
        ("num", "den"): case[f"md{arm}"],
        ("den", "den"): case[f"d2{arm}"],
    }
    return existing(ratio_arm(JointMoments.from_sums(count, {"num": total, "den": denominators}, products)))


def cuped_of(case: dict[str, Any]) -> Adjustment:
    arms: list[JointMoments] = []
    for arm in ("control_suff", "treatment_suff"):
        sums = case[arm]
        products = {("y", "y"): sums["qy"], ("x", "y"): sums["xy"], ("x", "x"): sums["qx"]}
        arms.append(JointMoments.from_sums(sums["n"], {"y": sums["sy"], "x": sums["sx"]}, products))
    return existing(adjust_means(*arms))


def published_pair(case: dict[str, Any]) -> Pair:
    """The pair as the peers took it: a proportion's variance is p(1 − p) there, with n and not n − 1."""
    if case["kind"] == "PROP":
        pairs = ((case["xc"] / case["nc"], case["nc"]), (case["xt"] / case["nt"], case["nt"]))
        control, treatment = (Arm(n, p, p * (1.0 - p)) for p, n in pairs)
        return Pair(control, treatment)
    if case["kind"] == "RATIO":
        return Pair(ratio_of(case, "c"), ratio_of(case, "t"))
    if case["kind"] == "CUPED":
        return cuped_of(case).pair
    arms = (mean_arm(mean_of(case[f"n{arm}"], case[f"s{arm}"], case[f"q{arm}"])) for arm in "ct")
    return existing(pair(*arms))


def of_size(control: float, *lifts: float) -> list[float]:
    """The reference divides by control with its sign, ours by its size: of a negative one the lifts turn."""
    return list(lifts) if control > 0.0 else [-lift for lift in reversed(lifts)]


def is_like_reference(answer: Answer, reference: dict[str, Any], control: float = 1.0) -> None:
    assert answer.p == printed(reference["p_value"])
    assert answer.statistic == printed(reference["t"])
    assert answer.degrees_of_freedom == printed(reference["df"])
    assert ends(answer.difference_ci) == printed(reference["ci"])
    assert ends(answer.ci) == printed(of_size(control, *reference["lift_ci_fieller"]))


@pytest.fixture
def without_the_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers have no variance floor: what decides here is held against them as it would be without one."""
    monkeypatch.setattr(comparison, "variance_floor", lambda _pair: 1.0)


@pytest.mark.parametrize("case", vector_cases("welch_t"))
def test_welch_and_fieller_meet_the_reference(case: dict[str, Any]) -> None:
    pair, reference = published_pair({"kind": "MEAN", **case["input"]}), case["expected"]["reference"]
    comparison = compare(pair, Question())
    is_like_reference(comparison.fixed, reference, pair.control.value)
    assert comparison.difference == printed(reference["diff"])
    assert [comparison.lift] == printed(of_size(pair.control.value, reference["lift"]))


@pytest.mark.parametrize("case", vector_cases("relative_lift_ci"))
def test_fieller_meets_the_reference_lift_interval(case: dict[str, Any]) -> None:
    reference, pair = case["expected"]["reference"], published_pair(case["input"])
    comparison, control = compare(pair, Question()), pair.control.value
    if reference:  # proportions carry only peers' intervals there
        assert ends(comparison.fixed.ci) == printed(of_size(control, *reference["lift_ci_fieller"]))
    lift = reference.get("lift", case["expected"]["growthbook"]["expected"])
    assert [comparison.lift] == printed(of_size(control, lift))


@pytest.mark.parametrize("case", vector_cases("relative_lift_ci"))
def test_the_delta_method_beside_it_meets_growthbook(case: dict[str, Any]) -> None:
    delta, peer = existing(compare(published_pair(case["input"]), Question()).delta), case["expected"]["growthbook"]
    assert delta.p == printed(peer["p_value"])
    assert ends(delta.ci) == printed([peer["ci_lower"], peer["ci_upper"]])


@pytest.mark.parametrize("case", vector_cases("ratio_metric"))
def test_a_ratio_meets_the_reference(case: dict[str, Any]) -> None:
    comparison = compare(published_pair({"kind": "RATIO", **case["input"]}), Question())
    is_like_reference(comparison.fixed, case["expected"]["reference"])


@pytest.mark.parametrize("case", vector_cases("cuped"))
def test_cuped_with_full_history_meets_the_reference(case: dict[str, Any]) -> None:
    adjustment, reference = cuped_of(case["input"]), case["expected"]["reference"]
    apart = compare(
        replace(adjustment.pair, joint=None), Question()
    ).fixed  # it leaves out what the common mean's error is
    ours = compare(adjustment.pair, Question()).fixed
    is_like_reference(apart, reference)
    assert (ours.p, ours.difference_ci) == (apart.p, apart.difference_ci)
    assert existing(ours.ci).width > existing(apart.ci).width
    assert adjustment.coefficients == (printed(reference["theta_pooled_total"]), 0.0)
    assert adjustment.variance_ratio == printed(reference["variance_ratio_vs_unadjusted"])


@pytest.mark.parametrize("case", vector_cases("cuped_ratio"))
def test_cuped_of_a_ratio_with_full_history_meets_growthbook(case: dict[str, Any]) -> None:
    names = ("xnum", "xden", "num", "den")
    arms = (
        JointMoments.of(dict(zip(names, zip(*case["input"][rows], strict=True), strict=True)))
        for rows in ("control_rows", "treatment_rows")
    )
    adjustment, peer = existing(adjust_ratios(*arms)), case["expected"]["growthbook"]
    answer = compare(adjustment.pair, Question()).fixed
    assert adjustment.coefficients == (printed(peer["theta"]), 0.0)
    assert answer.p == printed(peer["two_sided_t_absolute"]["p_value"])
    assert ends(answer.difference_ci) == printed(
        [peer["two_sided_t_absolute"][f"ci_{end}"] for end in ("lower", "upper")]
    )


@pytest.mark.parametrize("case", vector_cases("two_proportion"))
def test_pooled_z_fisher_and_newcombe_meet_the_reference(case: dict[str, Any]) -> None:
    given, reference = case["input"], case["expected"]["reference"]
    pair = shares(given["xc"], given["nc"], given["xt"], given["nt"])
    pooled = existing(pooled_z(pair))
    assert pooled.statistic == printed(reference["ztest_pooled"]["z"])
    assert pooled.p == pytest.approx(reference["ztest_pooled"]["p_value"], rel=1e-9)
    assert ends(newcombe_interval(pair, 0.05)) == printed(reference["ci_diff_newcomb"])
    if "fisher_two_sided" in reference:
        assert fisher_p(pair) == pytest.approx(reference["fisher_two_sided"], rel=1e-9)


@pytest.mark.parametrize("tuned", [5000, 50000])
@pytest.mark.parametrize("case", [c for c in vector_cases("sequential") if not str(c.id).startswith("formula")])
@pytest.mark.usefixtures("without_the_floor")
def test_anytime_meets_growthbook_on_the_absolute_scale(case: dict[str, Any], tuned: int) -> None:
    answer = compare(published_pair(case["input"]), Question(planned_units=tuned)).anytime
    peer = case["expected"]["growthbook"][f"sequential_two_sided_absolute_tuning{tuned}"]
    assert answer.p == pytest.approx(peer["p_value"], rel=1e-9)
    assert ends(answer.difference_ci) == printed([peer["ci_lower"], peer["ci_upper"]])


@pytest.mark.parametrize("tuned", [5000, 20000])
@pytest.mark.parametrize("case", [c for c in vector_cases("sequential") if str(c.id).startswith("formula")])
def test_the_anytime_formula_meets_the_reference(case: dict[str, Any], tuned: int) -> None:
    given, reference = case["input"], case["expected"]["reference"][f"tuning{tuned}"]
    error, units = given["se"], given["n_total"]
    precision = units * tuning(given["alpha"], tuned)
    arm = error * error * units / 4.0
    measured = existing(effect(Pair(Arm(units // 2, 1.0, arm), Arm(units - units // 2, 1.0 + given["estimate"], arm))))
    if units % 2 == 0:
        assert anytime_p(measured, precision) == printed(reference["p_value"])
    assert tuning(given["alpha"], tuned) ** 0.5 == printed(reference["rho"])
    assert error * anytime_critical(given["alpha"], precision) == printed(reference["asympcs_halfwidth"])


@pytest.mark.parametrize("case", vector_cases("group_sequential"))
def test_planned_bounds_meet_spotify_within_its_integration_error(case: dict[str, Any]) -> None:
    given = case["input"]
    solved = bounds(given["alpha"], tuple(given["information"]), sides=given["sides"])
    assert solved == pytest.approx(case["expected"]["spotify_confidence"], abs=1e-4)


def is_like_growthbook(ours: Posterior, peer: dict[str, Any]) -> None:
    assert ours.chance_to_win == printed(peer["chance_to_win"])
    assert ours.mean == printed(peer["mean"])
    assert ends(ours.ci) == printed([peer["ci_lower"], peer["ci_upper"]])
    assert ours.expected_loss == printed(peer["risk_treatment"])
    assert ours.expected_loss_control == printed(peer["risk_control"])


PRIORS = {"improper": None, "proper_0_0.3": LiftPrior(0.0, 0.3), "proper_0.02_0.1": LiftPrior(0.02, 0.1)}


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("case", vector_cases("bayes_gaussian"))
def test_the_gaussian_posterior_meets_growthbook_on_the_relative_scale(case: dict[str, Any], name: str) -> None:
    peers = case["expected"]["growthbook"]
    peer, flat = peers[f"bayes_relative_{name}"], peers["bayes_relative_improper"]
    is_like_growthbook(gaussian(flat["mean"], flat["stddev"], PRIORS[name]), peer)
    if case["input"]["kind"] == "CUPED":  # there the peer divides by the unadjusted control mean
        return
    is_like_growthbook(existing(posterior(published_pair(case["input"]), PRIORS[name])), peer)


@pytest.mark.parametrize("case", vector_cases("bayes_beta_binomial"))
def test_the_chance_of_two_betas_meets_the_reference(case: dict[str, Any]) -> None:
    given, reference = case["input"], case["expected"]["reference"]
    ours = existing(beta_lift(shares(given["xc"], given["nc"], given["xt"], given["nt"])))
    assert ours.chance_greater == printed(reference["chance_to_win"])


@pytest.mark.parametrize("case", vector_cases("quantile"))
@pytest.mark.usefixtures("without_the_floor")
def test_quantiles_meet_growthbook_on_the_absolute_scale(case: dict[str, Any]) -> None:
    arms = (case["input"][arm] for arm in "ct")
    pair = Pair(*(quantile_arm(arm["n"], arm["hat"], Interval(arm["lo"], arm["hi"])) for arm in arms))
    peer = case["expected"]["growthbook"]
    fixed, fixed_peer = compare(pair, Question()).fixed, peer["two_sided_t_absolute"]
    assert fixed.p == printed(fixed_peer["p_value"])
    assert ends(fixed.difference_ci) == printed([fixed_peer["ci_lower"], fixed_peer["ci_upper"]])
    for tuned in (5000, 50000):
        anytime, anytime_peer = (
            compare(pair, Question(planned_units=tuned)).anytime,
            peer[f"sequential_two_sided_absolute_tuning{tuned}"],
        )
        assert anytime.p == printed(anytime_peer["p_value"])
        assert ends(anytime.difference_ci) == printed([anytime_peer["ci_lower"], anytime_peer["ci_upper"]])
    for name, prior in PRIORS.items():
        is_like_growthbook(existing(posterior(pair, prior)), peer[f"bayes_relative_{name}"])


@pytest.mark.parametrize("case", vector_cases("srm"))
def test_sample_ratio_tests_meet_the_reference(case: dict[str, Any]) -> None:
    counts, weights = case["input"]["counts"], case["input"]["weights"]
    reference = case["expected"]["reference"]
    sequential = reference[f"sequential_srm_dirichlet_conc{CONCENTRATION:g}*K"]
    test = existing(chi_square(counts, weights))
    assert test.statistic == printed(reference["chi2"])
    assert test.p == printed(reference["p_value"])
    log_factor = log_bayes_factor(counts, weights)
    assert log_factor == pytest.approx(sequential["log_bayes_factor"], rel=1e-9)
    assert sequential_p([log_factor]) == pytest.approx(sequential["p_value_at_this_look"], rel=1e-8)


@pytest.mark.parametrize("case", vector_cases("multiple_testing"))
def test_corrections_meet_the_reference(case: dict[str, Any]) -> None:
    p_values, reference = case["input"]["pvalues"], case["expected"]["reference"]
    assert holm(p_values) == printed(reference["holm"])
    assert benjamini_hochberg(p_values) == printed(reference["fdr_bh"])


@pytest.mark.parametrize("case", [c for c in vector_cases("power") if str(c.id).startswith("ref:mean")])
def test_sample_sizes_meet_the_t_based_reference(case: dict[str, Any]) -> None:
    given, reference = case["input"], case["expected"]["reference"]
    design = Design(given["alpha"], given["power"], given["ratio_treatment_to_control"])
    units = existing(required_units(given["mean"], given["variance"], given["relative_mde"], design))
    assert units == pytest.approx(reference["TTestIndPower_n_control"], rel=1e-9)
    arms = whole_units(units, (1.0, design.ratio))
    assert duration_days(sum(arms), 1500) == reference["duration_days_at_1500_visitors_per_day"]


@pytest.mark.parametrize("case", [c for c in vector_cases("power") if str(c.id) == "tt:w1"])
def test_power_and_detectable_lift_meet_tea_tasting_where_it_answers(case: dict[str, Any]) -> None:
    given, peer = case["input"], case["expected"]["tea_tasting"]
    design = Design(given["alpha"], given["power"], given["ratio"])
    lift = existing(detectable_lift(given["mean"], given["var"], 10_000, design))
    assert lift == pytest.approx(peer["mde_at_20000_use_t=True"]["rel_effect_size"], rel=1e-9)
    power = power_of(given["mean"], given["var"], given["rel"], 10_000, design)
    assert power == pytest.approx(peer["power_at_20000_use_t=True"]["power"], rel=1e-9)
