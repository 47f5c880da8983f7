"""Faults of formats, of the lease and of what grows: data misread, a copy taken for a restart, parts without end."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

SAMPLES = "tests/events/test_format_samples.py"
LEASE = "tests/events/writer/test_lease.py"
COMPACTION = "tests/events/writer/test_compaction.py"

FORMATS: Mapping[str, Mutation] = {
    "misread_format": Mutation(
        "data in a format that this release does not know is read",
        ("tests/app/cli/test_cli_format.py", "tests/events/test_format.py"),
        (Edit("events/format.py", "if found.min_reader > self.format:", "if found.min_reader < 0:"),),
    ),
    "lowered_format": Mutation(
        "an older release hides what a newer one wrote",
        ("tests/events/test_format.py", "tests/app/runtime/test_format.py"),
        (Edit("events/format.py", "if found.format >= ours.format:", "if found.format == ours.format:"),),
    ),
    "unnumbered_function": Mutation(
        "a function of the store does something else under the same number",
        (SAMPLES,),
        (Edit("events/store/functions.lua", "local PURCHASES_KEPT = 50", "local PURCHASES_KEPT = 40"),),
    ),
    "unnumbered_field": Mutation(
        "a tombstone says something more under the same number",
        (SAMPLES,),
        (
            Edit(
                "events/deletes/tombstones.py",
                "    unnamed: bool = False\n",
                "    unnamed: bool = False\n    n: int = 1\n",
            ),
        ),
    ),
    "unexamined_store": Mutation(
        "a store that takes the place of another is taken for it",
        ("tests/app/processes/test_formats.py",),
        (
            Edit("events/store/connection.py", "not self._has_nodes and is_out_of_reach(cause)", "0"),
            Edit("events/store/connection.py", "(isinstance(error, MovedError) or self._has_nodes)", "True"),
        ),
    ),
    "obeyed_copy": Mutation(
        "a copy of a data directory is taken for its next run",
        (LEASE,),
        (
            Edit(
                "events/writer/lease.py",
                "return bool(self.boot) and self.may_be_in_place_of(other) and here ==",
                "return self.log == other.log or here ==",
            ),
        ),
    ),
    "stranger_after_restart": Mutation(
        "a machine that was started again is a stranger to its own data directory",
        (LEASE,),
        (
            Edit(
                "events/writer/lease.py",
                'return self.log == other.log and self.inode == other.inode != ""',
                "return (self.log, self.inode, self.boot) == (other.log, other.inode, other.boot)",
            ),
        ),
    ),
    "unmerged_morning": Mutation(
        "few parts of an open day wait for ever to be merged",
        (COMPACTION,),
        (Edit("events/writer/compaction.py", "waited >= OLDEST_SECONDS * _STEP**generation", "waited < 0"),),
    ),
    "restless_merges": Mutation(
        "an open day is merged as often as it is looked at",
        (COMPACTION,),
        (Edit("events/writer/compaction.py", "get(shard, -AGAIN_SECONDS) + AGAIN_SECONDS", "get(shard, 0.0)"),),
    ),
    "remembered_parts": Mutation(
        "the SQL that names parts is remembered by the hundreds",
        ("tests/events/log/test_reader.py",),
        (Edit("events/engines/duckdb.py", "Statement.of_passing(rows)", "Statement.of(rows)"),),
    ),
    "merged_is_damaged": Mutation(
        "a part that a merge took from who still reads it is told as damage",
        ("tests/events/log/test_merged_meanwhile.py",),
        (Edit("events/parts/part.py", "kind = PartReplaced if gone else DataDamaged", "kind = DataDamaged"),),
    ),
}
