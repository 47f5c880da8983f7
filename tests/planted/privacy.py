"""Faults of what may not be stored, and of who was erased."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

PRIVACY: Mapping[str, Mutation] = {
    "stored_texts": Mutation(
        "the quick tests of the scrubber find no text worth a look",
        ("tests/events/test_scrubbing.py", "tests/app/routes/test_never_stored.py"),
        (
            Edit(
                "events/scrubbing.py",
                "if signs not in self._telling_nothing and self._may_tell(text, signs):",
                "if not signs:",
            ),
        ),
    ),
    "stored_names": Mutation(
        "members of an event that may not be stored are dropped by nobody",
        ("tests/app/routes/test_never_stored.py",),
        (Edit("events/dialects/validation.py", "scrubber.drop(value)", "pass"),),
    ),
    "stored_attributes": Mutation(
        "attributes are logged with an exposure as they were sent",
        ("tests/app/routes/test_never_stored.py",),
        (
            Edit(
                "app/routes/evaluation.py",
                "resources.scrubber.members(visitor.attributes)",
                "visitor.attributes",
            ),
        ),
    ),
    "copies_come_back": Mutation(
        "a start replays no erasures",
        ("tests/reliability/test_erasure_journal.py",),
        (Edit("app/processes/supervisor.py", "again = replay(journal, self.directory.root)", "again = 0"),),
    ),
    "remembered_histories": Mutation(
        "a store that is an older copy keeps the histories of the erased",
        ("tests/reliability/test_erasure_journal.py", "tests/events/privacy/test_journal.py"),
        (Edit("events/deletes/tombstones.py", "if forgets and unknown:", "if False:"),),
    ),
    "unwritten_erasure": Mutation(
        "a person is erased before the journal has it",
        ("tests/events/privacy/test_journal.py", "tests/reliability/test_erasure_journal.py"),
        (
            Edit(
                "events/privacy/erasure.py",
                "await asyncio.to_thread(journal.append, stones)",
                "await asyncio.to_thread(add_tombstones, reader.data, stones)\n"
                "        await asyncio.to_thread(journal.append, stones)",
            ),
        ),
    ),
    "unchained_journal": Mutation(
        "a journal with a line that was lost or changed is believed",
        ("tests/events/privacy/test_journal.py",),
        (Edit("events/privacy/journal.py", "!= (number, previous):", "!= (number, erasure.previous):"),),
    ),
}
