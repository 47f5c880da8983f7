"""Faults of the pages of metrics, events and operations, and of what a page cannot show."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

REFUSALS = "tests/app/dashboard/test_refusals.py"
OPERATIONS = "tests/app/dashboard/pages/test_operations.py"
EVENTS = "tests/app/dashboard/pages/test_events.py"

ROOMS: Mapping[str, Mutation] = {
    "unexplained_cause": Mutation(
        "a cause of readyz has no sentence",
        (OPERATIONS,),
        (
            Edit(
                "app/runtime/ailments.py",
                '    "store_loading": ("The event store reads its data after a start.", BY_ITSELF),\n',
                "",
            ),
        ),
    ),
    "json_for_browsers": Mutation(
        "what a page cannot show is JSON",
        (REFUSALS,),
        (Edit("app/dashboard/refusals.py", 'path.startswith(f"{HOME}/")', "False"),),
    ),
    "pages_all_the_same": Mutation(
        "the pages are there though they are switched off",
        (REFUSALS,),
        (Edit("app/main.py", 'cold_application(pages=settings.dashboard == "on")', "cold_application()"),),
    ),
    "others_arrivals": Mutation(
        "a look at one visitor shows what others sent",
        (EVENTS,),
        (
            Edit(
                "experiments/arrivals/sql/newest_rows_of.sql",
                "  AND e.visitor_id = $visitor",
                "  AND $visitor IS NOT NULL",
            ),
        ),
    ),
    "looks_unseen": Mutation(
        "a look at a visitor leaves no line in the audit",
        (EVENTS,),
        (
            Edit(
                "app/dashboard/pages/events.py",
                '    await note(asked, worker, Act("access", subject_of("visitor", visitor)))\n',
                "",
            ),
        ),
    ),
    "never_in_time": Mutation(
        "a slow page is still computing however often it is reloaded while events come",
        ("tests/app/worker/test_reads.py",),
        (Edit("app/worker/reads.py", "            return self._last(question)", "            return None"),),
    ),
    "computed_by_each_reload": Mutation(
        "every reload of a slow page starts the same computation once more",
        ("tests/app/worker/test_reads.py",),
        (Edit("app/worker/reads.py", "        if told is None:\n", "        if True:\n"),),
    ),
}
