"""Faults of what is told of events that were not taken, and of what readouts say of what arrived."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

EVENTS = "tests/app/management/test_events.py"
CHECKS = "tests/experiments/arrivals/test_checks.py"

ARRIVALS: Mapping[str, Mutation] = {
    "unseen_refusals": Mutation(
        "a refused event is counted and told to nobody",
        (f"{EVENTS}::test_a_refused_event_is_told_with_why_where_and_from_whom",),
        (Edit("app/intake/tracking.py", "        resources.intake.noted(reading)", "        pass"),),
    ),
    "invented_labels": Mutation(
        "a library is called what its caller says",
        (f"{EVENTS}::test_metrics_count_refusals_by_code_and_known_library_alone",),
        (Edit("events/libraries.py", "NAMES.get(known, OTHER_LIBRARY)", "NAMES.get(known, known)"),),
    ),
    "quoted_values": Mutation(
        "what a message quotes of an event is kept",
        ("tests/events/tallies/test_refused_events.py::test_of_a_quoted_value_nothing_is_kept",),
        (Edit("events/tallies/refused_events.py", 'QUOTED.sub("…", message)', "message"),),
    ),
    "lost_tallies": Mutation(
        "what a full disk refused to keep is forgotten",
        ("tests/events/tallies/test_refused_events.py",),
        (Edit("app/worker/intake.py", "                self._noted = noted\n", "                pass\n"),),
    ),
    "tests_in_readouts": Mutation(
        "an event that was sent to see whether it arrives is counted",
        ("tests/app/routes/test_events_that_are_tests.py",),
        (Edit("app/intake/tracking.py", "structs.replace(record, quarantined=True)", "structs.replace(record)"),),
    ),
    "guessed_causes": Mutation(
        "another id is blamed for forged exposures where it explains no more than chance",
        (f"{CHECKS}::test_of_invented_exposures_no_setting_is_blamed",),
        (Edit("experiments/arrivals/exposing.py", "EXPLAINED: Final = 0.8", "EXPLAINED: Final = 0.3"),),
    ),
    "numbers_for_nothing": Mutation(
        "a number that is missing is 999999",
        ("tests/events/engines/test_engine.py",),
        (
            Edit(
                "events/engines/duckdb.py",
                "    if not isinstance(values, np.ma.MaskedArray):\n        return values\n",
                "    return values.filled() if isinstance(values, np.ma.MaskedArray) else values\n",
            ),
        ),
    ),
    "erased_and_listed": Mutation(
        "the list of refused events knows nothing of erasures",
        ("tests/events/tallies/test_refused_events.py",),
        (Edit("events/tallies/refused_events.py", "known.keep_notes(stays)", "known.keep_notes(lambda _: True)"),),
    ),
    "told_in_our_words": Mutation(
        "what is said of an event of Google's names our fields",
        ("tests/events/dialects/test_named_fields.py",),
        (Edit("events/dialects/ga4.py", "field=field, message", "field=remark.field, message"),),
    ),
    "told_by_truth": Mutation(
        "rows that are told of one name leave out what is 0, and pages' rows with it",
        ("tests/app/management/test_events.py::test_what_a_page_sends_is_told_too_and_a_value_of_nothing_is_a_value",),
        (
            Edit(
                "experiments/arrivals/names.py",
                "if value is not None and value is not False",
                "if value not in (None, False)",
            ),
        ),
    ),
}
