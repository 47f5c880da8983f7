"""Faults of drafts that pages write, of the calculator and of the page of the program."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

KEEPING = "tests/experiments/drafts/test_keeping.py"
WRITING = "tests/experiments/drafts/test_writing.py"
DRAFT = "tests/experiments/drafts/test_draft.py"
CHECKING = "tests/experiments/drafts/test_checking.py"
NEW = "tests/app/dashboard/program/test_new.py"

DRAFTS: Mapping[str, Mutation] = {
    "drafts_over_files": Mutation(
        "a new draft is written over a file that is there",
        (f"{KEEPING}::test_what_is_there_is_never_written_over",),
        (
            Edit(
                "experiments/drafts/keeping.py",
                "            if path.is_symlink() or path.exists():",
                "            if False:",
            ),
            Edit(
                "experiments/drafts/keeping.py",
                'if not create_file(self.definitions / f"{key}.yaml", text.encode()):',
                'if replace_file(self.definitions / f"{key}.yaml", text.encode()):',
            ),
        ),
    ),
    "drafts_at_once": Mutation(
        "two who save the same key at once both succeed",
        (f"{KEEPING}::test_of_many_who_create_the_same_one_succeeds_and_its_file_is_whole",),
        (
            Edit(
                "experiments/drafts/keeping.py", "        return locked(self._records)", "        return nullcontext()"
            ),
            Edit(
                "experiments/drafts/keeping.py",
                "from contextlib import AbstractContextManager",
                "from contextlib import AbstractContextManager, nullcontext",
            ),
            Edit(
                "experiments/drafts/keeping.py",
                'if not create_file(self.definitions / f"{key}.yaml", text.encode()):',
                'if replace_file(self.definitions / f"{key}.yaml", text.encode()):',
            ),
        ),
    ),
    "files_of_others_edited": Mutation(
        "a page writes over what somebody changed by hand",
        (f"{KEEPING}::test_what_was_changed_by_hand_is_its_authors",),
        (
            Edit("experiments/drafts/keeping.py", "if written.digest != text_digest(text):", "if not written.digest:"),
            Edit("experiments/drafts/keeping.py", "            if found.seen != seen:", "            if not seen:"),
        ),
    ),
    "started_drafts_edited": Mutation(
        "a page writes the file of an experiment that was started",
        (f"{KEEPING}::test_what_was_started_is_never_edited_nor_its_key_taken_again",),
        (
            Edit(
                "experiments/drafts/keeping.py",
                "        if self._ran(key):\n            return written, f",
                "        if not key:\n            return written, f",
            ),
        ),
    ),
    "slower_editor_wins": Mutation(
        "of two editors of one version the second takes away what the first saved",
        (f"{KEEPING}::test_the_second_of_two_editors_is_told_who_was_faster",),
        (Edit("experiments/drafts/keeping.py", "            if found.seen != seen:", "            if not seen:"),),
    ),
    "keys_lead_anywhere": Mutation(
        "a key may lead out of the folder",
        (f"{KEEPING}::test_a_key_that_leads_elsewhere_is_none",),
        (
            Edit(
                "experiments/drafts/keeping.py",
                "        if not fullmatch(KEY_PATTERN, key):\n            return f'\"{key[:100]}\" is no key'\n",
                "",
            ),
        ),
    ),
    "texts_become_numbers": Mutation(
        "a text that reads as a number is written without quotes",
        (f"{WRITING}::test_a_value_is_read_back_as_it_was_beside_a_comment_and_another_field",),
        (
            Edit(
                "experiments/drafts/writing.py",
                "    if plain and isinstance(plain_scalar(text), str):",
                "    if plain:",
            ),
        ),
    ),
    "comments_in_texts": Mutation(
        "a text may hold what begins a comment without quotes",
        (f"{WRITING}::test_a_value_is_read_back_as_it_was_beside_a_comment_and_another_field",),
        (Edit("experiments/drafts/writing.py", "[\\w ./%€£+*$@()!?=;-]", "[\\w ./%€£+*$@()!?=;#-]"),),
    ),
    "mistakes_of_another_row": Mutation(
        "a mistake of a variant stands beside the first of them",
        (f"{DRAFT}::test_every_mistake_stands_beside_its_field",),
        (
            Edit(
                "experiments/drafts/form.py",
                "                found, inner = place, rest[",
                "                found, inner = 0, rest[",
            ),
        ),
    ),
    "harm_of_others": Mutation(
        "what a draft breaks in another file stands in the way of nothing",
        (f"{CHECKING}::test_what_it_breaks_in_another_file_is_its_doing_too",),
        (
            Edit(
                "experiments/drafts/checking.py",
                "    if others:\n        others &= ",
                "    if others:\n        others |= ",
            ),
        ),
    ),
    "unchecked_drafts": Mutation(
        "a draft with mistakes is written, and nothing new is served from then on",
        (f"{NEW}::test_what_is_wrong_stands_beside_its_field_in_the_words_of_the_check_and_nothing_is_written",),
        (Edit("app/dashboard/program/new.py", "    if not said.passed:", "    if said.found is None:"),),
    ),
    "drafts_of_viewers": Mutation(
        "who may only look may write drafts",
        (f"{NEW}::test_who_only_looks_is_offered_no_form",),
        (
            Edit(
                "app/keys/scopes.py",
                '"POST /dashboard/new/save": "export"',
                '"POST /dashboard/new/save": "read_results"',
            ),
        ),
    ),
    "spread_of_the_log": Mutation(
        "a rate of the log has another spread than the same rate when it is said",
        ("tests/app/dashboard/program/test_plan.py::test_what_nobody_said_is_that_of_the_log",),
        (
            Edit(
                "experiments/readout/planning.py",
                "spread = None if rule.is_share else request.sd",
                "spread = request.sd",
            ),
        ),
    ),
    "unhealthy_on_the_program": Mutation(
        "the page of the program shows effects that are not to be used",
        (
            "tests/app/dashboard/program/test_program.py::"
            "test_what_was_measured_stands_beside_what_is_likely_left_and_the_unhealthy_without_numbers",
        ),
        (
            Edit(
                "app/dashboard/program/program.html",
                '{% if row.outcome == "unhealthy" %}<td',
                '{% if row.outcome == "" %}<td',
            ),
        ),
    ),
}
