"""Faults of what runs in pages: planted in the tag's source, of which the copy is built anew."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

BROWSER = "tests/browser"
SOURCE = "app/tag/source"


def fault(what: str, test: str, *edits: tuple[str, str, str]) -> Mutation:
    """A fault, the test in a browser that it turns red, and its edits: a file, what stands there, what then does."""
    return Mutation(
        what,
        (f"{BROWSER}/{test}",),
        tuple(Edit(f"{SOURCE}/{file}", before, after) for file, before, after in edits),
    )


SCRIPTS: Mapping[str, Mutation] = {
    "treatment_alone": fault(
        "control is not told of: only who is shown something else counts",
        "test_page_changes.py::test_control_is_counted_at_the_same_place_and_moment_though_nothing_changes",
        ("exposures.js", "if (in_experiment && !forced)", 'if (in_experiment && !forced && variant != "control")'),
    ),
    "led_uncounted": fault(
        "a page leads on before it has told who was led",
        "test_tag_redirects.py::test_who_is_led_away_was_counted_before_and_arrives_as_who_was_led_there",
        ("redirects.js", "    tests.forEach(core.exposed);\n", "    if (!away) tests.forEach(core.exposed);\n"),
    ),
    "led_anywhere": fault(
        "a variant may lead out of the shop",
        "test_tag_redirects.py::test_nobody_is_led_to_where_they_are_or_out_of_the_shop",
        ("redirects.js", ".test(target.protocol) || !ours) return null", ".test(target.protocol)) return null"),
    ),
    "control_unmarked": fault(
        "the mark of a place that is done is missing in control, so that the page waits for it",
        "test_tag_consent.py::test_who_refuses_sees_control_and_what_is_shipped_and_leaves_nothing_anywhere",
        ("slots.js", "if (unmarked) element.set", 'if (unmarked && variant != "control") element.set'),
    ),
    "refused_and_known": fault(
        "who refuses gets an id, and a cookie with it",
        "test_tag_consent.py::test_who_refuses_sees_control_and_what_is_shipped_and_leaves_nothing_anywhere",
        ("identity.js", "    state = {};\n    return;\n", "    state = {};\n"),
        ("identity.js", "RANK[mode] > RANK.ask;", "RANK[mode] >= RANK.none;"),
    ),
    "refused_and_kept": fault(
        "what was kept of somebody stays when they refuse",
        "test_tag_consent.py::test_refusing_erases_what_was_kept_and_stops_what_was_not_sent",
        ("identity.js", "    forget();\n    id = named", "    id = named"),
    ),
    "deaf_to_objections": fault(
        "the tag does not hear a browser that objects",
        "test_tag_consent.py::test_a_browser_that_objects_lowers_what_holds_by_default_and_not_what_was_answered",
        (
            "consent.js",
            "(navigator.globalPrivacyControl ? lower(shop.consent, shop.gpc) : shop.consent)",
            "shop.consent",
        ),
    ),
    "time_after_the_end": fault(
        "a page that has told its final time goes on telling",
        "test_tag_pages.py::test_a_page_that_comes_back_from_the_cache_is_a_page_of_its_own",
        ("pages.js", "  if (final) view = 0;\n", ""),
    ),
    "counted_in_advance": fault(
        "a page that was prepared in advance counts before anybody looks at it",
        "test_tag_pages.py::test_a_page_prepared_in_advance_counts_once_it_is_looked_at",
        ("moments.js", "document.hidden || document.prerendering ||", "document.hidden && !document.prerendering ||"),
    ),
    "coarse_places": fault(
        "the tag draws by a thousandth, where everybody else draws by a ten-thousandth",
        "test_tag_decides.py::test_the_built_tag_and_ofrep_agree_on_every_visitor_and_experiment",
        ("assign.js", "% 10000) / 10000", "% 1000) / 1000"),
    ),
    "any_scheme": fault(
        "an address of any scheme may be put into a page",
        "test_tag.py::test_each_way_of_filling_a_slot_and_nothing_that_runs",
        ("slots.js", "/^(https?|mailto|tel):/", "/^[a-z]+:/"),
    ),
    "handlers_set": fault(
        "a variant may set what runs when something happens",
        "test_tag.py::test_each_way_of_filling_a_slot_and_nothing_that_runs",
        ("slots.js", "/^(on|style$|", "/^(style$|"),
    ),
    "handlers_in_html": fault(
        "what runs stays in the HTML of a variant",
        "test_tag_hostile.py::test_html_of_a_payload_runs_nothing_neither_now_nor_when_it_is_clicked",
        ("extras.js", "if (!mayHave(element, name, value)) element.removeAttribute(name)", "void value, void name"),
    ),
    "endless_quarrel": fault(
        "what a framework undoes is done again for ever",
        "test_tag.py::test_a_slot_that_appears_later_is_filled_and_one_that_is_undone_is_filled_five_times_more",
        ("slots.js", "const MOST_AGAIN = 5", "const MOST_AGAIN = 5e9"),
    ),
    "previews_count": fault(
        "who tries a page out is counted",
        "test_tag_preview.py::test_a_draft_is_shown_by_its_link_on_every_page_of_the_session_until_it_is_left_and_nothing_is_sent",
        ("core.js", "if (tried) silence();", ""),
    ),
    "layer_read_twice": fault(
        "with each entry of the data layer those before it are told again",
        "test_datalayer.py::test_what_was_pushed_before_the_tag_came_and_after_is_stored_once",
        ("datalayer.js", "    entries.forEach(safely);", "    [...this].forEach(safely);"),
    ),
    "failures_believed": fault(
        "an answer that the service is in trouble counts as one that the events are stored",
        "test_tag_fails_open.py::test_events_of_a_page_whose_service_is_away_are_stored_once_from_the_next",
        ("queue.js", "answer.status > 499 ||", "answer.status > 599 ||"),
    ),
}
