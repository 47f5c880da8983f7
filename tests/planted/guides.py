"""Faults of the guides, of what `/docs` shows, and of what generators make of the OpenAPI document."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

GUIDES: Mapping[str, Mutation] = {
    "list_of_nothing": Mutation(
        "any JSON is described without what its lists hold, so that generators leave answers out",
        ("tests/app/management/test_openapi.py::"
         "test_every_list_says_what_it_holds_or_generators_of_clients_leave_its_answer_out",),
        (Edit("app/glossary/entries.py", "PLACE.read_bytes(), type",
              'PLACE.read_bytes().replace(b\',"items":{"description":"Any JSON."}\', b""), type'),),
    ),
    "key_of_nobody": Mutation(
        "an example of `/docs` shows the key of pages where only a backend may call",
        ("tests/app/glossary/test_calls.py::test_a_call_shows_the_key_of_pages_wherever_pages_may_call",),
        (Edit("app/glossary/calls.py", '("/v1/personalize/batch", ', '("/nowhere", '),),
    ),
    "unwritten_name": Mutation(
        "a property is read that no guide speaks of",
        ("tests/test_guides.py::test_every_name_that_is_read_stands_in_a_guide",),
        (Edit("events/dialects/service.py", '("score", "value", "rating", "answer")',
              '("score", "value", "rating", "answer", "stars")'),),
    ),
    "outdated_answer": Mutation(
        "a check withholds a ship, and the FAQ does not say so",
        ("tests/test_faq.py::test_what_keeps_a_test_from_being_shipped_are_the_checks_that_do",),
        (Edit("experiments/wording/codes.py", '"paused": (INFORMS,', '"paused": (WITHHOLDS,'),),
    ),
    "wrong_recipe": Mutation(
        "two tests of a recipe have the same visitors of a layer",
        ("tests/test_recipes.py::test_the_files_of_a_recipe_pass_the_check",),
        (Edit("docs/recipes/two-exclusive-tests.md", "share: [50%, 100%]", "share: [40%, 100%]"),),
    ),
    "broken_promise": Mutation(
        "a start page promises what a command does not print",
        ("tests/test_start.py::test_a_page_is_walked_to_its_end",),
        (Edit("docs/start/analyst.md", "units 20000 / 20000", "units 20000 / 20001"),),
    ),
    "dead_anchor": Mutation(
        "a link leads to a heading that is not there",
        ("tests/test_documents.py::test_every_link_of_a_document_leads_to_a_file_and_to_a_heading_of_it",),
        (Edit("docs/faq.md", "security.md#people-roles-sessions", "security.md#roles"),),
    ),
}  # fmt: skip
