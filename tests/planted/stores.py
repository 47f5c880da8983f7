"""Faults of the way to the store: its errors, its replicas, its certificates, and what names may be."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

DOOR = "tests/events/store/test_door.py"
REPLICAS = "tests/events/store/test_replicas.py"
CONNECTION = "events/store/connection.py"

STORES: Mapping[str, Mutation] = {
    "ids_of_what_was_refused": Mutation(
        "a batch that a moving slot refuses leaves ids behind, and is a repeat when it comes again",
        (
            "tests/events/ingest/test_stream_cluster.py::"
            "test_a_slot_that_moves_in_the_middle_of_an_append_leaves_no_id_behind",
        ),
        (Edit("events/store/functions.lua", "    for index = 1, #kept.new, 2 do\n", "    for index = 1, 0 do\n"),),
    ),
    "lost_while_looked_at": Mutation(
        "a store that is lost while it is looked at is taken for the one that was looked at",
        ("tests/events/store/test_connection.py::test_a_store_that_is_lost_while_it_is_looked_at_is_looked_at_again",),
        (
            Edit(
                "events/store/connection.py",
                "            self._known, self._refused = lost,",
                "            self._known, self._refused = self._lost,",
            ),
        ),
    ),
    "errors_of_one_tree": Mutation(
        "only the client library's own classes of errors are a refusal",
        (f"{DOOR}::test_every_class_of_error_at_every_call_leaves_as_a_refusal_with_a_cause",),
        (
            Edit(
                CONNECTION,
                "except StoreRefused:\n            raise\n        except (Exception, asyncio.CancelledError) as error:",
                "except StoreRefused:\n            raise\n        except (ResponseError, ConnectionLost) as error:",
            ),
        ),
    ),
    "vain_wait": Mutation(
        "a repeat writes nothing, so that its wait for replicas is over at once",
        (
            f"{REPLICAS}::test_an_event_that_no_replica_has_is_refused_and_its_repeat_counts_once",
            f"{REPLICAS}::test_a_repeat_is_refused_for_as_long_as_no_replica_has_its_first",
        ),
        (Edit("events/store/functions.lua", "  if #duplicates > 0 or count == 0 then", "  if false then"),),
    ),
    "uncounted_replicas": Mutation(
        "an event is acknowledged however few replicas have it",
        (f"{REPLICAS}::test_an_event_that_no_replica_has_is_refused_and_its_repeat_counts_once",),
        (Edit(CONNECTION, "            raise StoreUnavailable(REPLICAS_SHORT)", "            pass"),),
    ),
    "asked_once": Mutation(
        "a replica that was asked before it fsyncs is waited for until it speaks by itself",
        (f"{REPLICAS}::test_a_replica_is_asked_again_and_again",),
        (Edit(CONNECTION, "ASKED_AGAIN_SECONDS: Final = 0.02", "ASKED_AGAIN_SECONDS: Final = 5.0"),),
    ),
    "certificate_of_anybody": Mutation(
        "a certificate that is not right is taken for a store that is down",
        ("tests/events/store/test_tls.py::test_a_certificate_of_another_host_or_authority_is_refused_with_the_reason",),
        (Edit("events/store/availability.py", "    if _of_certificates(error) is not None:", "    if False:"),),
    ),
    "both_sides_of_a_move": Mutation(
        "a slot of a cluster that moves is followed, and events are written to both of its nodes",
        ("tests/reliability/test_store_kinds.py",),
        (
            Edit(
                CONNECTION,
                "return await node_of(key, self.client).execute_command(*words)",
                "return await self.client.execute_command(*words, target_nodes=node_of(key, self.client))",
            ),
        ),
    ),
    "name_as_pattern": Mutation(
        "the name of a property is a pattern",
        ("tests/events/engines/test_property_names.py::test_a_property_is_found_by_its_name_alone",),
        (
            Edit(
                "events/engines/duckdb.py",
                '    return "json_extract_string(e.properties, \'" + pointer',
                "    pointer = '$.\"' + name + '\"'\n    return \"json_extract_string(e.properties, '\" + pointer",
            ),
        ),
    ),
    "blank_ids": Mutation(
        "an id or a name of white space alone names somebody",
        ("tests/app/intake/test_blank_content.py",),
        (
            Edit(
                "kit/values.py",
                "    if text.isprintable():\n        return not text.isspace()",
                "    if True:\n        return True",
            ),
        ),
    ),
    "fault_without_an_end": Mutation(
        "a fault of ours does not say when to ask again",
        ("tests/app/answers/test_error_classes.py",),
        (Edit("app/http/errors.py", "if status >= OURS else {}", "if False else {}"),),
    ),
}
