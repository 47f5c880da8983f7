"""Faults of the running service: what it acknowledges, writes, serves, counts and survives."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

KILLS = "tests/reliability/test_kills.py"
OUTAGE = "tests/reliability/test_store_outage.py"
LIFECYCLE = "tests/app/processes/test_lifecycle.py"
CRASH_POINTS = "tests/events/writer/test_crash_points.py"
RUDE = "tests/reliability/test_rude_clients.py"
DAMAGED_STORE = "tests/reliability/test_damaged_store.py"
FIND_REPEATS = "repeats = self._duplicates.repeats(parts, self._visible)"
WRITE = "write_part(Place(self._log, day, name, entries[-1].stream_number), [table], self._options.reach)"

SERVICE: Mapping[str, Mutation] = {
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
        (
            Edit(
                "kit/files.py",
                "        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    except",
                "        descriptor.bit_length()\n    except",
            ),
        ),
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
            Edit("events/deletes/hidden.py", FIND_REPEATS, "repeats = no_repeats()"),
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
        (Edit("events/deletes/hidden.py", FIND_REPEATS, "repeats = no_repeats()"),),
    ),
    "lazy_fsync": Mutation(
        "the store syncs once a second",
        ("tests/events/store/test_embedded.py::test_its_settings_are_durable_private_and_evict_what_expires_alone",),
        (Edit("events/store/process.py", '"appendfsync": "always"', '"appendfsync": "everysec"'),),
    ),
    "patient_ingest": Mutation(
        "a store that stands still is waited for",
        (f"{OUTAGE}::test_a_store_that_stands_still_costs_no_assignment_and_refuses_events_in_time",),
        (Edit("events/store/preparation.py", "ANSWER_SECONDS: Final = 1.0", "ANSWER_SECONDS: Final = 10.0"),),
    ),
    "writer_left_dead": Mutation(
        "a writer that died is not started again",
        (f"{KILLS}::test_kills_of_single_processes_cost_nothing_and_every_answer_comes_in_time",),
        (
            Edit(
                "app/processes/supervised.py",
                "return [*self.workers, self.writer, *self.webhooks]",
                "return self.workers",
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
    "thawed_design": Mutation(
        "a running experiment's design may be changed under its visitors",
        ("tests/reliability/test_definitions_under_load.py",),
        (
            Edit(
                "experiments/catalog/publisher.py",
                "errors = [*refused_changes(started, self._written, reading.files, phases, now)]",
                "errors: list[DefinitionError] = []",
            ),
        ),
    ),
    "no_rate_limit": Mutation(
        "a key may call as often as it likes",
        (f"{RUDE}::test_a_burst_on_one_key_is_turned_away_and_another_key_does_not_feel_it",),
        (Edit("app/limits/budgets.py", "requests - ahead_requests <= latest", "True"),),
    ),
    "unseen_trouble": Mutation(
        "one of the things that go wrong is counted and never shown",
        ("tests/app/runtime/test_what_is_counted.py",),
        (
            Edit(
                "app/metrics/counted.py",
                'total("trouble", trouble))] for trouble in TROUBLES}',
                'total("trouble", trouble))] for trouble in TROUBLES[:-1]}',
            ),
        ),
    ),
    "sparse_counters": Mutation(
        "the pages of the board are allocated when they are first written to",
        ("tests/app/runtime/test_board.py",),
        (
            Edit(
                "app/runtime/board.py",
                "            written += os.pwrite(descriptor, bytes(min(1 << 20, size - written)), written)\n",
                "            written = os.ftruncate(descriptor, size) or size\n",
            ),
        ),
    ),
    "beats_of_a_thread": Mutation(
        "a worker beats by a thread of its own",
        ("tests/app/processes/test_heartbeats.py",),
        (
            Edit(
                "app/worker/resources.py",
                'following.repeat(desk.beating, "saying that the loop turns", BEAT_SECONDS)',
                '__import__("threading").Thread(target=lambda: [(time.sleep(0.5), desk.beat()) for _ in range(10**6)], '
                "daemon=True).start()",
            ),
        ),
    ),
    "silence_by_the_clock": Mutation(
        "silence is what the clock says between two looks, also while a machine slept",
        ("tests/app/processes/test_heartbeats.py",),
        (Edit("app/processes/heartbeats.py", "min(now - self._looked_at, LOOK_SECONDS)", "now - self._looked_at"),),
    ),
    "training_by_the_wall": Mutation(
        "how long ago the last training was is what the wall clock says at each look",
        ("tests/app/processes/test_training_schedule.py::test_a_jump_of_the_wall_clock_moves_no_training",),
        (Edit("app/processes/upkeep.py", "if trained != self._last:", "if True:"),),
    ),
    "lease_by_the_store": Mutation(
        "a lease lasts for as long as the clock of its store says, whatever that does",
        (
            "tests/events/writer/test_lease.py::"
            "test_a_lease_whose_store_went_back_in_time_ends_once_nobody_has_renewed_it_for_so_long",
        ),
        (
            Edit(
                "events/writer/lease.py",
                "(self._stands_still(held) or await self._is_over(held))",
                "await self._is_over(held)",
            ),
        ),
    ),
    "clocks_apart": Mutation(
        "a store that is ten minutes from the service is not named",
        (
            "tests/app/metrics/test_pipeline.py::"
            "test_a_store_whose_clock_is_more_than_a_minute_from_ours_is_named_until_it_is_not",
        ),
        (Edit("app/metrics/pipeline.py", "SKEWED_SECONDS: Final = 60.0", "SKEWED_SECONDS: Final = 6_000.0"),),
    ),
    "one_shard_for_all": Mutation(
        "the writer beats as long as one of its shards works",
        ("tests/kit/test_tasks.py",),
        (Edit("kit/tasks.py", "return all(until >= now", "return any(until >= now"),),
    ),
    "torn_causes": Mutation(
        "a cause is rewritten where it stands",
        ("tests/app/runtime/test_board.py",),
        (
            Edit(
                "app/runtime/board.py",
                "at = self._causes_at + self._sequence % 2 * CAUSES_BYTES",
                "at = self._causes_at",
            ),
        ),
    ),
    "counted_anew": Mutation(
        "who follows a worker that died counts from nothing",
        ("tests/app/runtime/test_telemetry.py",),
        (Edit("app/runtime/telemetry.py", "if own[0] != self._names:", "if True:"),),
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
        ("tests/app/http/test_bodies.py::test_a_sweep_goes_on_after_whatever_the_end_of_a_wait_or_a_watcher_raises",),
        (
            Edit(
                "app/http/deadlines.py",
                "        self._plan(loop)\n        for watch",
                "        for watch",
            ),
            Edit(
                "app/http/deadlines.py",
                "                    _surely(call)\n",
                "                    call()\n        self._plan(loop)\n",
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
                "await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)",
                "await asyncio.wait(running)",
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
        ("tests/app/serving/test_idle_connections.py",),
        (
            Edit(
                "app/serving/bounded.py",
                "    def connection_made(",
                "    def look(self) -> None:\n        self.loop.call_later(0.5, self.look)\n\n    def connection_made(",
            ),
            Edit(
                "app/serving/bounded.py",
                '        self.heads = self.deadlines.queue(RECEIPT_SECONDS, "heads")\n',
                '        self.heads = self.deadlines.queue(RECEIPT_SECONDS, "heads")\n        self.look()\n',
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
