"""No process outlives the one that started it; one that is asked answers, or it is said why not, and it is gone."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from servers.patience import HUNG_SECONDS, reached, until

from kit.child import (
    ORPHANED,
    Asked,
    Busy,
    ChildFailed,
    Terms,
    ask,
    ending,
    place,
    printed,
    start_module,
)

MODULES = {
    "echo": "import json, sys; print(json.dumps([sys.argv[1:], json.load(sys.stdin)]))",
    "endless": "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('here', file=sys.stderr, flush=True)\nwhile True: signal.pause()",
    "failing": "import sys; print('first', file=sys.stderr); raise ValueError('the rows are odd')",
    "talkative": "import sys; sys.stderr.write('x' * 300_000); print('9' * 300_000 + '.5')",
    "silent": "pass",
    "ending": "import sys; sys.exit(3)",
    "told": "import os, sys\nheard = len(sys.stdin.buffer.read())\n"
    "sys.exit(heard + 10 * os.nice(0) + 100 * (os.getpgrp() == os.getpid()))",
}
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS: list[Loop] = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that is started finds the modules of these tests."""
    for name, program in MODULES.items():
        (tmp_path / f"kit_test_{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


Children = Callable[[], list[psutil.Process]]


@pytest.fixture(autouse=True)
def children() -> Iterator[Children]:
    """The processes below this one, beside those that other tests keep; a test leaves none behind."""
    kept = psutil.Process().children(recursive=True)

    def own() -> list[psutil.Process]:
        return [child for child in psutil.Process().children(recursive=True) if child not in kept]

    yield own
    assert psutil.wait_procs(own(), timeout=HUNG_SECONDS)[1] == []


def asking(name: str, question: object = None, deadline_seconds: float = HUNG_SECONDS) -> Coroutine[Any, Any, Any]:
    return ask(f"kit_test_{name}", ["a", "b"], question, deadline_seconds=deadline_seconds)


def asked(name: str, question: object = None, deadline_seconds: float = HUNG_SECONDS) -> Any:
    """The same by one who looks now and then."""
    process = Asked(f"kit_test_{name}", ["a", "b"], question, deadline_seconds=deadline_seconds, niceness=3)
    until(lambda: process.ended, f"{name} has ended")
    return process.answer()


def run(work: Coroutine[Any, Any, Any], loop: Loop) -> Any:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work)


WAYS: dict[str, Callable[..., Any]] = {
    "asyncio": lambda *asked: run(asking(*asked), asyncio.new_event_loop),
    "uvloop": lambda *asked: run(asking(*asked), uvloop.new_event_loop),
    "looking": asked,
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def test_a_child_is_out_of_the_terminals_reach_before_its_first_step() -> None:
    child = start_module("kit_test_told")
    assert os.getpgid(child.pid) == child.pid
    child.tell(b"")
    child.wait(60)


@ways
def test_a_module_that_is_asked_answers(way: Callable[..., Any]) -> None:
    question = {"rows": ["é" * 100_000]}
    assert way("echo", question) == [["a", "b"], question]
    assert way("talkative") == float("9" * 300_000 + ".5")


@ways
def test_a_module_that_fails_gives_the_last_line_of_its_errors_as_the_reason(way: Callable[..., Any]) -> None:
    with pytest.raises(ChildFailed, match="kit_test_failing: ValueError: the rows are odd") as failed:
        way("failing")
    assert failed.value.complaint.startswith("first\nTraceback")


@ways
def test_a_module_that_ends_without_an_answer_has_failed(way: Callable[..., Any]) -> None:
    with pytest.raises(ChildFailed, match="kit_test_silent: its answer is no JSON"):
        way("silent")
    with pytest.raises(ChildFailed, match="kit_test_ending: exit code 3"):
        way("ending")


@ways
def test_a_module_that_does_not_answer_in_time_is_ended(way: Callable[..., Any]) -> None:
    with pytest.raises(ChildFailed, match=r"kit_test_endless did not answer within 0.05 s"):
        way("endless", None, 0.05)


@pytest.mark.parametrize("loop", LOOPS)
def test_whoever_is_cancelled_while_asking_leaves_no_process(loop: Loop, children: Children) -> None:
    async def cancelled() -> None:
        work = asyncio.ensure_future(asking("endless"))
        await reached(children, "it is asked")
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert children() == []

    run(cancelled(), loop)


STARTS = {
    "a module that is kept": "start_module('kit_test_endless')",
    "a module of a module": "start_module('kit_test_parent')",
    "a module that is asked": "asyncio.run(ask('kit_test_endless', [], deadline_seconds=1000))",
    "a module that is looked after": "kept = Asked('kit_test_endless', [], deadline_seconds=1000)",
    "a program": "start_program(['sleep', '1000'], Terms(signal.SIGTERM))",
    "a program that is run once": "printed(['sleep', '1000'], 1000)",
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path, start: str) -> None:
    head = "import asyncio, signal\nfrom kit.child import *\n"
    (tmp_path / "kit_test_parent.py").write_text(f"{head}start_module('kit_test_endless')\nwhile True: signal.pause()")
    program = f"{head}{start}\nwhile True: signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as parent:
        family = descendants(parent, 2 if "parent" in start else 1)
        parent.kill()
    await_end(family)


def await_end(family: list[psutil.Process]) -> None:
    """Until all have ended, be it that nobody has taken note of it yet; fails when one goes on."""
    until(lambda: not any(map(lives, family)), f"all of {family} have ended")


def lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def descendants(parent: subprocess.Popen[bytes], at_least: int) -> list[psutil.Process]:
    """The living processes below one, once there are so many, and all of them are past their first acts."""

    def found() -> list[psutil.Process]:
        assert parent.poll() is None, parent.stderr and parent.stderr.read()
        family = psutil.Process(parent.pid).children(recursive=True)
        with contextlib.suppress(psutil.NoSuchProcess):
            bound = [each for each in family if "kit.child" in each.cmdline() or each.name() == "sleep"]
            return family if len(bound) >= at_least else []
        return []

    return until(found, f"{at_least} processes are below it")


def test_a_program_is_told_by_the_signal_that_its_terms_name(tmp_path: Path) -> None:
    (tmp_path / "program").write_text(
        "trap 'echo told > told; exit' TERM\necho here > here\nwhile :; do sleep 0.01; done"
    )
    program = (
        "import signal\nfrom kit.child import start_program, Terms\n"
        "start_program(['sh', 'program'], Terms(signal.SIGTERM))\nwhile True: signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as parent:
        until((tmp_path / "here").exists, "the program is under way")
        family = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    await_end(family)
    assert (tmp_path / "told").read_text() == "told\n"


def test_a_module_whose_parent_was_gone_before_it_could_be_bound_never_runs() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    command = [sys.executable, "-P", "-m", "kit.child", str(gone.pid), "9", "0", "kit_test_failing"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (ORPHANED, b"")


def test_a_kept_module_hears_what_it_is_told_in_a_group_of_its_own_and_as_nice_as_asked() -> None:
    child = start_module("kit_test_told", terms=Terms(niceness=2))
    assert child.code() is None
    child.tell(b"settings")
    assert child.wait(HUNG_SECONDS) == len(b"settings") + 20 + 100
    assert child.code() == 128


def test_a_kept_module_is_handed_descriptors_an_environment_and_a_place_for_its_output(tmp_path: Path) -> None:
    program = "import os, sys; os.write(int(sys.argv[1]), os.environ['WORD'].encode()); print(1)"
    (tmp_path / "kit_test_handed.py").write_text(program)
    ours, theirs = os.pipe()
    with (tmp_path / "output").open("wb") as output:
        environment = os.environ | {"WORD": "hello"}
        child = start_module(
            "kit_test_handed", [str(theirs)], Terms(descriptors=[theirs], environment=environment, output=output)
        )
    os.close(theirs)
    with open(ours, "rb") as pipe:
        assert pipe.read() == b"hello"
    assert child.wait(HUNG_SECONDS) == 0
    assert (tmp_path / "output").read_text() == "1\n"


def test_telling_one_that_has_ended_is_seen_by_its_code_alone() -> None:
    child = start_module("kit_test_ending")
    until(lambda: child.code() is not None, "it has ended")
    other = start_module("kit_test_ending")
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    other.tell(b"x" * 100_000)
    assert (child.code(), other.wait(0)) == (3, 3)


def test_one_that_does_not_end_in_time_is_killed_and_it_is_said(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with (tmp_path / "output").open("wb") as output:
        child = start_module("kit_test_endless", terms=Terms(output=output))
    until((tmp_path / "output").read_bytes, "it is under way")
    child.send(signal.SIGTERM)
    assert ending(child.wait(0.05)) == "signal SIGKILL"
    assert caplog.messages == ["kit_test_endless did not end in time and is killed"]


def test_a_program_that_is_run_once_says_what_it_prints() -> None:
    assert printed(["echo", "v=9.1"], HUNG_SECONDS) == "v=9.1\n"
    with pytest.raises(ChildFailed, match="false ended with exit code 1"):
        printed(["false"], HUNG_SECONDS)
    with pytest.raises(ChildFailed, match="/no/program cannot be run: No such file"):
        printed(["/no/program"], HUNG_SECONDS)
    with pytest.raises(ChildFailed, match="sleep ended with signal SIGKILL"):
        printed(["sleep", "1000"], 0.05)


def test_a_question_that_is_not_waited_for_is_ended_by_closing_it(
    caplog: pytest.LogCaptureFixture, children: Children
) -> None:
    Asked("kit_test_endless", [], deadline_seconds=1000).close()
    assert children() == []
    assert caplog.messages == []


def test_there_are_so_many_places_and_no_more(tmp_path: Path) -> None:
    with place(tmp_path / "places", 2), place(tmp_path / "places", 2):
        with pytest.raises(Busy, match="2 at once are as many as may be"), place(tmp_path / "places", 2):
            pass
        with place(tmp_path / "others", 1):
            pass
    with place(tmp_path / "places", 1):
        pass


def test_the_place_of_a_process_that_was_killed_is_free_again(tmp_path: Path) -> None:
    program = "import sys\nfrom pathlib import Path\nfrom kit.child import place\n"
    program += "with place(Path(sys.argv[1]), 1): print('taken', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        with pytest.raises(Busy), place(tmp_path, 1):
            pass
        holder.kill()
    with place(tmp_path, 1):
        pass
