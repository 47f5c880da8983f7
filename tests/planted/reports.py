"""Faults of reports, of links to them, and of the demo that shows one."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

SHARES = "tests/app/reports/test_shares.py"
CONTENT = "tests/app/reports/test_content.py"

REPORTS: Mapping[str, Mutation] = {
    "strangers_are_ready": Mutation(
        "a started process is ready when anybody says so on its pipe",
        ("tests/kit/test_announced.py::test_a_word_without_the_nonce_of_this_start_was_not_said",),
        (Edit("kit/announced.py", 'if secrets.compare_digest(told["nonce"], self._nonce):', 'if told["nonce"]:'),),
    ),
    "silent_end": Mutation(
        "the demo does not say that it is stopping",
        ("tests/app/demo/test_start.py::test_ctrl_c_before_the_service_is_ready_ends_it_as_well",),
        (Edit("app/demo/run.py", '            _say("stopping …")', "            pass"),),
    ),
    "words_of_an_earlier_start": Mutation(
        "a start that failed is told in the words of the one before it",
        (
            "tests/app/demo/test_start.py::"
            "test_a_start_that_fails_for_another_reason_is_told_in_the_services_own_last_words",
        ),
        (Edit("app/demo/start.py", "self._began_at = log.tell()", "self._began_at = 0"),),
    ),
    "earlier_days_of_today": Mutation(
        "the demo's earlier days are told as if they were today",
        ("tests/app/demo/test_past.py::test_every_visit_lies_on_a_day_that_is_over_and_in_its_order",),
        (Edit("app/demo/past.py", "timedelta(days=1 + number % EARLIER_DAYS)", "timedelta(0)"),),
    ),
    "links_that_never_end": Mutation(
        "a link to a report opens after its end",
        (f"{SHARES}::test_a_link_opens_from_its_making_to_its_last_second",),
        (
            Edit(
                "app/reports/shares.py",
                "return found if found is not None and found.holds(now) else None",
                "return found",
            ),
        ),
    ),
    "tokens_on_the_disk": Mutation(
        "what opens a link to a report is kept as it is",
        (f"{SHARES}::test_the_file_is_the_users_alone_and_holds_nothing_that_opens_a_link",),
        (Edit("app/reports/shares.py", "return hashlib.sha256(token.encode()).hexdigest()", "return token"),),
    ),
    "effects_too_early": Mutation(
        "a report tells effects of what cannot be judged yet",
        (f"{CONTENT}::test_no_effect_is_told_of_what_cannot_be_trusted_or_judged",),
        (
            Edit(
                "app/reports/content.py",
                '    if not row["gate"]["open"]:\n        return None, None\n',
                "",
            ),
        ),
    ),
    "numbers_of_its_own": Mutation(
        "a number of a report is rounded, and stands in no answer",
        (f"{CONTENT}::test_every_number_of_a_report_is_one_of_the_answer",),
        (
            Edit(
                "app/reports/pieces.py",
                "    return Cell(lift_text(value, signed=True), value)",
                "    return Cell(lift_text(value, signed=True), value and round(value, 2))",
            ),
        ),
    ),
    "others_in_links": Mutation(
        "a link to a report names another experiment that a check speaks of",
        (f"{CONTENT}::test_a_shared_report_names_no_other_experiment_and_nobody",),
        (Edit("app/reports/content.py", "    if not shown.hidden:\n", "    if shown.hidden:\n"),),
    ),
    "links_told_as_json": Mutation(
        "what cannot be asked of a link is answered as to programs, by caches kept",
        (
            "tests/app/reports/test_report_routes.py::"
            "test_whatever_is_asked_of_a_link_is_answered_by_a_page_that_nobody_keeps",
        ),
        (Edit("app/reports/routes.py", 'return path == SHARES or path.startswith(f"{SHARES}/")', 'return path == ""'),),
    ),
    "formulas_of_strangers": Mutation(
        "what a visitor writes is computed by the spreadsheet that opens a table",
        ("tests/events/engines/test_engine.py::test_a_text_that_begins_like_a_formula_is_a_text_in_csv",),
        (Edit("kit/values.py", 'return f"\'{text}" if text.startswith(FORMULAS) else text', "return text"),),
    ),
    "unaddressed_previews": Mutation(
        "a preview of what is no address fails behind its line in the audit",
        (
            "tests/app/dashboard/pages/test_steering.py::test_a_preview_of_what_is_no_address_is_refused_with_nothing_kept",
        ),
        (Edit("app/steering/orders.py", 'url = with_parameter(page, LINK, "")', "url = page"),),
    ),
}
