"""Faults of what a disk refuses, of orders that must hold all the same, and of files that are gone."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

MISSING = "tests/experiments/catalog/test_missing.py"
PUBLISHER = "tests/experiments/catalog/test_publisher.py"
FAILING = "tests/reliability/test_failing_disks.py"
OF_PEOPLE = "tests/reliability/test_failing_disks_of_people.py"
PUBLISHED = "experiments/catalog/publisher.py"

DISKS: Mapping[str, Mutation] = {
    "late_order_done": Mutation(
        "an order is done for which nobody waits any more, so that an old one overtakes a newer one",
        (
            "tests/app/control/test_lines.py::"
            "test_orders_that_come_together_are_kept_together_and_each_has_its_own_answer",
        ),
        (Edit("app/control/orders.py", "time.monotonic() > asked.until", "asked.until < 0"),),
    ),
    "held_against_the_oldest": Mutation(
        "orders that come together are held against what stood before the first of them",
        (
            "tests/experiments/catalog/test_overrides.py::"
            "test_orders_that_come_together_are_what_they_are_one_after_another",
        ),
        (
            Edit(
                PUBLISHED,
                "        if self._written is not None:  # what the next",
                "        if False:  # what the next",
            ),
        ),
    ),
    "refusal_named_for_ever": Mutation(
        "what the system refused once is named until somebody touches a definition file",
        (f"{PUBLISHER}::test_a_refusal_of_the_system_is_named_no_longer_than_it_holds",),
        (Edit(PUBLISHED, "            self._taken = None  # the folder is read again", "            pass  #"),),
    ),
    "half_a_restore_served": Mutation(
        "a restore that was killed between two names is taken for a data directory",
        (
            "tests/app/backup/test_edges.py::"
            "test_a_restore_that_was_killed_while_it_put_things_into_place_is_no_data_directory",
        ),
        (Edit("app/runtime/format.py", "if any(data.glob(", "if not any(data.iterdir()) and any(data.glob("),),
    ),
    "form_that_says_not_when": Mutation(
        "a form that a disk refuses is shown again without a word of when to come back",
        (f"{OF_PEOPLE}::test_who_sends_a_form_is_told_503_in_words_and_when_to_come_again",),
        (
            Edit(
                "app/dashboard/pages/shares.py",
                "if problem.status >= 500:  # that page says when to come again\n            raise\n        wrong",
                "if problem.status >= 600:\n            raise\n        wrong",
            ),
        ),
    ),
    "training_that_cannot_say_so": Mutation(
        "a training of a damaged log ends with a traceback where its report cannot be kept",
        (f"{OF_PEOPLE}::test_a_training_that_cannot_be_kept_ends_with_1_and_a_line",),
        (
            Edit(
                "app/processes/entry.py",
                "        except DataDamaged as damage:\n",
                "        except MemoryError as damage:\n",
            ),
        ),
    ),
    "silent_on_a_disk_that_gave_up": Mutation(
        "where the disk takes no socket nobody is heard",
        ("tests/app/control/test_lines.py::test_a_service_whose_disk_takes_no_socket_is_found_elsewhere",),
        (Edit("app/control/orders.py", "for place in (path, elsewhere(path))", "for place in (path,)"),),
    ),
    "gave_up_for_good": Mutation(
        "a disk that gave up is taken for a folder that is set up wrongly, so that the service does not start",
        (
            "tests/events/store/test_embedded.py::"
            "test_a_disk_that_gave_up_is_told_apart_and_the_store_starts_once_it_is_mended",
        ),
        (
            Edit(
                "events/store/embedded.py",
                "_GIVEN_UP: Final = frozenset({errno.EROFS, errno.EIO})",
                "_GIVEN_UP: Final = frozenset[int]()",
            ),
        ),
    ),
    "kept_before_it_holds": Mutation(
        "a pause is written before it holds, so that a full disk keeps it from everybody",
        (f"{FAILING}::test_the_supervisor_names_it_and_goes_on",),
        (
            Edit(
                PUBLISHED,
                "        self._orders = {**self._orders, told.key: new}\n",
                "        keep_file(self._paths.overrides, overrides_json({told.key: new}), self._ballast)\n"
                "        self._orders = {**self._orders, told.key: new}\n",
            ),
        ),
    ),
    "untold_until_kept": Mutation(
        "what is served is told to nobody until the disk has it",
        (f"{PUBLISHER}::test_what_the_disk_does_not_take_is_served_all_the_same_named_and_kept_when_it_does",),
        (
            Edit(
                PUBLISHED,
                '            self.publish("catalogue", published.model_dump_json().encode())\n',
                "            self._to_keep.keep()\n"
                '            self.publish("catalogue", published.model_dump_json().encode())\n',
            ),
            Edit(
                PUBLISHED,
                "            publish_catalog(self._paths, published, self._to_keep)\n",
                "",
            ),
        ),
    ),
    "empty_folder_obeyed": Mutation(
        "an experiment ends because its file is gone",
        (f"{MISSING}::test_what_runs_or_is_paused_is_served_on_named_and_told_of",),
        (
            Edit(
                PUBLISHED,
                "        missing = missing_of(served, names or ()) if served else ()\n",
                "        missing: tuple[str, ...] = ()\n",
            ),
        ),
    ),
    "held_without_side_files": Mutation(
        "what is held loses the metrics and the currency that went with its file",
        (f"{MISSING}::test_orders_work_on_what_is_held_and_a_stop_forgets_it",),
        (
            Edit(
                "experiments/catalog/changes.py",
                "    if held:\n        held |= {side for side in SIDES if side not in stems}\n",
                "",
            ),
        ),
    ),
    "unforeseen_disk": Mutation(
        "what a disk refuses is an unexpected error",
        (f"{FAILING}::test_a_request_is_told_503_and_when_to_come_again",),
        (
            Edit(
                "app/http/dispatch.py",
                "    if (unwritten := not_written(error)) is not None:\n"
                "        exchange.refusal = unwritten.code\n        return unwritten\n",
                "",
            ),
            Edit("app/http/dispatch.py", "import Problem, not_written, problem_body", "import Problem, problem_body"),
        ),
    ),
}
