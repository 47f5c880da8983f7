"""Faults of the figures of customers' experience."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

ANSWER = "tests/experiments/cx/test_answer.py"
ESTIMATES = "tests/experiments/cx/test_estimates.py"
SURVIVAL = "tests/experiments/statistics/test_survival.py"
YOUNG = (f"{ANSWER}::test_who_is_too_young_is_immature_and_no_zero",)
LAST = (f"{ANSWER}::test_the_last_answer_of_a_visitor_counts_and_a_survey_of_another_name_by_its_kind",)
OPEN = (f"{ANSWER}::test_open_tickets_make_a_median_longer_and_a_reopened_one_is_open",)

EXPERIENCE: Mapping[str, Mutation] = {
    "hard_ones_left_out": Mutation(
        "tickets that are still open are left out of the time that they take",
        OPEN,
        (Edit("experiments/cx/tickets.py", "inside[order]]", "(inside & self.ended)[order]]"),),
    ),
    "page_resolves": Mutation(
        "a page resolves tickets",
        OPEN,
        (Edit("experiments/cx/gathering.py", "backend=int(Authority.BACKEND)", "backend=int(Authority.PAGE)"),),
    ),
    "reopened_stands": Mutation(
        "a resolution stands that was undone",
        OPEN,
        (Edit("experiments/cx/sql/tickets.sql", "f.reopened_at > f.resolved_at", "f.reopened_at > f.reopened_at"),),
    ),
    "young_are_zero": Mutation(
        "who has not had the days yet has not come back",
        YOUNG,
        (Edit("experiments/cx/kpis.py", "ready = new & self.old_enough", "ready = new"),),
    ),
    "quick_ones_count": Mutation(
        "of young tickets those that are resolved count",
        YOUNG,
        (
            Edit(
                "experiments/cx/tickets.py",
                "ready = inside & (limit <= of.now_us)",
                "ready = inside & ((limit <= of.now_us) | ~np.isnan(of.resolved))",
            ),
        ),
    ),
    "first_answer": Mutation(
        "the first answer of a visitor counts",
        LAST,
        (
            Edit(
                "experiments/cx/surveys.py",
                "np.append(pair[1:] != pair[:-1], True)",
                "np.append(True, pair[1:] != pair[:-1])",
            ),
        ),
    ),
    "lucky_tile": Mutation(
        "each KPI is judged as if it were the only one",
        (f"{ANSWER}::test_a_change_is_called_one_only_once_all_kpis_are_considered",),
        (
            Edit(
                "experiments/cx/tiles.py",
                "holm([1.0 if p is None else p for p in ps])",
                "[1.0 if p is None else p for p in ps]",
            ),
        ),
    ),
    "answers_as_people": Mutation(
        "many answers of one person are many people",
        (
            "tests/experiments/cx/test_figures.py::"
            "test_every_figure_and_its_interval_is_what_one_computes_by_hand",
        ),
        (Edit("experiments/cx/surveys.py", "if starts.size < points.size:", "if starts.size > points.size:"),),
    ),
    "longest_bounds": Mutation(
        "the longest time bounds a percentile",
        (f"{SURVIVAL}::test_the_longest_time_bounds_nothing",),
        (
            Edit(
                "experiments/statistics/quantiles.py",
                "last < self.times.size and self.surviving[last] > 0.0",
                "last < self.times.size",
            ),
        ),
    ),
    "copies_are_loyal": Mutation(
        "a copy of an order is a second one",
        (f"{ANSWER}::test_the_journey_is_walked_in_order_and_advocates_need_no_second_order",),
        (Edit("experiments/cx/journeys.py", '{ORDER: "orders", PAGE: "pages"}', '{PAGE: "pages"}'),
         Edit("experiments/cx/journeys.py", 'ORDER, after=3, rows="orders"', 'ORDER, after=3, rows="events"')),
    ),
}  # fmt: skip
