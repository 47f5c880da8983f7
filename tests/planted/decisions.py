"""Faults of what is decided and shown: statistics, readouts, reports."""

from collections.abc import Iterator, Mapping, Sequence

from planted.fault import Edit, Mutation

STATISTICS = "tests/experiments/statistics"
READOUT = "tests/experiments/readout"
WORDING = "tests/experiments/wording"
BY_UNITS = "test_looks_spend_by_their_units_at_most_by_the_calendar_and_the_last_one_all_that_is_left"

DECISIONS: Mapping[str, Mutation] = {
    "arms_that_share_nothing": Mutation(
        "after CUPED the lift's interval leaves out the error of the common mean, which both arms share",
        ("tests/experiments/validation/test_estimates.py::test_an_adjusted_lift_far_from_zero_is_covered",),
        (
            Edit(
                "experiments/statistics/effect.py",
                "    if joint is not None:",
                "    if joint is not None and pair is None:",
            ),
        ),
    ),
    "other_way_round": Mutation(
        "a sentence says higher of what is lower",
        (f"{WORDING}/test_sentences.py::test_the_words_agree_with_the_numbers",),
        (Edit("experiments/wording/effects.py", "'higher' if effect > 0.0", "'higher' if effect < 0.0"),),
    ),
    "chance_as_fact": Mutation(
        "what may still be chance is said as a fact",
        (f"{WORDING}/test_sentences.py::test_the_words_agree_with_the_numbers",),
        (Edit("experiments/wording/effects.py", 'case "wins" | "loses" | "violated":', "case _ if not limited:"),),
    ),
    "told_all_the_same": Mutation(
        "numbers that cannot be trusted are told",
        (f"{WORDING}/test_sentences.py::test_numbers_that_cannot_be_trusted_are_not_said",),
        (
            Edit(
                "experiments/wording/sentences.py",
                '_SILENT: Final = frozenset({"unhealthy", "not_started"})',
                '_SILENT: Final = frozenset({"not_started"})',
            ),
        ),
    ),
    "columns_fall_away": Mutation(
        "a table of the terminal leaves out what does not fit",
        (f"{WORDING}/test_printed.py",),
        (Edit("experiments/wording/printed.py", "if place not in kept and row[place]]", "if place in ()]"),),
    ),
    "signed_control": Mutation(
        "a lift is relative to control with its sign, so that a loss that halves reads -50 %",
        (f"{STATISTICS}/test_peer_defects.py::test_a_loss_that_halves_is_a_rise_of_half",),
        (Edit("experiments/statistics/effect.py", "/ abs(pair.control.value)", "/ pair.control.value"),),
    ),
    "histogram_in_cents": Mutation(
        "the values of a quantile or a cap are rounded to hundredths",
        ("tests/experiments/readout/test_quantile_values.py",),
        (
            Edit(
                "experiments/statistics/quantiles.py",
                "order = np.argsort(numbers[occurs > 0])",
                "numbers = np.floor(numbers * 100.0 + 0.5) / 100.0\n        order = np.argsort(numbers[occurs > 0])",
            ),
        ),
    ),
    "winners_alone": Mutation(
        "the prior that shrinks effects is learnt from the winners alone",
        ("tests/experiments/program/test_report.py",),
        (
            Edit(
                "experiments/program/report.py",
                'return [row for row in rows if row.outcome != "unhealthy" and _measured(row)]',
                'return [row for row in rows if row.outcome == "shipped" and _measured(row)]',
            ),
        ),
    ),
    "holdout_by_exposure": Mutation(
        "a unit enters a holdout's arms by an exposure",
        ("tests/experiments/program/test_holdout.py",),
        (
            Edit(
                "experiments/cube/sql/arrivals.sql",
                "e.type <> 'exposure'",
                "e.type = 'exposure'",
            ),
        ),
    ),
    "no_variance_floor": Mutation(
        "a small arm in which nothing rare happened yet is believed to vary as little as it did",
        (f"{STATISTICS}/test_gate.py::test_the_floor_is_the_pooled_error_over_welchs_where_that_is_larger",),
        (
            Edit(
                "experiments/statistics/arms.py",
                "return max(1.0, 1.0 + (control.count - treatment.count)",
                "return 1.0\n    return max(1.0, 1.0 + (control.count - treatment.count)",
            ),
        ),
    ),
    "observed_events": Mutation(
        "the gate counts the events that each arm has, not those that it can expect",
        (f"{STATISTICS}/test_gate.py::test_a_broken_variant_is_found_by_every_method",),
        (
            Edit(
                "experiments/statistics/arms.py",
                "expected = smaller * events / units",
                "expected = float(min(arm.events or 0 for arm in (control, treatment)))",
            ),
        ),
    ),
    "calendar_fractions": Mutation(
        "the walk between planned looks is that of the calendar, whatever traffic came",
        (f"{STATISTICS}/test_group_sequential.py::{BY_UNITS}",),
        (
            Edit(
                "experiments/statistics/sequential.py",
                "tuple(units for _, units in reached)",
                "tuple(number for number, _ in reached)",
            ),
        ),
    ),
    "p_min_decides": Mutation(
        "a verdict that stood once stands for good",
        (f"{READOUT}/test_one_moment.py::test_what_held_once_and_does_not_today_is_unclear_and_says_so",),
        (
            Edit(
                "experiments/readout/metrics.py",
                'today: Verdict = stood[-1][2] if stood else "unclear"',
                'today: Verdict = next((each for *_, each in stood if each != "unclear"), "unclear")',
            ),
        ),
    ),
    "family_of_another_day": Mutation(
        "a verdict is by what the family said when its own metric was last looked at, not by the p beside it",
        (
            f"{READOUT}/test_one_moment.py"
            "::test_a_verdict_is_by_the_family_of_the_p_beside_it_whatever_the_windows_of_its_goals",
        ),
        (
            Edit(
                "experiments/readout/metrics.py",
                "moments = days if name in members else [_day(ruling) for ruling in each.rulings]",
                "moments = [_day(ruling) for ruling in each.rulings]",
            ),
        ),
    ),
    "open_windows": Mutation(
        "a look is read while windows of its units are open",
        (f"{READOUT}/test_one_moment.py::test_a_look_holds_mature_units_only",),
        (
            Edit(
                "experiments/readout/days.py",
                "return self.days.day(self.days.moment(day + DAY_US) + window_us - 1) if window_us > 0 else day",
                "return day",
            ),
        ),
    ),
    "arms_of_another_day": Mutation(
        "beside the lift of the newest closed day stand the arms of today",
        (f"{READOUT}/test_second_reader.py::test_drawn_answers_follow_from_their_own_numbers",),
        (
            Edit(
                "experiments/readout/inference.py",
                "arms=shown.arms,",
                "arms=sample_now(judge, observed, treatment).arms,",
            ),
        ),
    ),
    "future_end": Mutation(
        "an end that lies ahead counts as one that has come",
        (f"{READOUT}/test_states.py::test_the_table_of_states",),
        (
            Edit(
                "experiments/catalog/calendar.py",
                "if self.stop is not None and self.stop <= moment:",
                "if self.stop is not None:",
            ),
        ),
    ),
    "newer_watermark": Mutation(
        "an answer says that it holds what came after its moment",
        (f"{READOUT}/test_one_moment.py::test_the_watermark_is_never_newer_than_the_answer",),
        (
            Edit(
                "experiments/readout/read.py",
                "watermark = min(known, now)",
                "watermark = known",
            ),
        ),
    ),
    "forgotten_orders": Mutation(
        "what is kept of a list does not rest on what others say of its units' orders",
        (f"{READOUT}/test_lists.py::test_what_a_stranger_says_of_an_order_makes_the_readout_of_its_buyer_anew",),
        (Edit("experiments/cube/sql/evidence.sql", "WHERE e.order_id IS NOT NULL", "WHERE e.order_id IS NULL"),),
    ),
    "pooled_caps": Mutation(
        "in a list the percentile of a cap is taken over the units of all experiments together",
        (f"{READOUT}/test_lists.py::test_a_cap_by_percentile_is_of_each_experiment_alone",),
        (
            Edit(
                "experiments/cube/observations.py",
                'found["arm"], scope.arms_of(study)',
                'found["arm"], range(scope.arms)',
            ),
        ),
    ),
}


REFUSABLE: Mapping[str, Sequence[str]] = {  # what may refuse to say a number, by module, and a test that must notice
    "arms": ("mean_arm test_extremes", "proportion_arm test_exact", "ratio_arm test_extremes", "pair test_exact"),
    "bayesian": ("posterior test_comparison_properties", "beta_lift test_bayesian"),
    "comparison": ("_planned test_comparison_properties",),
    "cuped": ("adjust_means test_cuped", "adjust_ratios test_cuped"),
    "effect": (
        "effect test_comparison_properties",
        "lift test_extremes",
        "lift_interval test_comparison_properties",
        "relative_standard_error test_comparison_properties",
    ),
    "fixed": (
        "pooled_z test_statistics_vectors",
        "relative_delta test_statistics_vectors",
        "newcombe_lift_interval test_exact",
    ),
    "interaction": ("interaction test_interaction",),
    "quantiles": ("cap_value test_quantiles", "quantile_estimate test_quantiles"),
    "sample_ratio": ("chi_square test_sample_ratio",),
    "survey": ("_explainable test_survey",),
}


def refusals() -> Iterator[tuple[str, Mutation]]:
    """For each statistic: it always refuses."""
    for module, functions in REFUSABLE.items():
        for function, test in (text.split() for text in functions):
            refusing = f"def {function}(*_: object, **__: object) -> NoEstimate:\n    return NoEstimate(Caveat.TIES)\n"
            edit = Edit(f"experiments/statistics/{module}.py", f"def {function}(", f"{refusing}\n\ndef _{function}_(")
            fault = f"{function.strip('_')} refuses whatever it is asked"
            yield f"silent_{function.strip('_')}", Mutation(fault, (f"{STATISTICS}/{test}.py",), (edit,))
