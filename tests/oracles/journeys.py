"""How far one request travels: the functions of ours that it passes, and how often it enters another file."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

REPOSITORY = Path(__file__).parents[2]
OURS = tuple(f"{REPOSITORY / package}/" for package in ("app", "events", "experiments", "kit", "recommender"))
PROTOCOL = f"{REPOSITORY / 'app/serving/protocol.py'}"  # reads bytes for uvicorn; a journey begins behind it


@dataclass
class Journey:
    """Every call of ours in its order; going on after an `await` is none, for who reads has not left the function."""

    calls: list[CodeType] = field(default_factory=list[CodeType])
    begun: set[FrameType] = field(default_factory=set[FrameType])  # held, so that no frame is taken for an ended one

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """What `sys.setprofile` calls."""
        place = frame.f_code.co_filename
        if event == "call" and place.startswith(OURS) and place != PROTOCOL and frame not in self.begun:
            self.begun.add(frame)
            self.calls.append(frame.f_code)

    @property
    def functions(self) -> int:
        """Distinct functions; comprehensions and lambdas are lines of the function around them."""
        return len({code for code in self.calls if not code.co_name.startswith("<")})

    @property
    def modules(self) -> int:
        """Distinct files."""
        return len({code.co_filename for code in self.calls})

    @property
    def changes(self) -> int:
        """Calls that enter another file than the call before them."""
        files = [code.co_filename for code in self.calls]
        return sum(before != after for before, after in pairwise(files))

    def __str__(self) -> str:
        return f"{self.functions} functions, {self.modules} modules, {self.changes} module changes"

    def way(self) -> str:
        """The journey to read: a line for each call, with the file where it changes."""
        files = ["", *(code.co_filename.removeprefix(f"{REPOSITORY}/") for code in self.calls)]
        places = [after if after != before else "" for before, after in pairwise(files)]
        return "\n".join(f"{place:36} {code.co_qualname}" for place, code in zip(places, self.calls, strict=True))


@contextmanager
def of_this_thread() -> Iterator[Journey]:
    """The journey of what this thread does inside the block."""
    journey = Journey()
    sys.setprofile(journey.note)
    try:
        yield journey
    finally:
        sys.setprofile(None)


@contextmanager
def of_loop(call_soon_threadsafe: Callable[[Callable[[], None]], Any]) -> Iterator[Journey]:
    """The journey of what a loop in another thread does meanwhile."""
    journey = Journey()

    def switch(profile: Callable[[FrameType, str, Any], None] | None) -> None:
        done = threading.Event()
        call_soon_threadsafe(lambda: (sys.setprofile(profile), done.set())[0])
        assert done.wait(10)

    switch(journey.note)
    try:
        yield journey
    finally:
        switch(None)
