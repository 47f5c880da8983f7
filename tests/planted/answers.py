"""Faults of the glossary and of the types in `/openapi.json`."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

DOCUMENT = "tests/app/management/test_openapi.py"
TYPES = "tests/app/describing/test_answers.py"

ANSWERS: Mapping[str, Mutation] = {
    "unexplained_member": Mutation(
        "a member of an answer has no explanation",
        (f"{TYPES}::test_every_name_in_the_answers_is_explained_in_one_place",),
        (
            Edit(
                "experiments/answers/readout.py",
                '    """How many more whole days the plan has at most."""\n',
                "",
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
}
