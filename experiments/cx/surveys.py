"""CSAT, NPS and CES of some days: by the last answer of each person to each survey."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from events.engines.duckdb import Columns
from events.records import SURVEY_SCALES
from experiments.catalog.heard import surveys_of
from experiments.cx.asked import Span
from experiments.cx.estimates import Estimate, Nothing, mean, ratio, share_of
from experiments.cx.parts import Counted, Levels, Mask, Whole, level_column, on_days
from experiments.definitions.shop import Metric
from experiments.statistics.moments import JointMoments

Scores = npt.NDArray[np.float64]
BOUNDS: Final[Mapping[str, tuple[float, float]]] = {"csat": (0.0, 1.0), "nps": (-100.0, 100.0), "ces": (1.0, 7.0)}
SPLITS: Final = ("channel", "device", "country", "survey")


def points_of(kind: str, answers: Scores) -> Scores:
    """What each answer gives: 1 for content, 100 and −100 points for promoters and detractors, else the answer."""
    match kind:
        case "csat":
            return (answers >= 4.0).astype(np.float64)
        case "nps":
            return np.where(answers >= 9.0, 100.0, np.where(answers <= 6.0, -100.0, 0.0))
        case _:
            return answers


def known_surveys(answered: Columns, shown: Columns) -> list[str]:
    """The names of surveys that were answered or shown."""
    return sorted({str(name) for columns in (answered, shown) for name in columns["survey"]})


def named_kinds(metrics: Iterable[Metric]) -> dict[str, str]:
    """What surveys ask that are called otherwise, by their names, as the metrics say that read them."""
    kinds = {survey: each.type for each in metrics if each.type in SURVEY_SCALES for survey in surveys_of(each)}
    return {survey: kind for survey, kind in kinds.items() if survey not in SURVEY_SCALES}


def kinds_of(answered: Columns) -> dict[str, str]:
    """Of each survey the kind of most of its answers; one that only was shown goes by its name."""
    counts: dict[str, Counter[str]] = {}
    for survey, kind in zip(answered["survey"], answered["kind"], strict=True):
        counts.setdefault(str(survey), Counter())[str(kind)] += 1
    return {survey: kinds.most_common(1)[0][0] for survey, kinds in counts.items()}


@dataclass(frozen=True, slots=True, eq=False)
class ShownSurveys:
    """Surveys of one kind that were shown or answered, by person and survey (`pair`)."""

    pair: Whole
    day: Whole
    shown: Mask
    answered: Mask
    split: Levels | None

    def over(self, span: Span, levels: Sequence[str] | None) -> tuple[int, int]:
        """To how many pairs one was shown on these days, on these levels; and how many of those answered on them."""
        inside = on_days(self.day, span)
        chosen = inside & self.shown
        if levels is not None and self.split is not None:
            chosen &= self.split.chosen(levels)
        asked = np.unique(self.pair[chosen])
        return int(asked.size), int(np.isin(asked, self.pair[inside & self.answered]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class SurveyAnswers:
    """Usable answers of one kind, of one person and survey in order of time; and the days of those that are not."""

    kind: str
    person: Whole
    pair: Whole
    day: Whole
    points: Scores
    split: Levels | None
    unusable: Whole
    unusable_split: Levels | None
    asked: ShownSurveys

    @classmethod
    def of(
        cls, kind: str, answered: Columns, shown: Columns, kinds: Mapping[str, str], survey: str | None, by: str | None
    ) -> Self:
        """Those of one kind in what was read; of one survey where it is named."""
        own = answered["kind"] == kind
        if survey is not None:
            own &= answered["survey"] == survey
        usable = own & (answered["usable"] == 1)
        good = {name: column[usable] for name, column in answered.items()}
        bad = {name: column[own & ~usable] for name, column in answered.items()}
        told_so = zip(shown["kind"], shown["survey"], strict=True)
        asks = [told if told in BOUNDS else kinds.get(str(name)) for told, name in told_so]
        about = np.array([each == kind for each in asks], dtype=np.bool_)
        if survey is not None:
            about &= shown["survey"] == survey
        told = {name: column[about] for name, column in shown.items()}
        asked = ShownSurveys(
            told["pair"], told["day"], told["shown"] == 1, told["answered"] == 1, level_column(told, by, SPLITS)
        )
        return cls(
            kind, good["person"], good["pair"], good["day"], points_of(kind, good["score"].astype(np.float64)),
            level_column(good, by, SPLITS), bad["day"], level_column(bad, by, SPLITS), asked,
        )  # fmt: skip

    @property
    def levels(self) -> Sequence[str]:
        """The levels of the answers."""
        return self.split.names if self.split is not None else ()

    def over(self, span: Span, levels: Sequence[str] | None = None) -> Counted:
        """The last answer on these days of each person to each survey; of a level those of them that it has."""
        rows = np.flatnonzero(on_days(self.day, span))
        pair = self.pair[rows]
        rows = rows[np.append(pair[1:] != pair[:-1], True)] if rows.size else rows
        unusable = on_days(self.unusable, span)
        if levels is not None and self.split is not None:
            rows = rows[self.split.chosen(levels)[rows]]
            unusable &= self.unusable_split.chosen(levels) if self.unusable_split else False
        asked, responded = self.asked.over(span, levels)
        return Counted(
            self._estimate(self.person[rows], self.points[rows]), int(rows.size), unusable=int(unusable.sum()),
            asked=asked or None, responded=responded,
        )  # fmt: skip

    def _estimate(self, person: Whole, points: Scores) -> Estimate:
        if not points.size:
            return Nothing()
        starts = np.flatnonzero(np.diff(person, prepend=-1))
        low, high = BOUNDS[self.kind]
        if starts.size < points.size:
            answers = np.diff(starts, append=points.size).astype(np.float64)
            return ratio(JointMoments.of({"num": np.add.reduceat(points, starts), "den": answers}), low, high)
        return share_of(int(points.sum()), points.size) if self.kind == "csat" else mean(points, low, high)
