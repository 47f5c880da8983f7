"""How a property proves something: how many examples it draws, and in which share of them it has to judge.

It draws its own number with each run of the tests, twenty times that in `make prove`.
"""

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeGuard, TypeVar

from hypothesis import HealthCheck, Phase, settings

from experiments.statistics.estimate import NoEstimate

EVERY_TIME = "untimed"
WHOLE = "prove"
PLANTED = "planted"
EXAMPLES = 100


def register_profiles() -> None:
    """Properties are judged by what they compute, not by how busy the machine is; the whole proof draws anew."""
    patient = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    settings.register_profile(EVERY_TIME, patient)
    unshrunk = (Phase.explicit, Phase.generate)  # a planted fault is to be seen, not explained
    settings.register_profile(PLANTED, patient, phases=unshrunk, database=None)
    settings.register_profile(WHOLE, patient, max_examples=20 * EXAMPLES, derandomize=False)


def examples(count: int) -> int:
    """What a property that draws `count` examples draws under the profile of this run."""
    return count * settings.default.max_examples // EXAMPLES


P = ParamSpec("P")
Value = TypeVar("Value")
_counts: ContextVar[tuple[Counter[str], Counter[str]]] = ContextVar("how often a property judged, and could have")


def speaks(**shares: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Above `@given`: the property fails where it judged less than these shares of what it asked `judged` for.

    Else one whose asserts stand under a condition would stay green while a function refuses everything.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @wraps(test)
        def counted(*args: P.args, **kwargs: P.kwargs) -> None:
            found, asked = Counter[str](), Counter[str]()
            token = _counts.set((found, asked))
            try:
                test(*args, **kwargs)
            finally:
                _counts.reset(token)
            for name, share in shares.items():
                assert found[name] > 0, f"{name} was judged in none of {asked[name]} examples"
                assert found[name] >= share * asked[name], f"{name} was judged in {found[name]} of {asked[name]}"

        return counted

    return decorate


def judged(value: Value | NoEstimate, name: str) -> TypeGuard[Value]:
    """Whether there is a value to judge; counted under this name."""
    happened(name, not isinstance(value, NoEstimate))
    return not isinstance(value, NoEstimate)


def happened(name: str, did: bool) -> None:
    """Counts under this name what an example must do in its share of them."""
    found, asked = _counts.get()
    asked[name] += 1
    found[name] += did
