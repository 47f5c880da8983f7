"""Faults of telling receivers what has changed."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

TELLING = "tests/app/webhooks/test_telling.py"
LOOKING = "tests/app/webhooks/test_looking.py"
CHANGES = "tests/app/webhooks/test_changes.py"
ADDRESSES = "tests/app/runtime/test_webhook_addresses.py"

WEBHOOKS: Mapping[str, Mutation] = {
    "told_of_what_was_not_kept": Mutation(
        "what is to be told is kept by the process alone",
        (f"{TELLING}::test_what_was_sent_and_not_noted_is_sent_again_with_its_id",),
        (Edit("app/webhooks/outbox.py", "        self._write(seen, posts)\n        self.seen", "        self.seen"),),
    ),
    "told_at_every_look": Mutation(
        "what has not changed is told again",
        (CHANGES,),
        (
            Edit(
                "app/webhooks/changes.py",
                "(before.action, before.variant) != (after.action, after.variant)",
                '(before.action, before.variant) != ("keep_running", None)',
            ),
        ),
    ),
    "read_by_nobody": Mutation(
        "a decision that nobody asks for is not looked for",
        (LOOKING,),
        (Edit("app/webhooks/telling.py", "began >= self._read_at", "began > began + self._read_at"),),
    ),
    "pauses_by_the_wall": Mutation(
        "a jump of the wall clock makes pauses and days longer, or shorter",
        (f"{TELLING}::test_a_jump_of_the_clock_moves_no_pause_and_gives_nothing_up",),
        (Edit("app/webhooks/telling.py", "            self.outbox.move(jumped)\n", ""),),
    ),
    "follows_redirects": Mutation(
        "a receiver sends the service elsewhere",
        (TELLING,),
        (Edit("app/webhooks/sending.py", "follow_redirects=False", "follow_redirects=True"),),
    ),
    "led_by_a_name": Mutation(
        "a name leads into the machine and its network",
        (ADDRESSES, TELLING),
        (
            Edit(
                "app/runtime/webhook_addresses.py",
                "return address.is_global and not address.is_multicast",
                "return not address.is_multicast",
            ),
        ),
    ),
    "any_certificate": Mutation(
        "the certificate of another name is good enough",
        (TELLING,),
        (
            Edit(
                "app/webhooks/sending.py",
                "certificates.load_default_certs(ssl.Purpose.SERVER_AUTH)",
                "certificates.load_default_certs(ssl.Purpose.SERVER_AUTH); certificates.check_hostname = False",
            ),
        ),
    ),
    "tried_for_ever": Mutation(
        "what is not taken is tried without end",
        (f"{TELLING}::test_it_is_given_up_after_a_day_and_never_untried",),
        (Edit("app/webhooks/outbox.py", "timestamp() + TRIED_SECONDS", "timestamp() + 20 * TRIED_SECONDS"),),
    ),
    "one_refusal_for_all": Mutation(
        "a message that is refused holds up those behind it",
        (f"{TELLING}::test_a_message_that_is_refused_holds_up_no_other",),
        (
            Edit(
                "app/webhooks/outbox.py",
                "        if failure.concerns_message:",
                "        if failure.concerns_message and not now:",
            ),
        ),
    ),
}
