"""Faults of what tells somebody that something is wrong: metrics, alerts, the pages of the runbook."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

EXPOSITION = "tests/app/metrics/test_exposition.py"
RUNBOOK = "tests/reliability/test_runbook.py"
HEARTBEATS = "tests/app/processes/test_heartbeats.py"
PIPELINE = "tests/app/metrics/test_pipeline.py"
ALERTS = "tests/test_alerts.py"

WATCHING: Mapping[str, Mutation] = {
    "unheard_alerts": Mutation(
        "an alert waits for a cause that has one of its own",
        (f"{ALERTS}::test_each_cause_of_readyz_belongs_to_one_alert",),
        (Edit("ops/prometheus/alerts.yml", "data_damaged|copy_torn|store_folder_unusable", "store_folder_unusable"),),
    ),
    "alert_that_never_fires": Mutation(
        "an alert waits until nobody can mend anything any more",
        (f"{ALERTS}::test_each_alert_fires_on_what_deserves_it_and_not_on_what_nearly_does",),
        (Edit("ops/prometheus/alerts.yml", "resonate_lag_seconds > 30", "resonate_lag_seconds > 3000"),),
    ),
    "refused_and_not_counted": Mutation(
        "who is refused by what is not hot is not counted",
        (f"{EXPOSITION}::test_who_is_refused_is_counted_by_the_code_that_was_told",),
        (Edit("app/http/cold.py", "if reply.status >= 400:", "if reply.status >= 600:"),),
    ),
    "what_others_saw_before": Mutation(
        "a worker tells what was seen first, not last",
        (f"{PIPELINE}::test_every_worker_tells_what_the_one_saw_that_looked_last",),
        (Edit("app/metrics/pipeline.py", "latest = max(workers", "latest = min(workers"),),
    ),
    "page_that_looks_elsewhere": Mutation(
        "a page of the runbook looks where its fault leaves nothing",
        (f"{RUNBOOK}::test_a_page_is_followed_while_its_fault_is_there",),
        (Edit("docs/runbook/ResonateDown.md", "-m 5 $SERVICE/healthz", "-m 5 $SERVICE/healthz; true"),),
    ),
    "trainer_that_always_beats": Mutation(
        "a training beats whether it computes or not",
        (f"{HEARTBEATS}::test_a_training_beats_for_each_second_in_which_it_computed",),
        (Edit("app/processes/heartbeats.py", ">= COMPUTED_SECONDS and", ">= 0.0 and"),),
    ),
    "calm_since_the_restart": Mutation(
        "what died again and again is called so for as long as its last start was put off, and eight seconds",
        (f"{HEARTBEATS}::test_five_endings_in_a_minute_are_a_loop_until_it_is_quiet",),
        (Edit("app/processes/heartbeats.py", "self._ended_at.get(role, times[-1])", "times[-1]"),),
    ),
    "rounds_that_end": Mutation(
        "a round that something is thrown into was the last",
        ("tests/reliability/test_thrown_into_tasks.py::test_whatever_is_thrown_into_whichever_task_all_goes_on",),
        (
            Edit(
                "kit/tasks.py",
                "                    if is_own_end(error):\n                        raise\n                    pause",
                "                    raise\n                    pause",
            ),
        ),
    ),
    "lag_that_stands_still": Mutation(
        "what waits is as young as the look at it",
        (f"{PIPELINE}::test_what_waits_is_told_where_no_writer_runs_and_as_it_was_while_the_store_is_away",),
        (
            Edit(
                "events/writer/watermark.py",
                "max(0, now_us - received_us) / SECOND_US",
                "max(0, now_us - now_us) / 1.0",
            ),
        ),
    ),
}
