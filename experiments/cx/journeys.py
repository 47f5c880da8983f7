"""The journey of those who entered it on some days: who came to which stage, in order, and within how long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from events.engines.sql import Statement
from events.records import PAGE
from experiments.answers.customers import JourneyReadout, StageReached
from experiments.cube.sources import named
from experiments.cube.statements import condition
from experiments.cx.asked import Span
from experiments.cx.estimates import TimeQuantile, interval_of, share_of
from experiments.cx.gathering import Gathering, experience_sql
from experiments.cx.tickets import HOUR_US
from experiments.definitions.shop import Shop
from experiments.statistics.quantiles import SurvivalCurve
from experiments.wording.customers import stage_sentence
from kit.time import DAY_US

JOURNEY_DAYS: Final = 90
ORDER: Final = "Order Completed"
StageRows = Literal["events", "pages", "orders", "promoters"]
_ROWS: Final[Mapping[str, StageRows]] = {ORDER: "orders", PAGE: "pages"}


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """A stage, and which one (by its place) it is counted from."""

    name: str
    event: str
    where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    after: int | None = None
    rows: StageRows = "events"


USUAL: Final = (
    JourneyStep("awareness", PAGE, rows="pages"),
    JourneyStep("consideration", "Product Viewed", after=0),
    JourneyStep("intent", "Checkout Started", after=1),
    JourneyStep("purchase", ORDER, after=2, rows="orders"),
    JourneyStep("loyalty", ORDER, after=3, rows="orders"),
    JourneyStep("advocacy", "Survey Answered", after=3, rows="promoters"),
)


def stages_of(shop: Shop) -> Sequence[JourneyStep]:
    """Those of `shop.yaml`, each counted from the one before, or the usual ones."""
    own = (
        JourneyStep(each.name, each.event, each.where, place - 1 if place else None, _ROWS.get(each.event, "events"))
        for place, each in enumerate(shop.journey)
    )
    return tuple(own) or USUAL


@dataclass(frozen=True, slots=True)
class _Came:
    """Who came to a stage: how long each had waited since the stage before (µs), and how many are not followed to the
    end yet."""

    waited: npt.NDArray[np.float64]
    young: int

    @property
    def count(self) -> int:
        return int(self.waited.size)


def journey_of(gathering: Gathering, shop: Shop, span: Span) -> JourneyReadout:
    """Of everybody who came to the first stage on these days, from the first time that they did so."""
    stages = stages_of(shop)
    engine, days = gathering.engine, gathering.days
    since_us, until_us = days.moment(span.first), days.moment(span.last + DAY_US)
    came: list[_Came] = []
    for place, stage in enumerate(stages):
        engine.materialise("stage", _rows_of(gathering, stage, since_us))
        if stage.after is None:
            found = experience_sql("stage_first").bind(
                member=gathering.member("f.person"), since=since_us, until=until_us
            )
        else:
            apart = int(stage.event == stages[stage.after].event)
            found = experience_sql("stage_next").bind(apart=apart, within=JOURNEY_DAYS * DAY_US)
            found = found.tables(before=f"stage_{stage.after}")
        engine.materialise(f"stage_{place}", found)
        reached = engine.columns(experience_sql("stage_reached").tables(reached=f"stage_{place}"))
        young = reached["entered_at"] + JOURNEY_DAYS * DAY_US > gathering.until_us
        came.append(_Came(np.sort(reached["waited"].astype(np.float64)), int(young.sum())))
    return JourneyReadout(
        JOURNEY_DAYS, came[0].young, tuple(_told(place, stages, came) for place in range(len(stages)))
    )


def _rows_of(gathering: Gathering, stage: JourneyStep, since_us: int) -> Statement:
    """What brings somebody to a stage."""
    wanted = condition(stage.where, gathering.properties.of(stage.event, scored=False))
    match stage.rows:
        case "promoters":
            found = experience_sql("stage_promoters")
        case "orders":
            gathering.orders()
            found = experience_sql("stage_orders").bind(every=not stage.where, wanted=wanted)
        case "pages" if not stage.where:
            gathering.pages()
            found = experience_sql("stage_pages")
        case _:
            named_so = named(stage.event)
            found = experience_sql("stage_rows").bind(named=named_so, wanted=wanted, until=gathering.until_us)
    return found.bind(since=since_us)


def _told(place: int, stages: Sequence[JourneyStep], came: Sequence[_Came]) -> StageReached:
    stage, here = stages[place], came[place]
    if stage.after is None:
        nothing = StageReached(stage.name, None, here.count, None, None, None, None, None, None, "")
        return replace(nothing, sentence=stage_sentence(nothing))
    of_first, of_previous = share_of(here.count, came[0].count), share_of(here.count, came[stage.after].count)
    median = TimeQuantile(SurvivalCurve.of_sorted(here.waited / HOUR_US, np.ones(here.count, dtype=np.bool_)), 0.5)
    told = StageReached(
        stage.name, stages[stage.after].name, here.count, of_first.value, interval_of(of_first), of_previous.value,
        interval_of(of_previous), median.value, interval_of(median), "",
    )  # fmt: skip
    return replace(told, sentence=stage_sentence(told))
