"""Faults of the pages of visitors and recommendations, of keys made on a page, and of what refusals say."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

VISITOR = "tests/app/dashboard/customers/test_visitor.py"
RECOMMENDATIONS = "tests/app/dashboard/customers/test_recommendations.py"
SETTINGS = "tests/app/dashboard/pages/test_settings.py"
REFUSED = "tests/app/answers/test_refusals.py"

CUSTOMERS: Mapping[str, Mutation] = {
    "previews_unseen": Mutation(
        "who looks at whom an erasure would take leaves no line in the audit",
        (f"{VISITOR}::test_each_look_stands_in_the_audit_with_who_looked",),
        (
            Edit(
                "app/dashboard/customers/visitor.py",
                '    await note(asked, worker, Act("access", subject_of(wanted.kind, wanted.id)))\n'
                "    return await _previewed(request, signed, worker, wanted)\n",
                "    return await _previewed(request, signed, worker, wanted)\n",
            ),
        ),
    ),
    "erased_untyped": Mutation(
        "somebody is erased whose id was not typed",
        (f"{VISITOR}::test_an_erasure_is_shown_first_and_done_once_its_id_was_typed",),
        (
            Edit(
                "app/dashboard/customers/visitor.py",
                'if fields.get("typed", "").strip() != wanted.id:',
                'if "typed" not in fields:',
            ),
        ),
    ),
    "meant_unheard": Mutation(
        "it is not heard which of several users of a browser is meant",
        (f"{VISITOR}::test_who_is_meant_on_a_shared_computer_is_asked_and_then_done",),
        (Edit("app/dashboard/customers/visitor.py", "cls(kind, wanted, only or None,", "cls(kind, wanted, None,"),),
    ),
    "assigned_as_nobody": Mutation(
        "a visitor is said to be given what one without a user and attributes would be",
        (f"{VISITOR}::test_assignments_are_those_that_a_page_is_given_and_each_says_why",),
        (
            Edit(
                "app/dashboard/customers/held.py",
                "assign(each, visitor, asking, now)",
                "assign(each, visitor, {}, now)",
            ),
        ),
    ),
    "tries_are_counted": Mutation(
        "a list that somebody tries counts as shown",
        (f"{RECOMMENDATIONS}::test_a_product_shows_the_list_that_its_page_would_and_is_counted_nowhere",),
        (Edit("app/dashboard/customers/recommendations.py", "[wanted], counted=False)", "[wanted])"),),
    ),
    "keys_of_nobody": Mutation(
        "the audit does not say who made a key on a page",
        (f"{SETTINGS}::test_a_key_is_shown_this_once_holds_at_once_and_does_what_it_was_made_for",),
        (
            Edit(
                "app/keys/changing.py",
                "changes(before, listed, self.actor)",
                'changes(before, listed, Actor("cli", ""))',
            ),
        ),
    ),
    "keys_of_any_scope": Mutation(
        "a key that is made on a page may do everything",
        (f"{SETTINGS}::test_a_key_is_shown_this_once_holds_at_once_and_does_what_it_was_made_for",),
        (Edit("app/dashboard/pages/settings.py", "for name in fields if name.startswith(SCOPE)]", "for name in ()]"),),
    ),
    "no_heads_of_pages": Mutation(
        "who asks for the head of a page is refused",
        ("tests/app/http/test_heads_of_pages.py",),
        (Edit("app/http/cold.py", 'scope["method"] == "HEAD" and path', 'scope["method"] == "" and path'),),
    ),
    "parted_percent": Mutation(
        "a line may end between a number and its %",
        ("tests/app/dashboard/test_saying.py",),
        (Edit("app/dashboard/saying.py", 'GLUE: Final = "\\u00a0"', 'GLUE: Final = " "'),),
    ),
    "glued_values": Mutation(
        "an id with a % in it is another one in the form that sends it again",
        ("tests/app/dashboard/test_saying.py",),
        (Edit("app/dashboard/saying.py", r"%(?=[^<>]*<(?!/(?:code|pre|textarea)\b))", "%"),),
    ),
    "unexplained_refusal": Mutation(
        "a code is refused with that no document explains",
        (f"{REFUSED}::test_each_code_that_is_raised_is_explained_and_each_that_is_explained_is_raised",),
        (Edit("app/routes/recommendations.py", '"invalid_diversity"', '"invalid_variety"'),),
    ),
    "no_remedy": Mutation(
        "an event is refused, and nobody is told what ends that",
        (f"{REFUSED}::test_each_code_that_is_told_of_events_has_a_remedy",),
        (Edit("events/tallies/remedies.py", '    "too_deep": "send objects', '    "so_deep": "send objects'),),
    ),
}
