"""Planted faults, each of which must turn a test red: a gate that cannot fail is no gate.

    python tests/mutations.py [NAME …]

Each mutation is made in a copy of the repository, never in the repository itself; its tests run there. Prints a line
for each and ends with 1 unless all turned red. docs/reliability.md has the list with what was measured.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
LEFT_OUT = (".git", ".venv", "data", "demo-data", "node_modules", "__pycache__", ".hypothesis", ".ruff_cache")
LONGEST_SECONDS = 170.0
KILLS = "tests/reliability/test_kills.py"
OUTAGE = "tests/reliability/test_store_outage.py"
LIFECYCLE = "tests/app/processes/test_lifecycle.py"
CRASH_POINTS = "tests/events/writer/test_crash_points.py"
RUDE = "tests/reliability/test_rude_clients.py"
STATISTICS = "tests/experiments/statistics"
READOUT = "tests/experiments/readout"
HTTP = "tests/app/http"
OTHER_USERS = "tests/app/processes/test_other_users.py"
DAMAGED_STORE = "tests/reliability/test_damaged_store.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """One piece of text in a file, which stands there exactly once, and what takes its place."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault as somebody might make it, and the tests of which at least one must fail with it."""

    fault: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]


BY_UNITS = "test_looks_spend_by_their_units_at_most_by_the_calendar_and_the_last_one_all_that_is_left"
FIND_REPEATS = "repeated = self._duplicates.positions(parts, self._visible)"
WRITE = "write_part(Place(self._log, day, name, entries[-1].stream_number), [table], self._options.reach)"

MUTATIONS: Mapping[str, Mutation] = {
    "acknowledge_early": Mutation(
        "an event is acknowledged before the store has it",
        (f"{OUTAGE}::test_a_crowd_behind_a_store_that_stands_still_is_refused_and_leaves_no_memory_behind",),
        (
            Edit(
                "events/ingest/group_commit.py",
                "self._waiting.append((batch, future))",
                "self._waiting.append((batch, future)); future.set_result(0)",
            ),
        ),
    ),
    "doubled_part": Mutation(
        "a part is written twice",
        (f"{KILLS}::test_a_power_cut_costs_nothing",),
        (
            Edit(
                "events/writer/shard.py",
                WRITE,
                f"{WRITE}; sequence += 1; name = PartName(self._shard, sequence, sequence, 0); {WRITE}",
            ),
        ),
    ),
    "dropped_lock": Mutation(
        "a second instance may use the data directory",
        (f"{LIFECYCLE}::test_a_second_instance_is_refused_every_time",),
        (Edit("kit/files.py", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "descriptor.bit_length()"),),
    ),
    "dropped_fence": Mutation(
        "a part replaces the one of another writer instead of failing",
        (
            f"{CRASH_POINTS}::test_a_writer_that_stood_still_while_another_one_went_on_writes_nothing_twice",
            "tests/events/parts/test_parts.py::test_a_name_is_given_once",
        ),
        (Edit("events/parts/sealing.py", "os.link(file.name, files.data)", "os.replace(file.name, files.data)"),),
    ),
    "late_trim": Mutation(
        "a writer whose lease another data directory has taken over trims what that one has not read",
        ("tests/events/writer/test_lease.py",),
        (Edit("events/store/functions.lua", "    return -1\n", "    owner = nil\n"),),
    ),
    "copied_part": Mutation(
        "a part that was copied under the next number is read as one of its own",
        ("tests/events/parts/test_parts.py",),
        (Edit("events/parts/part.py", "part.first_stream_number <= last.last_stream_number", "part.rows < 0"),),
    ),
    "dropped_hash": Mutation(
        "a part's sha256 is not compared",
        ("tests/reliability/test_damaged_parts.py",),
        (Edit("events/parts/part.py", "if found != part.sha256:", "if not found:"),),
    ),
    "believed_before_verified": Mutation(
        "what a part holds is read before its sha256 is compared",
        ("tests/events/log/test_contents.py",),
        (
            Edit(
                "events/parts/part.py",
                "        for part in parts:\n            self.verified(part)\n        try:",
                "        try:",
            ),
        ),
    ),
    "dropped_limits": Mutation(
        "bodies may be of any size",
        ("tests/app/http/test_hostile_probes.py",),
        (Edit("app/http/body.py", "MAX_BODY: Final = 500_000", "MAX_BODY: Final = 500_000_000"),),
    ),
    "dropped_deadline": Mutation(
        "a body may take as long as it likes",
        (f"{RUDE}::test_fifty_slow_clients_are_dropped_in_six_seconds_while_others_are_served",),
        (Edit("app/http/deadlines.py", "RECEIPT_SECONDS: Final = 5.0", "RECEIPT_SECONDS: Final = 50.0"),),
    ),
    "no_deduplication": Mutation(
        "neither the store nor the readers notice a repeat",
        (f"{KILLS}::test_kills_of_single_processes_cost_nothing_and_every_answer_comes_in_time",),
        (
            Edit(
                "events/store/functions.lua",
                "    if before then\n      duplicates",
                "    if false then\n      duplicates",
            ),
            Edit("events/deletes/hidden.py", FIND_REPEATS, "repeated = empty_positions()"),
        ),
    ),
    "store_forgets": Mutation(
        "the store notices no repeat (the readers still do, so the promise holds, but the economy is gone)",
        ("tests/events/deletes/test_duplicates.py",),
        (
            Edit(
                "events/store/functions.lua",
                "    if before then\n      duplicates",
                "    if false then\n      duplicates",
            ),
        ),
    ),
    "readers_forget": Mutation(
        "readers trust the store for repeats, whose window is a day",
        (
            f"{DAMAGED_STORE}::test_events_that_are_in_parts_survive_the_loss_of_the_whole_store",
            "tests/events/deletes/test_hidden.py",
        ),
        (Edit("events/deletes/hidden.py", FIND_REPEATS, "repeated = empty_positions()"),),
    ),
    "lazy_fsync": Mutation(
        "the store syncs once a second",
        ("tests/events/store/test_embedded.py::test_its_settings_are_durable_private_and_never_evict",),
        (Edit("events/store/process.py", '"appendfsync": "always"', '"appendfsync": "everysec"'),),
    ),
    "patient_ingest": Mutation(
        "a store that stands still is waited for",
        (f"{OUTAGE}::test_a_store_that_stands_still_costs_no_assignment_and_refuses_events_in_time",),
        (Edit("events/store/connection.py", "ANSWER_SECONDS: Final = 1.0", "ANSWER_SECONDS: Final = 10.0"),),
    ),
    "writer_left_dead": Mutation(
        "a writer that died is not started again",
        (f"{KILLS}::test_kills_of_single_processes_cost_nothing_and_every_answer_comes_in_time",),
        (
            Edit(
                "app/processes/supervisor.py",
                "for child in [*self.workers, self.writer]:",
                "for child in self.workers:",
            ),
        ),
    ),
    "orphans": Mutation(
        "children outlive their supervisor",
        (f"{LIFECYCLE}::test_the_supervisor_killed_leaves_no_orphan",),
        (
            Edit(
                "kit/child.py",
                "ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, int(orphan_signal), 0, 0, 0)",
                "ctypes.CDLL(None)",
            ),
        ),
    ),
    "erased_come_back": Mutation(
        "tombstones are not read",
        ("tests/reliability/test_awkward_facts.py::test_an_erased_visitor_who_comes_back_is_a_new_one",),
        (Edit("events/deletes/hidden.py", "stones = read_tombstones(self._data)", "stones: list[Tombstone] = []"),),
    ),
    "followed_claims": Mutation(
        "access and erasure follow what a page says of who is whom",
        ("tests/events/privacy/test_person.py", "tests/app/routes/test_people.py"),
        (Edit("events/privacy/person.py", "return self.authority > Authority.PAGE", "return self.authority >= 0"),),
    ),
    "erased_neighbour": Mutation(
        "compaction drops what another user did in the browser of an erased one, which readers still see",
        ("tests/events/privacy/test_person.py",),
        (
            Edit(
                "events/writer/compaction.py",
                "~erased(table, parts[0].shard, stones)",
                '~erased(table, parts[0].shard, [__import__("msgspec").structs.replace(stone, unnamed=False) '
                "for stone in stones])",
            ),
        ),
    ),
    "thawed_design": Mutation(
        "a running experiment's design may be changed under its visitors",
        ("tests/reliability/test_definitions_under_load.py",),
        (
            Edit(
                "experiments/catalog/publisher.py",
                "errors = [*refused_changes(content, self._written, reading.files, phases, now)]",
                "errors: list[DefinitionError] = []",
            ),
        ),
    ),
    "believed_exposures": Mutation(
        "an exposure to a variant that the hash does not give is believed",
        ("tests/app/routes/test_tracking.py::test_a_client_exposure_is_named_judged_and_kept",),
        (Edit("app/routes/tracking.py", "forged=record.visitor_id not in newest.previewed", "forged=False"),),
    ),
    "no_rate_limit": Mutation(
        "a key may call as often as it likes",
        (f"{RUDE}::test_a_burst_on_one_key_is_turned_away_and_another_key_does_not_feel_it",),
        (Edit("app/http/admission.py", "if early > 1e-9:", "if early > 1e9:"),),
    ),
    "keys_in_logs": Mutation(
        "log lines are not redacted",
        ("tests/app/runtime/test_logs.py",),
        (
            Edit(
                "app/runtime/logs.py",
                "return self.redact(json.dumps(line, default=str, ensure_ascii=True))",
                "return json.dumps(line, default=str, ensure_ascii=True)",
            ),
        ),
    ),
    "unseen_trouble": Mutation(
        "one of the things that go wrong is counted and never shown",
        ("tests/app/runtime/test_what_is_counted.py",),
        (
            Edit(
                "app/runtime/telemetry.py",
                "for trouble in TROUBLES:\n            name",
                "for trouble in TROUBLES[:-1]:\n            name",
            ),
        ),
    ),
    "sparse_counters": Mutation(
        "the blocks of the counters' file are allocated when they are first written to",
        ("tests/app/runtime/test_telemetry.py",),
        (
            Edit(
                "app/runtime/telemetry.py",
                "os.pwrite(descriptor, bytes(self._bytes - there), there)",
                "os.ftruncate(descriptor, max(self._bytes, there))",
            ),
        ),
    ),
    "leaking_questions": Mutation(
        "each question opens a connection to the store of its own",
        ("tests/app/analysis/test_own_writes.py",),
        (
            Edit(
                "app/analysis/state.py",
                "log = await wait_until_written(self.connection, OWN_WRITES_SECONDS)",
                "asked = await store_connection(self.settings); self.asked = [*getattr(self, 'asked', ()), asked]; "
                "log = await wait_until_written(asked, OWN_WRITES_SECONDS)",
            ),
            Edit(
                "app/analysis/state.py",
                "        await self.connection.close()\n",
                "        [await each.close() for each in (self.connection, *getattr(self, 'asked', ()))]\n",
            ),
        ),
    ),
    "hidden_switch": Mutation(
        "the writer reads a variable that is no setting",
        ("tests/app/runtime/test_settings.py::test_no_variable_is_read_past_the_settings",),
        (
            Edit(
                "events/writer/writer.py",
                "compaction = Compaction(",
                '__import__("os").environ.get("RESONATE_CRASH_AT")\n    compaction = Compaction(',
            ),
        ),
    ),
    "arms_that_share_nothing": Mutation(
        "after CUPED the lift's interval leaves out the error of the common mean, which both arms share",
        ("tests/experiments/validation/test_estimates.py::test_an_adjusted_lift_far_from_zero_is_covered",),
        (
            Edit(
                "experiments/statistics/effect.py",
                "    if joint is not None:",
                "    if joint is not None and pair is None:",
            ),
        ),
    ),
    "signed_control": Mutation(
        "a lift is relative to control with its sign, so that a loss that halves reads -50 %",
        (f"{STATISTICS}/test_peer_defects.py::test_a_loss_that_halves_is_a_rise_of_half",),
        (Edit("experiments/statistics/effect.py", "/ abs(pair.control.value)", "/ pair.control.value"),),
    ),
    "histogram_in_cents": Mutation(
        "the values of a quantile or a cap are rounded to hundredths",
        ("tests/experiments/readout/test_quantile_values.py",),
        (
            Edit(
                "experiments/statistics/quantiles.py",
                "order = np.argsort(numbers[occurs > 0])",
                "numbers = np.floor(numbers * 100.0 + 0.5) / 100.0\n        order = np.argsort(numbers[occurs > 0])",
            ),
        ),
    ),
    "winners_alone": Mutation(
        "the prior that shrinks effects is learnt from the winners alone",
        ("tests/experiments/program/test_report.py",),
        (
            Edit(
                "experiments/program/report.py",
                'return [row for row in rows if row.outcome != "unhealthy" and _measured(row)]',
                'return [row for row in rows if row.outcome == "shipped" and _measured(row)]',
            ),
        ),
    ),
    "holdout_by_exposure": Mutation(
        "a unit enters a holdout's arms by an exposure",
        ("tests/experiments/program/test_holdout.py",),
        (
            Edit(
                "experiments/cube/sql/arrivals.sql",
                "e.type <> 'exposure'",
                "e.type = 'exposure'",
            ),
        ),
    ),
    "endless_upload": Mutation(
        "an upload that stops is waited for",
        ("tests/app/http/test_bodies.py::test_who_stops_within_a_body_is_answered_on_every_route_that_takes_one",),
        (
            Edit(
                "app/http/body.py",
                "await self._deadlines.within(RECEIPT_SECONDS, self._receive())",
                "await self._receive()",
            ),
        ),
    ),
    "mortal_sweep": Mutation(
        "the sweep of what takes too long ends with the first error in it",
        ("tests/app/http/test_bodies.py::test_a_sweep_goes_on_after_whatever_the_end_of_a_wait_raises",),
        (
            Edit(
                "app/http/deadlines.py",
                "        loop = asyncio.get_running_loop()\n        loop.call_later(SWEEP_SECONDS, self.sweep)\n",
                "        loop = asyncio.get_running_loop()\n",
            ),
            Edit(
                "app/http/deadlines.py",
                "                    call()\n",
                "                    call()\n        loop.call_later(SWEEP_SECONDS, self.sweep)\n",
            ),
        ),
    ),
    "stubborn_leftover": Mutation(
        "a leftover that cannot be removed ends whoever sweeps, and the service with the supervisor",
        ("tests/kit/test_files.py::test_a_leftover_that_cannot_be_removed_is_told_and_keeps_no_other",),
        (Edit("kit/files.py", "        except OSError as error:\n", "        except BlockingIOError as error:\n"),),
    ),
    "half_a_writer": Mutation(
        "a shard of the writer dies without a word, and the others go on",
        ("tests/events/writer/test_foreign_errors.py",),
        (
            Edit(
                "kit/tasks.py",
                "async with asyncio.TaskGroup() as group:\n"
                "            for work in works:\n"
                "                group.create_task(work)\n",
                "await asyncio.gather(*works, return_exceptions=True)\n",
            ),
        ),
    ),
    "lease_not_renewed": Mutation(
        "the renewing of the lease dies without a word, and the work goes on",
        ("tests/events/writer/test_foreign_errors.py",),
        (
            Edit(
                "kit/tasks.py",
                "await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)",
                "await asyncio.wait({working})",
            ),
        ),
    ),
    "timer_per_connection": Mutation(
        "each connection looks at its own deadline twice a second",
        ("tests/app/http/test_idle_connections.py",),
        (
            Edit(
                "app/http/protocol.py",
                "    def connection_made(",
                "    def look(self) -> None:\n        self.loop.call_later(0.5, self.look)\n\n    def connection_made(",
            ),
            Edit(
                "app/http/protocol.py",
                "        self.heads = self.deadlines.queue(RECEIPT_SECONDS)\n",
                "        self.heads = self.deadlines.queue(RECEIPT_SECONDS)\n        self.look()\n",
            ),
        ),
    ),
    "shared_dice": Mutation(
        "the demo's visitors draw from one generator, so that what they do depends on who came before",
        ("tests/app/demo/test_crowd.py",),
        (
            Edit(
                "app/demo/shop.py",
                'return random.Random(f"{self.visitor_id} {occasion}")',
                "return random.__dict__.setdefault('shared', random.Random(1))",
            ),
        ),
    ),
    "no_variance_floor": Mutation(
        "a small arm in which nothing rare happened yet is believed to vary as little as it did",
        (f"{STATISTICS}/test_gate.py::test_the_floor_is_the_pooled_error_over_welchs_where_that_is_larger",),
        (
            Edit(
                "experiments/statistics/arms.py",
                "return max(1.0, 1.0 + (control.count - treatment.count)",
                "return 1.0\n    return max(1.0, 1.0 + (control.count - treatment.count)",
            ),
        ),
    ),
    "observed_events": Mutation(
        "the gate counts the events that each arm has, not those that it can expect",
        (f"{STATISTICS}/test_gate.py::test_a_broken_variant_is_found_by_every_method",),
        (
            Edit(
                "experiments/statistics/arms.py",
                "expected = smaller * events / units",
                "expected = float(min(arm.events or 0 for arm in (control, treatment)))",
            ),
        ),
    ),
    "calendar_fractions": Mutation(
        "the walk between planned looks is that of the calendar, whatever traffic came",
        (f"{STATISTICS}/test_group_sequential.py::{BY_UNITS}",),
        (
            Edit(
                "experiments/statistics/sequential.py",
                "tuple(units for _, units in reached)",
                "tuple(number for number, _ in reached)",
            ),
        ),
    ),
    "p_min_decides": Mutation(
        "a verdict that stood once stands for good",
        (f"{READOUT}/test_one_moment.py::test_what_held_once_and_does_not_today_is_unclear_and_says_so",),
        (
            Edit(
                "experiments/readout/metrics.py",
                'today: Verdict = stood[-1][2] if stood else "unclear"',
                'today: Verdict = next((each for *_, each in stood if each != "unclear"), "unclear")',
            ),
        ),
    ),
    "family_of_another_day": Mutation(
        "a verdict is by what the family said when its own metric was last looked at, not by the p beside it",
        (
            f"{READOUT}/test_one_moment.py"
            "::test_a_verdict_is_by_the_family_of_the_p_beside_it_whatever_the_windows_of_its_goals",
        ),
        (
            Edit(
                "experiments/readout/metrics.py",
                "moments = days if name in members else [_day(ruling) for ruling in each.rulings]",
                "moments = [_day(ruling) for ruling in each.rulings]",
            ),
        ),
    ),
    "open_windows": Mutation(
        "a look is read while windows of its units are open",
        (f"{READOUT}/test_one_moment.py::test_a_look_holds_mature_units_only",),
        (
            Edit(
                "experiments/readout/days.py",
                "return self.days.day(self.days.close(day) + window_us - 1) if window_us > 0 else day",
                "return day",
            ),
        ),
    ),
    "arms_of_another_day": Mutation(
        "beside the lift of the newest closed day stand the arms of today",
        (f"{READOUT}/test_second_reader.py::test_drawn_answers_follow_from_their_own_numbers",),
        (
            Edit(
                "experiments/readout/inference.py",
                "arms=shown.arms,",
                "arms=sample_now(judge, observed, treatment).arms,",
            ),
        ),
    ),
    "drafts_on_pages": Mutation(
        "a route answers a page from the whole catalogue",
        ("tests/app/routes/test_released.py::test_no_public_answer_tells_of_what_is_not_released",),
        (
            Edit(
                "app/routes/ofrep.py",
                "        visible = resources.visible_to(grant, now)",
                "        visible = resources.catalogs.catalog.full",
            ),
        ),
    ),
    "counted_drafts": Mutation(
        "an exposure that a page reports is held against what has not begun, and the counters tell",
        ("tests/app/routes/test_released.py::test_no_public_answer_tells_of_what_is_not_released",),
        (
            Edit(
                "app/routes/tracking.py",
                "judged(record, resources.visible_to(grant, now))",
                "judged(record, resources.catalogs.catalog.full)",
            ),
        ),
    ),
    "future_end": Mutation(
        "an end that lies ahead counts as one that has come",
        (f"{READOUT}/test_states.py::test_the_table_of_states",),
        (
            Edit(
                "experiments/catalog/calendar.py",
                "if self.stop is not None and self.stop <= moment:",
                "if self.stop is not None:",
            ),
        ),
    ),
    "newer_watermark": Mutation(
        "an answer says that it holds what came after its moment",
        (f"{READOUT}/test_one_moment.py::test_the_watermark_is_never_newer_than_the_answer",),
        (
            Edit(
                "experiments/readout/read.py",
                "watermark = min(known, now)",
                "watermark = known",
            ),
        ),
    ),
    "forgotten_orders": Mutation(
        "what is kept of a list does not rest on what others say of its units' orders",
        (f"{READOUT}/test_lists.py::test_what_a_stranger_says_of_an_order_makes_the_readout_of_its_buyer_anew",),
        (Edit("experiments/cube/sql/evidence.sql", "WHERE e.order_id IS NOT NULL", "WHERE e.order_id IS NULL"),),
    ),
    "pooled_caps": Mutation(
        "in a list the percentile of a cap is taken over the units of all experiments together",
        (f"{READOUT}/test_lists.py::test_a_cap_by_percentile_is_of_each_experiment_alone",),
        (
            Edit(
                "experiments/cube/observations.py",
                'found["arm"], scope.arms_of(study)',
                'found["arm"], range(scope.arms)',
            ),
        ),
    ),
    "read_by_upgrade": Mutation(
        "a request that asks for an upgrade ends with its head",
        (f"{HTTP}/test_foreign_clients.py::test_curl_is_answered_and_heard_when_it_offers_http_2",),
        (Edit("app/http/protocol.py", "(parser.should_upgrade() and self.put_off(parser.get_method()))", "False"),),
    ),
    "overtaking_refusal": Mutation(
        "a refusal overtakes the answers before it",
        (f"{HTTP}/test_framing.py::test_the_answers_do_not_depend_on_how_the_bytes_are_cut",),
        (
            Edit(
                "app/http/protocol.py",
                "            self.last_word = word\n",
                "            self.transport.write(word)\n            self.transport.close()\n",
            ),
        ),
    ),
    "steering_trailers": Mutation(
        "what comes behind a chunked body counts among its headers",
        (f"{HTTP}/test_framing.py::test_the_answers_do_not_depend_on_how_the_bytes_are_cut",),
        (Edit("app/http/protocol.py", "if not self.in_head:  # a trailer", "if False:  # a trailer"),),
    ),
    "open_to_the_machine": Mutation(
        "what the processes make may be read by every user of the machine",
        (f"{OTHER_USERS}::test_no_file_folder_or_socket_of_a_whole_life_is_open_to_another_user",),
        (Edit("kit/private.py", "OTHERS: Final = 0o077", "OTHERS: Final = 0o022"),),
    ),
    "premade_folder": Mutation(
        "sockets are put into a folder that somebody else made",
        (f"{OTHER_USERS}::test_a_folder_for_sockets_that_someone_made_before_is_not_used", "tests/kit/test_private.py"),
        (
            Edit(
                "kit/private.py", "    if not stat.S_ISDIR(found.st_mode) or found", "    if found.st_mode < 0 < found"
            ),
        ),
    ),
    "drained_too_early": Mutation(
        "the export says that nothing is pending while it is",
        (
            "tests/reliability/test_full_disks.py::test_a_full_disk_under_the_parts_is_named_and_heals",
            f"{KILLS}::test_a_power_cut_costs_nothing",
        ),
        (
            Edit(
                "app/analysis/calls.py",
                'left = "unknown" if written.pending is None else str(written.pending)',
                'left = "0"',
            ),
        ),
    ),
}


REFUSABLE: Mapping[str, Sequence[str]] = {  # what may refuse to say a number, by module, and a test that must notice
    "arms": ("mean_arm test_extremes", "proportion_arm test_exact", "ratio_arm test_extremes", "pair test_exact"),
    "bayesian": ("posterior test_comparison_properties", "beta_lift test_bayesian"),
    "comparison": ("_planned test_comparison_properties",),
    "cuped": ("adjust_means test_cuped", "adjust_ratios test_cuped"),
    "effect": (
        "effect test_comparison_properties",
        "lift test_extremes",
        "lift_interval test_comparison_properties",
        "relative_standard_error test_comparison_properties",
    ),
    "fixed": (
        "pooled_z test_statistics_vectors",
        "relative_delta test_statistics_vectors",
        "newcombe_lift_interval test_exact",
    ),
    "interaction": ("interaction test_interaction",),
    "quantiles": ("cap_value test_quantiles", "quantile_estimate test_quantiles"),
    "sample_ratio": ("chi_square test_sample_ratio",),
    "survey": ("_explainable test_survey",),
}


def refusals() -> Iterator[tuple[str, Mutation]]:
    """For each statistic: it always refuses."""
    for module, functions in REFUSABLE.items():
        for function, test in (text.split() for text in functions):
            refusing = f"def {function}(*_: object, **__: object) -> NoEstimate:\n    return NoEstimate(Caveat.TIES)\n"
            edit = Edit(f"experiments/statistics/{module}.py", f"def {function}(", f"{refusing}\n\ndef _{function}_(")
            fault = f"{function.strip('_')} refuses whatever it is asked"
            yield f"silent_{function.strip('_')}", Mutation(fault, (f"{STATISTICS}/{test}.py",), (edit,))


MUTATIONS = {**MUTATIONS, **dict(refusals())}


def misplaced(mutation: Mutation) -> list[str]:
    """The edits whose text does not stand exactly once in its file: the code moved on, the mutation must follow."""
    return [
        f"{edit.file}: {edit.before!r}"
        for edit in mutation.edits
        if (REPOSITORY / edit.file).read_text().count(edit.before) != 1
    ]


def turns_red(mutation: Mutation) -> str | None:
    """The test that failed with the fault in place and why, or None: the gate would have let it through."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / "resonate"
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (Path(folder) / "shared").symlink_to(REPOSITORY.parent / "shared")
        for edit in mutation.edits:
            path = copy / edit.file
            path.write_text(path.read_text().replace(edit.before, edit.after))
        try:
            return _failure(copy, mutation.tests)
        finally:
            _end_all_of(copy)


def _failure(copy: Path, tests: Sequence[str]) -> str | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:randomly", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "400"}
    try:
        ran = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{tests[0]} (hung)"
    failed = [line.partition(" ")[2] for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if ran.returncode not in (0, 1) or (ran.returncode == 1 and not failed):
        raise RuntimeError(ran.stdout + ran.stderr)
    return failed[0] if failed else None


def _end_all_of(copy: Path) -> None:
    """A fault may leave processes behind: those that work in the copy, which is nobody else's."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(copy):
                process.kill()


def main(names: Sequence[str]) -> int:
    """Runs the chosen mutations, or all."""
    survived = 0
    if unknown := sorted({*names} - {*MUTATIONS}):
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(MUTATIONS)}")
    for name in names or MUTATIONS:
        began = time.monotonic()
        red = turns_red(MUTATIONS[name])
        survived += red is None
        outcome = f"red    {red}" if red else "GREEN  nothing noticed it"
        print(f"{name:20} {time.monotonic() - began:5.0f} s  {outcome}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
