"""What steps of the loop cost: what the thread used for them, and of all together no more than it used."""

from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import OneWorker

from app.limits.budgets import Tab
from app.limits.metering import SHORT_SECONDS, CpuClock, metered


@dataclass
class Thread:
    """The two clocks of a thread, as one that waits for the core sees them."""

    passed: float = 0.0
    used: float = 0.0

    def goes_on(self, used: float, waited: float) -> None:
        self.used += used
        self.passed += used + waited


SHORT = st.floats(0, SHORT_SECONDS * 0.99)
LONG = st.floats(SHORT_SECONDS * 1.01, 0.1)
STEPS = st.lists(
    st.tuples(
        st.floats(0, 0.01),  # what the loop works before it
        st.one_of(st.tuples(SHORT, st.just(0.0)), st.tuples(LONG, st.floats(0, 10))),
    ),
    min_size=1,
)


@given(STEPS)
def test_a_step_costs_what_it_used_and_all_together_no_more_than_the_thread(
    steps: list[tuple[float, tuple[float, float]]],
) -> None:
    thread = Thread()
    clock = CpuClock(lambda: thread.passed, lambda: thread.used)
    charged = 0.0
    for between, (used, waited) in steps:
        thread.goes_on(between, 0)
        began = clock.now()
        thread.goes_on(used, waited)
        cost = clock.since(began)
        assert used - 1e-9 <= cost <= used + waited + 1e-9
        charged += cost
        assert charged <= thread.used + 1e-9


def test_what_another_process_takes_of_a_long_step_is_not_charged() -> None:
    thread = Thread()
    clock = CpuClock(lambda: thread.passed, lambda: thread.used)
    thread.goes_on(0.002, 0)
    began = clock.now()
    thread.goes_on(0.001, 5)
    assert clock.since(began) == pytest.approx(0.003)  # with what the loop had worked before


@dataclass
class Note:
    """A bill of nobody."""

    cpu_seconds: float = 0.0


class Patient:
    """What a coroutine may await: it goes on when it is told to, with what it is told."""

    def __await__(self):  # type: ignore[no-untyped-def]
        return (yield self)


async def answer(ending: str) -> str:
    try:
        await Patient()
    except KeyError:
        return "caught"
    if ending == "raise":
        raise ValueError(ending)
    return ending


def begun(work: Coroutine[Any, Any, Any], note: Note | None = None) -> Generator[Any, Any, Any]:
    """Metered work after its first step."""
    steps = metered(work, CpuClock(), note or Note())
    next(steps)
    return steps


def test_what_is_metered_gives_raises_and_is_cancelled_as_it_would_be_without() -> None:
    with pytest.raises(StopIteration) as given_back:
        next(begun(answer("given")))
    assert given_back.value.value == "given"
    with pytest.raises(ValueError, match="raise"):
        next(begun(answer("raise")))
    with pytest.raises(StopIteration) as ended:
        begun(answer("")).throw(KeyError())
    assert ended.value.value == "caught"


def test_only_the_steps_are_counted_and_not_what_lies_between() -> None:
    note = Note()
    steps = begun(answer("given"), note)
    first = note.cpu_seconds
    sum(range(2_000_000))
    with pytest.raises(StopIteration):
        next(steps)
    assert 0 < first < note.cpu_seconds < 0.01


def test_what_an_answer_costs_once_its_exposure_is_stored_is_charged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged = list[float]()
    charge = Tab.charge

    def noted(self: Tab, now: float, requests: float, cpu_ms: float, kilobytes: float, events: float) -> None:
        charged.append(cpu_ms)
        charge(self, now, requests, cpu_ms, kilobytes, events)

    with OneWorker(tmp_path) as worker, worker.client() as page:
        monkeypatch.setattr(Tab, "charge", noted)
        monkeypatch.setattr(CpuClock, "since", lambda *_: 0.0001)  # of every step
        page.post("/v1/personalize", json={"visitor_id": "v", "experiments": ["banner"]}).raise_for_status()
        page.post("/v1/track", json={"anonymousId": "v", "event": "E"}).raise_for_status()
    assert charged == [pytest.approx(0.2)] * 2  # before the log has it, and after


def test_health_pages_are_paid_by_a_known_key_too(tmp_path: Path) -> None:
    limits = {"rate_limit_per_second": 1, "rate_limit_burst": 3}
    with OneWorker(tmp_path, **limits) as worker, worker.client() as page:
        answers = [page.get(path).status_code for path in ("/metrics", "/readyz") * 4]
    assert answers[:3] == [200] * 3
    assert set(answers[5:]) == {429}
