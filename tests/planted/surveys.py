"""Faults of surveys, tickets and their page: answers that vote twice or vanish, chance that is called a change."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

LINKS = "tests/app/surveys/test_survey_links.py"
SERVICE = "tests/events/dialects/test_service.py"
PAGE = "tests/app/dashboard/customers/test_cx.py"
ASKED = "tests/browser/test_tag_surveys.py"

SURVEYS: Mapping[str, Mutation] = {
    "answers_drawn": Mutation(
        "each press of the button of a survey's link is an answer of its own",
        (f"{LINKS}::test_one_answer_is_stored_though_nobody_noted_the_first",),
        (Edit("app/surveys/recipient.py", '"messageId": f"{event}:{link.id}",', '"messageId": None,'),),
    ),
    "scanners_vote": Mutation(
        "a survey's link that was opened counts as answered",
        (f"{LINKS}::test_programs_that_open_every_link_of_a_mail_vote_for_nothing",),
        (
            Edit(
                "app/surveys/routes.py",
                "    link = await _opened(token, worker)\n    return link if",
                "    link = await _opened(token, worker)\n"
                "    if not isinstance(link, HTMLResponse):\n"
                "        await note_answered(link, worker)\n"
                "    return link if",
            ),
        ),
    ),
    "endless_surveys": Mutation(
        "a survey's link that is over is answered",
        (f"{LINKS}::test_a_link_that_is_over_says_so",),
        (Edit("app/surveys/routes.py", "if link.ends <= now_seconds():", "if link.ends <= 0:"),),
    ),
    "known_all_the_same": Mutation(
        "a survey's link names the user of whom no more than a visitor may be known",
        (f"{LINKS}::test_who_may_not_be_known_answers_as_nobody",),
        (Edit("app/surveys/routes.py", '"user_id": user if consent is PERSONAL else None,', '"user_id": user,'),),
    ),
    "useless_unnamed": Mutation(
        "an answer that is in no figure is named to nobody",
        (f"{SERVICE}::test_every_answer_is_in_a_figure_or_named_useless",),
        (Edit("events/dialects/validation.py", "            if code in COUNTS_NOWHERE:", "            if not code:"),),
    ),
    "tickets_of_pages": Mutation(
        "nobody is told that a ticket of a page counts nowhere",
        (f"{SERVICE}::test_a_ticket_that_a_page_tells_of_is_in_no_figure",),
        (Edit("events/dialects/service.py", "if arrival.authority is not OF_BACKEND:", "if not arrival:"),),
    ),
    "chance_is_change": Mutation(
        "whatever is greater than before is called better",
        (f"{PAGE}::test_a_difference_is_called_a_change_only_where_the_answer_calls_it_one",),
        (
            Edit(
                "app/dashboard/customers/cx.py",
                'CHANGES[kpi["change"]]',
                'CHANGES["better" if (kpi["difference"] or 0) > 0 else kpi["change"]]',
            ),
        ),
    ),
    "numbers_of_the_page": Mutation(
        "the page of customers' experience computes a number",
        (f"{PAGE}::test_every_number_of_the_page_is_in_the_answer",),
        (
            Edit(
                "app/dashboard/customers/cx.html",
                "number(tile.kpi.value, tile.value)",
                "number(tile.kpi.value * 100, tile.value)",
            ),
        ),
    ),
    "asked_uncounted": Mutation(
        "the tag asks who may not be counted",
        (f"{ASKED}::test_who_may_not_be_counted_is_not_asked",),
        (
            Edit(
                "app/tag/source/surveys.js",
                "const counts = /measure|personal/.test(core.consent);",
                "const counts = true;",
            ),
        ),
    ),
    "answered_again": Mutation(
        "the tag asks again what was answered in this visit",
        (f"{ASKED}::test_a_question_is_answered_once_a_visit_under_the_strictest_policy",),
        (Edit("app/tag/source/surveys.js", "    answered(core).push(survey);\n", ""),),
    ),
}
