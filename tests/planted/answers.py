"""Faults of the glossary and of the types in `/openapi.json`."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

DOCUMENT = "tests/app/management/test_openapi.py"
TYPES = "tests/app/describing/test_answers.py"

ANSWERS: Mapping[str, Mutation] = {
    "unexplained_member": Mutation(
        "a member of an answer has no explanation",
        (f"{TYPES}::test_every_member_says_what_it_is_or_where_that_is_said",),
        (
            Edit(
                "experiments/answers/readout.py",
                '    """How many more whole days the plan has at most."""\n',
                "",
            ),
        ),
    ),
    "borrowed_explanation": Mutation(
        "a member has the explanation of another type, because it has the same name",
        (f"{TYPES}::test_every_member_says_what_it_is_or_where_that_is_said",),
        (
            Edit(
                "app/answers/visitors.py",
                '    """Here: The key of the variant that the visitor gets; of who takes no part, '
                'control\'s."""\n    payload',
                "    payload",
            ),
        ),
    ),
    "stale_glossary": Mutation(
        "an explanation is changed, and not what is made of it",
        (f"{TYPES}::test_the_page_of_the_glossary_is_made_of_the_types_as_they_are",),
        (Edit("experiments/answers/readout.py", "How many more whole days", "How many whole days"),),
    ),
    "untyped_answer": Mutation(
        "an operation has no type of its answer in the document",
        (f"{DOCUMENT}::test_every_answer_of_json_has_a_type_and_every_success_an_example_of_it",),
        (
            Edit(
                "app/glossary/operations.py",
                '_named("getAllResults", "ComparisonRows")',
                '_named("getAllResults", "ComparisonRow")',
            ),
        ),
    ),
    "brief_of_the_untrusted": Mutation(
        "in brief a test that cannot be trusted has effects",
        ("tests/experiments/answers/test_brief.py",),
        (
            Edit(
                "experiments/answers/brief.py",
                '() if decision.action == "unhealthy" else readout.metrics',
                "readout.metrics",
            ),
        ),
    ),
    "guide_that_leads_nowhere": Mutation(
        "a guide that is served leads to what is not",
        ("tests/app/management/test_guides.py",),
        (Edit("app/management/guides.py", "return link[0] if stays and", "return link[0] if place and stays or"),),
    ),
}
