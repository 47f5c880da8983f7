"""Faults of the page of an experiment, of its charts, and of what one may do there."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

PAGE = "tests/app/dashboard/pages/test_experiment.py"
CHARTS = "tests/app/dashboard/test_charts.py"
ORDERS = "tests/experiments/catalog/test_overrides.py"
FORMS = "tests/app/dashboard/pages/test_steering.py"

EXPERIMENTS: Mapping[str, Mutation] = {
    "rounded_value": Mutation(
        "a page says a number that the answer does not have",
        (f"{PAGE}::test_every_number_of_the_page_is_in_the_answer",),
        (
            Edit(
                "app/dashboard/environment.py",
                "told = json_text(value)",
                "told = json_text(round(value, 2))",
            ),
        ),
    ),
    "effect_too_early": Mutation(
        "an effect is shown before there is enough to tell",
        (f"{PAGE}::test_no_effect_is_shown_where_the_numbers_are_not_to_be_used_or_it_is_too_early",),
        (
            Edit(
                "app/dashboard/pages/shown.py",
                'return bool(self.comparison["gate"]["open"]) and effect_read',
                "return effect_read",
            ),
        ),
    ),
    "unescaped_names": Mutation(
        "names of strangers are HTML on a page",
        (f"{CHARTS}::test_names_are_text_in_a_picture",),
        (Edit("app/dashboard/environment.py", "autoescape=True", "autoescape=False"),),
    ),
    "pushed_aside": Mutation(
        "what lies far out is drawn outside of its picture",
        (f"{CHARTS}::test_a_forest_of_any_numbers_stands_inside_its_picture",),
        (
            Edit(
                "app/dashboard/charts.py",
                "share = (min(max(value, self.low), self.high) - self.low)",
                "share = (value - self.low)",
            ),
        ),
    ),
    "draft_takes_back": Mutation(
        "the file of a draft takes its start back at once",
        (f"{ORDERS}::test_a_draft_that_is_started_outranks_its_file_until_the_file_says_running",),
        (
            Edit(
                "experiments/catalog/overrides.py",
                'if given.started and written.status == "draft":',
                'if given.started and written.status == "archived":',
            ),
        ),
    ),
    "shipped_nothing": Mutation(
        "a ship stops the experiment and shows nobody its variant",
        (f"{ORDERS}::test_a_ship_shows_its_variant_until_the_file_has_the_decision_too",),
        (
            Edit(
                "experiments/catalog/overrides.py",
                'DecisionNote(outcome="shipped", variant=self.shipped) if self.shipped else None',
                "None if self.shipped else None",
            ),
        ),
    ),
    "loose_draft": Mutation(
        "the design of a draft that was started may change while it runs",
        (f"{ORDERS}::test_what_was_started_keeps_its_orders_and_its_frozen_design_while_the_file_says_draft",),
        (
            Edit(
                "experiments/catalog/publisher.py",
                "refused_changes(started, self._written",
                "refused_changes(content, self._written",
            ),
        ),
    ),
    "order_without_reason": Mutation(
        "a page carries out an order that nobody gave a reason for",
        (f"{FORMS}::test_an_order_without_a_reason_is_not_carried_out_and_the_page_says_so",),
        (
            Edit(
                "app/dashboard/pages/steering.py",
                "if seen < SHORTEST_REASON or len(reason) > LONGEST_REASON:",
                "if len(reason) < 0:",
            ),
        ),
    ),
    "ship_unasked": Mutation(
        "a ship against the decision takes no tick",
        (f"{FORMS}::test_shipping_against_the_decision_takes_a_tick_and_is_kept_as_such",),
        (
            Edit(
                "app/dashboard/pages/steering.py",
                'fields.get("ignoring") != "yes"',
                'fields.get("ignoring") == "no"',
            ),
        ),
    ),
    "unchecked_start": Mutation(
        "a draft is started whatever is wrong with the files",
        (f"{FORMS}::test_a_start_whose_files_have_mistakes_says_them",),
        (Edit("app/steering/orders.py", "    if mistakes:\n", "    if mistakes is None:\n"),),
    ),
    "metrics_that_no_editor_offers": Mutation(
        "editors do not complete the metrics of the folder",
        ("tests/experiments/definitions/test_schema.py", "tests/experiments/definitions/test_editor.py"),
        (
            Edit(
                "experiments/definitions/schema.py",
                '        for part in _parts(schema, path.split(".")):',
                '        for part in _parts({}, path.split(".")):',
            ),
        ),
    ),
    "frozen_without_what_it_was": Mutation(
        "a refused change of a design does not say what was there",
        ("tests/experiments/catalog/test_phases.py",),
        (Edit("experiments/catalog/freeze.py", '(", ".join(found[:MOST_TOLD]) or "this changed")', '"this changed"'),),
    ),
}
