"""Faults of backups, of restoring them, and of copies that other tools made."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

SERVICES = "tests/reliability/test_backup.py"
MODEL = "tests/app/backup/test_backup_model.py"

BACKUPS: Mapping[str, Mutation] = {
    "parts_alone": Mutation(
        "a backup has parts alone, without what waits for one",
        (MODEL, SERVICES),
        (
            Edit(
                "app/backup/restoring.py",
                "            events += write_rest(draft, shard, path, now_us())",
                "            pass",
            ),
        ),
    ),
    "parts_first": Mutation(
        "the parts are listed before the stream is read, so that what moves meanwhile is in neither",
        (SERVICES,),
        (
            Edit(
                "app/backup/making.py",
                """    taken = asyncio.run(take_stream(settings.model_copy(update={"data": data}), destination / REST))
    log = copy_log(data, target)
""",
                """    log = copy_log(data, target)
    taken = asyncio.run(take_stream(settings.model_copy(update={"data": data}), destination / REST))
""",
            ),
        ),
    ),
    "rest_counts_twice": Mutation(
        "what the writer took while a backup was made is in a part, and in a part of the rest too",
        (MODEL,),
        (
            Edit("events/writer/rest.py", "if item.stream_number > end.stream_number)", "if item.stream_number > 0)"),
            Edit(
                "events/writer/rest.py",
                "    early = _in_no_part(log, shard, path, end.stream_number)",
                "    early = []",
            ),
        ),
    ),
    "restored_with_the_erased": Mutation(
        "a restore replays no erasures",
        (MODEL, SERVICES),
        (Edit("app/backup/restoring.py", "again = erase_again(draft, erasures)", "again = erase_again(draft, [])"),),
    ),
    "unchecked_restore": Mutation(
        "a restore compares no sha256",
        (f"{SERVICES}::test_a_backup_that_is_damaged_is_named_and_nothing_of_it_is_restored",),
        (Edit("app/backup/restoring.py", "        if differs is not None:", "        if False:"),),
    ),
    "keys_for_everybody": Mutation(
        "keys are in every backup",
        (f"{SERVICES}::test_keys_are_in_a_backup_only_for_who_asks_and_nobody_else_may_read_it",),
        (Edit("app/backup/making.py", "OF_THE_RUN if with_keys else OF_THE_RUN | KEYS", "OF_THE_RUN"),),
    ),
    "torn_and_silent": Mutation(
        "a copy whose store names parts that its log lacks is read as if it were whole",
        (SERVICES, "tests/events/writer/test_writer.py"),
        (
            Edit(
                "events/writer/resumption.py",
                "        change_dropped(log, lambda ledger: ledger.with_torn(*torn))",
                "        assert torn",
            ),
        ),
    ),
    "pending_for_ever": Mutation(
        "of a store that is older than its log something is pending until the next event",
        (SERVICES,),
        (Edit("events/store/functions.lua", "if not entry and redis.call", "if false and redis.call"),),
    ),
}
