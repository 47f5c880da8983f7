"""Faults of what work costs whom, and of what one body, connection or network may make a worker do."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

HANG_UP = "tests/app/analysis/test_hang_up.py"

LIMITS: Mapping[str, Mutation] = {
    "computed_for_nobody": Mutation(
        "what a caller asked who hung up is computed, and those who ask with the same key wait for it",
        (f"{HANG_UP}::test_what_nobody_waits_for_any_more_is_not_computed_and_keeps_nobody_waiting[/v1/cx]",),
        (
            Edit(
                "app/routes/dependencies.py",
                "(asking if exchange.hang_up is None else unless(exchange.hang_up(), asking))",
                "asking",
            ),
        ),
    ),
    "erased_while_waited_for": Mutation(
        "an erasure ends half done when its caller hangs up",
        (f"{HANG_UP}::test_what_changes_something_is_done_though_its_caller_hung_up",),
        (Edit("app/http/cold.py", 'reader.hang_up if scope["method"] == "GET" else None', "reader.hang_up"),),
    ),
    "no_one_pays": Mutation(
        "what a request cost is put on nobody's tab",
        ("tests/app/limits/test_budgets.py",),
        (Edit("app/http/exchange.py", "if self.tab is not None:", "if False:"),),
    ),
    "budgets_of_a_worker": Mutation(
        "each worker keeps books of its own",
        ("tests/app/limits/test_budgets.py::test_processes_that_write_at_the_same_time_let_little_more_pass",),
        (Edit("app/limits/budgets.py", "if shared else memoryview(", "if not shared else memoryview("),),
    ),
    "two_write_at_once": Mutation(
        "two workers write the same account at the same time, and what one of them wrote is lost",
        ("tests/app/limits/test_budgets.py",),
        (Edit("app/runtime/board.py", "                os.sched_yield()\n", "                return True\n"),),
    ),
    "any_header_is_believed": Mutation(
        "X-Forwarded-For of whoever calls names their network",
        ("tests/app/limits/test_networks.py",),
        (Edit("app/limits/networks.py", "if peer.trusted:", "if peer.address:"),),
    ),
    "nobody_must_read": Mutation(
        "a connection whose other end reads nothing lives for ever",
        ("tests/app/limits/test_connections.py",),
        (Edit("app/limits/connections.py", "connection.transport.abort()", "pass"),),
    ),
    "expiring_log_ins": Mutation(
        "log-ins expire, so that a store short of memory evicts who is logged in",
        ("tests/events/store/test_eviction.py",),
        (
            Edit(
                "events/store/functions.lua",
                """  local looked_over = redis.call(""",
                """  redis.call("PEXPIREAT", keys[1], args[4])\n  local looked_over = redis.call(""",
            ),
        ),
    ),
    "everything_evicts": Mutation(
        "the store evicts whatever was not used lately",
        ("tests/events/store/test_eviction.py",),
        (Edit("events/store/process.py", '"volatile-lru"', '"allkeys-lru"'),),
    ),
    "endless_page_events": Mutation(
        "what pages send may take all the memory",
        (
            "tests/events/store/test_eviction.py"
            "::test_what_pages_sent_and_no_part_holds_fills_a_quarter_and_others_pass",
        ),
        (Edit("events/store/functions.lua", "      return PAGES_FULL\n", "      share = share\n"),),
    ),
    "endless_page_ids": Mutation(
        "the ids of pages may take all the memory",
        ("tests/events/store/test_eviction.py::test_the_ids_of_pages_keep_to_a_quarter_and_the_newest_are_known",),
        (Edit("events/store/functions.lua", "if not is_over and share > 0 then", "if false then"),),
    ),
    "one_queue": Mutation(
        "what pages send fills the queue of backends",
        ("tests/events/ingest/test_stream_faults.py::test_pages_that_wait_leave_room_for_backends",),
        (Edit("events/ingest/stream.py", "return [(commits[of_pages],", "return [(commits[True],"),),
    ),
    "first_the_backends": Mutation(
        "whoever is short of something refuses backends as it does pages",
        ("tests/app/limits/test_pressure.py",),
        (Edit("app/limits/pressure.py", "if authority < refused[cause]:", "if refused[cause]:"),),
    ),
    "full_to_the_last_byte": Mutation(
        "nobody looks at the disk",
        (
            "tests/reliability/test_full_disks.py"
            "::test_below_its_floor_a_disk_is_for_backends_and_below_a_quarter_for_nobody",
        ),
        (
            Edit(
                "app/runtime/data_directory.py", 'for folder in (self.root, self.root / "store"):', "for folder in ():"
            ),
        ),
    ),
    "any_number_of_levels": Mutation(
        "a dimension has as many levels as somebody sends",
        (
            "tests/experiments/readout/test_readout.py"
            "::test_a_dimension_of_any_number_of_levels_has_its_fifty_largest_and_the_others_as_one",
        ),
        (Edit("experiments/cube/sql/levels.sql", "WHEN p.place <= $most THEN", "WHEN p.place <= $most OR TRUE THEN"),),
    ),
    "long_texts_are_compared": Mutation(
        "a condition looks at values of any size",
        ("tests/experiments/targeting/test_predicates.py",),
        (Edit("experiments/targeting/predicates.py", "return left >= 0", "return True"),),
    ),
}
