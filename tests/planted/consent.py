"""Faults of what is stored and answered of whom by their consent."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

DOORS = "tests/app/routes/test_consent.py"
PERMITTED = "tests/events/test_permitted.py"
MODES = "tests/app/identity/test_consent.py"

CONSENT: Mapping[str, Mutation] = {
    "mildest_consent": Mutation(
        "of what is said of consent the mildest holds",
        (MODES,),
        (Edit("events/consent.py", "return min((mode for mode", "return max((mode for mode"),),
    ),
    "objection_allows": Mutation(
        "a browser that objects gets more than one that says nothing",
        (MODES,),
        (Edit("app/identity/consent.py", "return min(unsaid, self.opted_out)", "return self.opted_out"),),
    ),
    "unheard_cookie": Mutation(
        "what the cookie says of consent is not heard",
        (MODES, DOORS),
        (Edit("app/identity/consent.py", 'HEADER, b"cookie", OPTED_OUT', "HEADER, OPTED_OUT"),),
    ),
    "refused_rows": Mutation(
        "who refuses is stored as who is measured",
        (f"{DOORS}::test_who_refuses_leaves_no_byte_anywhere", PERMITTED),
        (
            Edit("events/permitted.py", "consent is Consent.NONE or record.type", "record.type"),
            Edit("events/dialects/segment.py", "    if consent is NONE:\n        return None\n", ""),
        ),
    ),
    "measured_users": Mutation(
        "who is measured is stored with the user",
        (PERMITTED, DOORS),
        (Edit("events/permitted.py", "        user_id=None,\n", ""),),
    ),
    "measured_user_ids": Mutation(
        "a user id in the place of a visitor id is stored of who is measured",
        (PERMITTED, DOORS),
        (Edit("events/permitted.py", '"" if record.visitor_id == record.user_id else ', ""),),
    ),
    "measured_exposures": Mutation(
        "the exposures of who is measured are stored whole",
        (f"{DOORS}::test_who_is_measured_is_stored_by_the_visitor_id_alone",),
        (Edit("app/routes/evaluation.py", "if visitor.consent is not PERSONAL:", "if False:"),),
    ),
    "measured_history": Mutation(
        "the purchases of who is measured are remembered",
        (f"{DOORS}::test_who_is_measured_is_stored_by_the_visitor_id_alone",),
        (Edit("events/ingest/history.py", ' or record.consent != "personal"', ""),),
    ),
    "trained_on_measured": Mutation(
        "a model knows people by what they may only be measured by",
        ("tests/recommender/training/test_sources.py",),
        (Edit("recommender/training/order_lines.sql", "e.consent = 'measure'", "e.consent = 'none'"),),
    ),
    "answered_by_past": Mutation(
        "who is measured is answered by what they bought",
        ("tests/app/routes/test_recommendations.py::test_who_allows_a_count_is_answered_by_nobodys_past",),
        (Edit("app/routes/recommendations.py", "if consent is not Consent.PERSONAL:", "if consent is Consent.NONE:"),),
    ),
    "refused_and_drawn": Mutation(
        "who refuses is drawn",
        (f"{DOORS}::test_who_refuses_is_answered_control_or_what_was_shipped",),
        (
            Edit(
                "app/routes/ofrep.py",
                "assign(experiment, NOBODY, context, now, forced)",
                "assign(experiment, visitor, context, now, forced)",
            ),
        ),
    ),
    "enrolled_users": Mutation(
        "an experiment on users enrols who allows a count",
        (DOORS,),
        (Edit("app/routes/evaluation.py", "USERS: Final = frozenset({USER_ATTRIBUTE})", "USERS: Final = frozenset()"),),
    ),
    "unlike_arms": Mutation(
        "that the variants differ in consent is told of no difference",
        ("tests/experiments/readout/test_consent.py",),
        (
            Edit(
                "experiments/readout/health.py",
                "isinstance(p, float) and p < UNEQUAL_ALPHA:\n        shares",
                "False:\n        shares",
            ),
        ),
    ),
}
