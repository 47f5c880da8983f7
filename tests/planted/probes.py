"""Faults of what probes are told, of the end of a service, and of who may stay connected."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

DRAINING = "tests/app/processes/test_draining.py"
PROBED = "tests/app/management/test_probes.py"
ROOM = "tests/app/limits/test_room.py"

PROBES: Mapping[str, Mutation] = {
    "ready_lame_duck": Mutation(
        "readiness stays 200 in the lame duck",
        (f"{PROBED}::test_who_drains_says_it_in_two_words_and_goes_on_serving",),
        (Edit("app/main.py", "self.cold.state.draining = True", "self.cold.state.draining = False"),),
    ),
    "untold_workers": Mutation(
        "the workers do not hear that the service ends before it does",
        (f"{DRAINING}::test_the_first_signal_begins_it_the_second_ends_it_and_others_change_nothing",),
        (Edit("app/processes/draining.py", "            os.close(end)\n", "            end.bit_length()\n"),),
    ),
    "patient_second_signal": Mutation(
        "a second SIGTERM begins the lame duck anew",
        (f"{DRAINING}::test_the_first_signal_begins_it_the_second_ends_it_and_others_change_nothing",),
        (Edit("app/processes/draining.py", "if first and serving", "if serving"),),
    ),
    "no_lame_duck": Mutation(
        "the listeners close at the first signal, when no balancer knows of it",
        ("tests/reliability/test_zero_downtime.py",),
        (Edit("app/processes/supervisor.py", "while not self.lame_duck.over:", "while not self.lame_duck.begun:"),),
    ),
    "probes_ask_in_vain": Mutation(
        "each probe of events asks a store that has just refused one",
        (f"{PROBED}::test_a_store_that_is_known_to_be_away_is_not_asked",),
        (
            Edit(
                "events/ingest/group_commit.py",
                'if is_out_of_reach(unavailable.cause) and unavailable.cause != "store_timeout":',
                "if False:",
            ),
        ),
    ),
    "probes_of_backends_alone": Mutation(
        "a probe says that events are stored while those of pages are known not to be",
        (f"{PROBED}::test_a_store_that_is_away_takes_the_events_and_not_the_assignments",),
        (Edit("events/ingest/stream.py", "cause = self.state.cause or self._refused", "cause = self._refused"),),
    ),
    "lively_watchdog": Mutation(
        "systemd hears that all lives while a child hangs",
        ("tests/app/processes/test_notify.py::test_it_says_that_it_lives_thrice_in_its_time_and_only_while_all_do",),
        (Edit("app/processes/notify.py", "is not None and healthy and now", "is not None and now"),),
    ),
    "unheard_ready": Mutation(
        "what finds no room at systemd's socket is lost",
        ("tests/app/processes/test_notify.py::test_what_finds_no_room_is_said_later",),
        (
            Edit(
                "app/processes/notify.py",
                '            self._unsaid.pop("WATCHDOG", None)\n',
                "            self._unsaid.clear()\n",
            ),
        ),
    ),
    "the_idle_stay": Mutation(
        "idle connections keep their places, and newcomers are refused",
        (f"{ROOM}::test_who_was_silent_longest_goes_and_none_that_speaks",),
        (Edit("app/limits/room.py", "while self.crowding > CROWDED[0] and self._hang_up(now):", "while False:"),),
    ),
    "the_slow_are_cut": Mutation(
        "who still takes its last answer counts as gone",
        (f"{ROOM}::test_who_still_takes_its_last_answer_leaves_no_room_yet",),
        (Edit("app/limits/room.py", "if len(self._connections) < before:", "if before:"),),
    ),
    "others_files": Mutation(
        "files that the worker itself has open leave no room for the answer to a newcomer",
        (f"{ROOM}::test_files_that_others_have_open_count_as_well",),
        (Edit("app/limits/room.py", "if descriptor < self._files - SPARE:", "if descriptor < math.inf:"),),
    ),
    "any_host": Mutation(
        "a Host that is none is taken for one",
        ("tests/app/serving/test_framing.py::test_the_answers_do_not_depend_on_how_the_bytes_are_cut",),
        (Edit("app/serving/protocol.py", "self.hosts += 1 if is_host(value) else 2", "self.hosts += 1"),),
    ),
}
