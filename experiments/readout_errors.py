"""What a reader asked for and there is not, with what there would be."""

from collections.abc import Iterable
from difflib import get_close_matches


class NotFound(LookupError):
    """Something asked for by name does not exist; `suggestions` are names that do, the likeliest first."""

    what = "thing"

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        """Name what was asked for, and what there is."""
        names = [str(item) for item in known]
        close = get_close_matches(name, names, 3, 0.5)
        self.name = name
        self.suggestions = tuple(close or sorted(names)[:10])
        super().__init__(f"there is no {self.what} {name!r}; {self._hint(bool(close))}")

    def _hint(self, close: bool) -> str:
        if not self.suggestions:
            return f"no {self.what} is known here"
        listed = ", ".join(self.suggestions)
        return f"did you mean {listed}?" if close else f"there is {listed}"

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownExperiment(NotFound):
    what = "experiment"


class UnknownMetric(NotFound):
    what = "metric"


class UnknownDimension(NotFound):
    what = "dimension"


class UnknownPhase(NotFound):
    what = "phase"


class InvalidDate(ValueError):
    """A moment that cannot be read, or that lies in the future."""
