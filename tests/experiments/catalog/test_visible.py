"""What pages see of drawn folders is what they would see if nothing unreleased had a file, at every moment."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.proving import examples
from worlds.drawn_definitions import NOW, files, folders, is_released

from experiments.assignment.assign import assign
from experiments.assignment.payload import features
from experiments.catalog.catalog import Catalog, catalog_of, former_designs
from experiments.catalog.visible import Visible
from experiments.definitions.content import CatalogContent, FormerDesign, PublishedCatalog, content_version
from experiments.definitions.folder import read_sources
from experiments.definitions.model import Experiment

DAY = timedelta(days=1)


def catalog(content: CatalogContent, former: Sequence[FormerDesign] = ()) -> Catalog:
    version = content_version(content)
    return catalog_of(PublishedCatalog(version=version, received_at=NOW, content=content, former=tuple(former)))


def content_of(experiments: Mapping[str, Any]) -> CatalogContent:
    return read_sources(files(experiments)).complete()


def seen(visible: Visible, moment: datetime) -> dict[str, Any]:
    """All that a handler can make of what it is given."""
    now, forced = moment.timestamp(), {key: "b" for key in visible.forcible}
    answers = [assign(each, "v-1", {"user_id": "u-1"}, now, forced) for each in visible.servable]
    return {
        "keys": list(visible.compiled),
        "answers": [repr(answer) for answer in answers],
        "running": [each.key for each in visible.running],
        "shown": [each.key for each in visible.shown],
        "served": {key: [each.seed for each in designs] for key, designs in sorted(visible.served.items())},
        "forcible": sorted(visible.forcible),
        "payload": json.dumps(features(visible.servable, now, visible.secured)),
    }


@settings(max_examples=examples(150))
@given(drawn=folders(), hours=st.lists(st.integers(-72, 72), min_size=1, max_size=6))
def test_pages_see_what_they_would_see_without_the_files_of_what_is_not_released(
    drawn: dict[str, Any], hours: list[int]
) -> None:
    whole = catalog(content_of(drawn))
    for moment in [NOW + timedelta(hours=each) for each in hours]:  # in any order: a clock may be set back
        released = {key: one for key, one in drawn.items() if is_released(one, moment)}
        without = catalog(content_of(released))
        assert seen(whole.released.at(moment.timestamp()), moment) == seen(without.full, moment) | {
            "forcible": sorted(key for key, one in released.items() if runs(one, moment)),
            "answers": seen(without.released.at(moment.timestamp()), moment)["answers"],
        }


def runs(one: Mapping[str, Any], moment: datetime) -> bool:
    return one["status"] == "running" and (one["end"] is None or moment < one["end"])


@given(drawn=folders(), moment=st.integers(-72, 72).map(lambda hours: NOW + timedelta(hours=hours)))
def test_a_secret_key_sees_every_experiment_that_is_answered(drawn: dict[str, Any], moment: datetime) -> None:
    full = catalog(content_of(drawn)).full
    servable = sorted(key for key, one in drawn.items() if one["status"] not in ("draft", "archived"))
    assert list(full.compiled) == sorted(full.forcible) == servable
    assert set(catalog(content_of(drawn)).released.at(moment.timestamp()).compiled) <= {*servable}


def test_what_is_seen_is_made_anew_at_a_start_and_at_an_end_alone() -> None:
    one = {"status": "running", "start": NOW, "end": NOW + DAY, "shipped": False, "phase": 0}
    released = catalog(content_of({"banner": one})).released
    before, during, after = (
        [released.at((NOW + passed).timestamp()) for passed in (first, second)]
        for first, second in ((-DAY, -DAY / 2), (DAY * 0, DAY / 2), (DAY, 2 * DAY))
    )
    assert [each[0] is each[1] for each in (before, during, after)] == [True, True, True]
    assert [list(each[0].compiled) for each in (before, during, after)] == [[], ["banner"], ["banner"]]
    assert [[*each[0].forcible] for each in (before, during, after)] == [[], ["banner"], []]


def former(experiment: Experiment, until: datetime) -> FormerDesign:
    before = PublishedCatalog(version="1", received_at=NOW, content=CatalogContent(experiments=(experiment,)))
    [design] = former_designs(before, CatalogContent(), until)
    return design


def test_reports_are_held_against_former_designs_that_pages_saw_and_no_others() -> None:
    one = {"status": "running", "start": NOW, "end": None, "shipped": False, "phase": 0}
    [experiment] = content_of({"banner": one}).experiments
    for until, known in ((NOW - DAY, []), (NOW + DAY, ["banner"])):
        found = catalog(CatalogContent(), [former(experiment, until)])
        assert [*found.released.at(datetime.now(UTC).timestamp()).served] == known
        assert [*found.full.served] == ["banner"]
