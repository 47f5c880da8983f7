"""The tests wait for events, not for time, and prove no figure of speed: those the benchmarks print."""

import ast
import asyncio
import itertools
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest
from servers.patience import HUNG_SECONDS, ended_when_hung, reached, until
from servers.slow_client import MOST_PIECES, told

TESTS = Path(__file__).parent

SLEEPERS = {  # file → why it may sleep
    "servers/patience.py": "the one place where tests wait",
    "servers/restless_client.py": "a client in a process of its own, which pauses before it asks again",
    "servers/store_producer.py": "a client in a process of its own, which pauses before it asks again",
}
CLOCK_READERS = {  # file → why it may read a clock of durations
    "browser/test_engaged_time.py": "how long a person read is what the readout must say",
    "events/store/test_disk_full.py": "a clock that goes on by itself, and jumps",
    "mutations.py": "prints how long each fault took to be noticed",
    "oracles/cells.py": "build/matrix.csv says how long each cell took",
    "oracles/witness.py": "build/matrix.csv says how long each cause took to be named",
    "reliability/test_matrix.py": "build/matrix.csv says how long each cell took to be mended",
    "servers/faults.py": "benchmarks/kills.py prints how long a service was away",
    "servers/patience.py": "the one place where tests wait",
    "servers/restless_client.py": "writes down how long it waited, to be printed",
}
LONG = {  # files of more than 400 lines
    "oracles/readout_oracle.py": "a second reading of whole readouts, which is read in one piece",
    "oracles/walls.py": "the table of the house",
}
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time"}
ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)

Files: TypeAlias = Mapping[str, str]  # place → text
Rule: TypeAlias = Callable[[Files], Iterator[str]]


@cache
def parsed(text: str) -> ast.Module:
    """A file as a tree, which several rules look at."""
    return ast.parse(text)


@cache
def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


def called(node: ast.AST) -> str:
    """The last word of what a call calls, empty for what is no call: `sleep` for `time.sleep(1)`."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def nobody_sleeps(files: Files) -> Iterator[str]:
    """Only the named files sleep; `asyncio.sleep(0)` is no sleep, it gives the others a turn."""
    for place, text in files.items():
        for node in ast.walk(parsed(text)) if place not in SLEEPERS else ():
            if isinstance(node, ast.Call) and called(node) == "sleep" and ast.unparse(node.args[0]) != "0":
                yield f"{place}:{node.lineno} sleeps"


def nobody_reads_a_clock(files: Files) -> Iterator[str]:
    """Only the named files ask how long something took."""
    for place, text in files.items():
        for node in ast.walk(parsed(text)) if place not in CLOCK_READERS else ():
            if called(node) in CLOCKS:
                yield f"{place}:{node.lineno} reads {called(node)}"


def no_duration_is_asserted(files: Files) -> Iterator[str]:
    """No assert orders a duration: what a clock said, what was made of it, or what a function returns of it."""
    timed, known = set[str](), -1
    while known < len(timed):
        known = len(timed)
        timed |= {name for _, tree in those_that_say(timed, files) for name in functions_that_return(tree, timed)}
    for place, tree in those_that_say(timed, files):
        names = assigned(tree, timed)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert) and any(orders(each, timed, names) for each in ast.walk(node.test)):
                yield f"{place}:{node.lineno} asserts a duration"


def those_that_say(timed: set[str], files: Files) -> list[tuple[str, ast.Module]]:
    """The place and tree of each file that says a clock or one of these functions: the others hold no duration."""
    return [(place, parsed(text)) for place, text in files.items() if not words(text).isdisjoint(CLOCKS | timed)]


def functions_that_return(tree: ast.AST, timed: set[str]) -> Iterator[str]:
    """The names of functions that return a duration, if those of `timed` do."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            names = assigned(function, timed)
            returns = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
            if any(is_timed(value, timed, names) for value in returns):
                yield function.name


def assigned(tree: ast.AST, timed: set[str]) -> set[str]:
    """The names that hold a duration or a moment of a clock."""
    names, known = set[str](), -1
    while known < len(names):
        known = len(names)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.NamedExpr) and is_timed(node.value, timed, names):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return names


def is_timed(value: ast.AST, timed: set[str], names: set[str]) -> bool:
    """Whether a clock, or what comes from one, stands in the expression."""
    found = list(ast.walk(value))
    return any(called(node) in CLOCKS | timed or (isinstance(node, ast.Name) and node.id in names) for node in found)


def orders(node: ast.AST, timed: set[str], names: set[str]) -> bool:
    """Whether this comparison is one of more or less, with a duration on a side."""
    if not isinstance(node, ast.Compare) or not any(isinstance(operator, ORDERINGS) for operator in node.ops):
        return False
    return any(is_timed(side, timed, names) for side in [node.left, *node.comparators])


def sizes(files: Files) -> Iterator[str]:
    """No file has more than 400 lines, save those named above."""
    for place, text in files.items():
        if (lines := len(text.splitlines())) > 400 and place not in LONG:
            yield f"{place} has {lines} lines"


RULES: tuple[Rule, ...] = (nobody_sleeps, nobody_reads_a_clock, no_duration_is_asserted, sizes)


@pytest.fixture(scope="module")
def files() -> Files:
    """Every file of the tests as it stands."""
    return {path.relative_to(TESTS).as_posix(): path.read_text() for path in sorted(TESTS.rglob("*.py"))}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tests_keep_their_rules(rule: Rule, files: Files) -> None:
    assert list(rule(files)) == []


def test_nobody_is_excused_in_vain(files: Files) -> None:
    for rule, excused in ((nobody_sleeps, SLEEPERS), (nobody_reads_a_clock, CLOCK_READERS), (sizes, LONG)):
        others = {f"excused/{place}": text for place, text in files.items() if place in excused}
        assert {breach.partition(":")[0].split()[0] for breach in rule(others)} == set(others)


TAKES = "def wait():\n    began = time.monotonic()\n    took = time.monotonic() - began\n    return took\n"
TIMED = "seconds_until_ready"  # a function of another file, which returns a duration
PLANTED: list[tuple[Rule, str, str]] = [
    (nobody_sleeps, "time.sleep(1)", "sleeps"),
    (nobody_sleeps, "async def f():\n    await asyncio.sleep(0.01)", "sleeps"),
    (nobody_sleeps, "from time import sleep\nsleep(PAUSE)", "sleeps"),
    (nobody_reads_a_clock, "began = time.monotonic()", "reads monotonic"),
    (nobody_reads_a_clock, "from time import perf_counter\nbegan = perf_counter()", "reads perf_counter"),
    (no_duration_is_asserted, "assert time.monotonic() - began < 2", "asserts a duration"),
    (no_duration_is_asserted, "began = time.monotonic()\nassert 4 < clock() - began", "asserts a duration"),
    (no_duration_is_asserted, f"{TAKES}    assert took < 2", "asserts a duration"),
    (no_duration_is_asserted, f"{TAKES}assert wait() < patience(2)", "asserts a duration"),
    (no_duration_is_asserted, f"{TAKES}def also():\n    return max(0, wait())\nassert (1, also() < 2)", "asserts"),
    (no_duration_is_asserted, f"assert {TIMED}(service, journal) < 20", "asserts a duration"),
    (sizes, "x = 1\n" * 401, "has 401 lines"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "said"), PLANTED)
def test_a_planted_breach_is_seen(rule: Rule, text: str, said: str, files: Files) -> None:
    known = {place: found for place, found in files.items() if f"def {TIMED}(" in found}
    assert known
    assert [breach for breach in rule({**known, "new.py": text}) if breach.startswith("new.py") and said in breach]


def test_a_turn_for_the_others_is_no_sleep() -> None:
    assert list(nobody_sleeps({"new.py": "async def f():\n    return await asyncio.sleep(0, 'there')"})) == []


def test_who_waits_in_vain_is_told_for_what() -> None:
    with pytest.raises(AssertionError, match="waited 0 s in vain until pigs fly; they walk"):
        until(lambda: [], "pigs fly", 0, lambda: "; they walk")
    with pytest.raises(AssertionError, match="waited 0 s in vain until pigs fly"):
        asyncio.run(reached(lambda: None, "pigs fly", 0))


def test_what_was_waited_for_is_given() -> None:
    async def found() -> int:
        return next(numbers)

    numbers = itertools.count()
    assert until(lambda: next(numbers), "there is one") == 1
    assert asyncio.run(reached(found, "there is another one")) == 2


def test_a_process_that_hangs_is_ended() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process, ended_when_hung(process, 0.01):
        assert process.wait(HUNG_SECONDS) == -signal.SIGKILL


def test_a_server_that_never_gives_up_is_noticed_and_one_that_does_is_heard() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=0.01) as client,
        listener.accept()[0] as server,
    ):
        with pytest.raises(AssertionError, match="it was never given up"):
            told(client, itertools.repeat(b"x"), 0.001)
        assert server.recv(MOST_PIECES, socket.MSG_WAITALL) == b"x" * MOST_PIECES
        client.settimeout(HUNG_SECONDS)
        server.sendall(b"no")
        server.shutdown(socket.SHUT_WR)
        assert told(client) == b"no"
