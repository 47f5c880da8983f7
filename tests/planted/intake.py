"""Faults of what is taken in: values read otherwise, events lost for what they can do without, exposures believed."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

VALUES = "tests/kit/test_values.py"
REPAIRS = "tests/app/intake/test_repairs.py"
NAMES = "tests/app/intake/test_names.py"
PATHS = "tests/app/intake/test_paths.py"
EXPOSURES = "tests/app/intake/test_exposures.py"
EVERY = "tests/app/intake/test_every_event.py::test_a_field_of_any_kind_costs_no_event_that_can_do_without_it"

INTAKE: Mapping[str, Mutation] = {
    "shared_ids": Mutation(
        "an id that thousands share is one",
        (VALUES, REPAIRS),
        (
            Edit("kit/values.py", 'value not in SHARED_IDS and value[0] != " "', 'value[:1].strip(" ")'),
            Edit("kit/values.py", "    if value in SHARED_IDS:", "    if False:"),
        ),
    ),
    "guessed_money": Mutation(
        "an amount in another notation is guessed at",
        (VALUES, f"{REPAIRS}::test_an_order_is_worth_what_can_be_read_of_it"),
        (
            Edit("kit/values.py", "DECIMAL.fullmatch(value):", 'DECIMAL.fullmatch(value.strip("$")):'),
            Edit(
                "kit/values.py",
                "        return float(value)\n    text",
                '        return float(value.strip("$"))\n    text',
            ),
        ),
    ),
    "digits_as_dates": Mutation(
        "epoch milliseconds as text are a date of ISO 8601",
        (f"{VALUES}::test_a_moment_is_the_same_however_it_is_written",),
        (Edit("kit/values.py", 'if value[4:5] != "-":', 'if value[4:5] == "?":'),),
    ),
    "needed_times": Mutation(
        "a time that cannot be read costs its event",
        (EVERY, REPAIRS),
        (
            Edit(
                "events/dialects/fields.py",
                "    if type(found) is int or not isinstance(found, Unusable):\n        return found\n",
                "    if type(found) is int or not isinstance(found, Unusable):\n        return found\n"
                "    raise EventRefused(found.code, field, found.reason)\n",
            ),
        ),
    ),
    "silent_repairs": Mutation(
        "what was left out of an event is named to nobody",
        (REPAIRS, "tests/app/intake/test_every_event.py::test_what_was_left_out_is_named_in_the_answer_and_in_the_row"),
        (Edit("events/dialects/segment.py", "if notes else kept", "if not notes else kept"),),
    ),
    "drawn_ids": Mutation(
        "an event whose messageId cannot be used gets another one each time",
        (f"{REPAIRS}::test_an_event_whose_id_cannot_be_used_is_known_again_when_it_is_sent_again",),
        (Edit("events/dialects/fields.py", 'frozenset({"sentAt", ', "frozenset({"),),
    ),
    "repeated_exposures": Mutation(
        "an exposure that is told again is another row",
        (f"{EXPOSURES}::test_an_exposure_that_is_told_again_is_one_and_no_conflict",),
        (Edit("app/intake/judging.py", "_written(exposure)", "_written((exposure, now_seconds()))"),),
    ),
    "conflicting_exposures": Mutation(
        "an exposure that is told again counts as two senders who share ids",
        (f"{EXPOSURES}::test_an_exposure_that_is_told_again_is_one_and_no_conflict",),
        (Edit("events/ingest/group_commit.py", "record.message_id.startswith(REPEATABLE)", "False"),),
    ),
    "forged_first": Mutation(
        "a forged exposure takes the place of a true one",
        (f"{EXPOSURES}::test_an_exposure_is_judged_by_the_id_that_was_hashed_and_counts_for_its_own",),
        (
            Edit(
                "app/intake/judging.py",
                "found.forged,\n        found.forced,\n        found.bot,",
                "",
            ),
        ),
    ),
    "unhashed_ids": Mutation(
        "an exposure is held against its own id, whichever was hashed",
        (f"{EXPOSURES}::test_an_exposure_is_judged_by_the_id_that_was_hashed_and_counts_for_its_own",),
        (Edit("app/intake/judging.py", "ids = (hashed, hashed)", "ids = (record.visitor_id, record.user_id)"),),
    ),
    "second_ids": Mutation(
        "the id that was hashed is stored of who is measured",
        (f"{EXPOSURES}::test_nothing_of_a_second_id_is_stored_of_who_is_measured",),
        (
            Edit(
                "events/dialects/segment.py",
                "believed is None or consent is PERSONAL else",
                "believed is None or consent is PERSONAL or exposes else",
            ),
        ),
    ),
    "kept_evaluations": Mutation(
        "evaluations of features are stored",
        (f"{EXPOSURES}::test_evaluations_of_features_are_dropped_and_counted",),
        (Edit("events/dialects/segment.py", "if sent in FEATURE_EVALUATED and not", "if False and not"),),
    ),
    "unlike_agents": Mutation(
        "GrowthBook's events know no user agent of a backend's visitor",
        (f"{EXPOSURES}::test_a_user_agent_is_of_one_class_at_every_door",),
        (Edit("events/dialects/growthbook.py", 'attributes.get("userAgent") or item.get("user_agent")', "None"),),
    ),
    "slashes_of_ids": Mutation(
        "a slash that is part of an id is taken off",
        (f"{PATHS}::test_a_slash_that_is_written_as_part_of_an_id_stays_one",),
        (Edit("app/http/dispatch.py", ' and scope["raw_path"][-1:] == b"/" and', " and"),),
    ),
    "told_definitions": Mutation(
        "hints tell pages names that only the definitions know",
        (f"{NAMES}::test_a_name_that_no_metric_reads_is_hinted_to_who_may_know",),
        (Edit("app/intake/hints.py", "{False: frozenset(VOCABULARY)", "{False: heard.names.union(VOCABULARY)"),),
    ),
    "spelled_surveys": Mutation(
        "names of surveys are compared by their case",
        ("tests/experiments/readout/test_points.py",),
        (
            Edit(
                "experiments/cube/statements.py",
                'f"lower({self._text(name)})" if name in',
                "self._text(name) if name in",
            ),
        ),
    ),
    "searched_without_end": Mutation(
        "whoever makes up names has each of them searched for",
        (f"{NAMES}::test_strangers_who_make_up_names_have_few_of_them_searched_for",),
        (Edit("app/intake/hints.py", "return self._searched <= MOST_SEARCHED", "return True"),),
    ),
    "open_quotes": Mutation(
        "what stands behind a quote that nobody ends is told",
        ("tests/events/tallies/test_refused_events.py::test_a_quote_that_nobody_ends_holds_the_rest",),
        (
            Edit(
                "events/tallies/refused_events.py",
                r"""(?<!\w)'(?:[^'\\]|\\.)*+(?:'|\\?\Z)""",
                r"""(?<!\w)'(?:[^'\\]|\\.)*+'""",
            ),
        ),
    ),
    "batches_at_once": Mutation(
        "an event that cannot be decoded costs its batch",
        ("tests/app/intake/test_tracking.py::test_an_event_that_cannot_be_decoded_with_its_batch_costs_only_itself",),
        (
            Edit(
                "app/intake/tracking.py", "        return decode(body, RAW_BATCH)", "        return decode(body, BATCH)"
            ),
        ),
    ),
}
