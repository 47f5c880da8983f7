"""Faults of what work costs whom, and of what one body, connection or network may make a worker do."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

LIMITS: Mapping[str, Mutation] = {
    "no_one_pays": Mutation(
        "what a request cost is put on nobody's tab",
        ("tests/app/limits/test_budgets.py",),
        (Edit("app/http/exchange.py", "if self.tab is not None:", "if False:"),),
    ),
    "budgets_of_a_worker": Mutation(
        "each worker keeps books of its own",
        ("tests/app/limits/test_budgets.py::test_processes_that_write_at_the_same_time_let_little_more_pass",),
        (Edit("app/limits/budgets.py", "mmap.mmap(self._file, size)", "mmap.mmap(-1, size)"),),
    ),
    "two_write_at_once": Mutation(
        "two workers write the same account at the same time, and what one of them wrote is lost",
        ("tests/app/limits/test_budgets.py",),
        (Edit("app/limits/budgets.py", "if try_lock(self._file):", "if try_lock(self._file) or True:"),),
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
    "long_texts_are_compared": Mutation(
        "a condition looks at values of any size",
        ("tests/experiments/targeting/test_predicates.py",),
        (Edit("experiments/targeting/predicates.py", "return left >= 0", "return True"),),
    ),
}
