"""What the catalogue keeps on disk, or says to another process, is read back as it was written."""

import json
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from worlds.drawn import values

from experiments.catalog.catalog import catalog_of
from experiments.catalog.files import (
    CatalogPaths,
    KeeperState,
    history_files,
    keeper_state_json,
    publish_catalog,
    put_sources,
    read_keeper_state,
    read_published,
    read_sources_of,
    time_of,
)
from experiments.catalog.overrides import Order, Override, order, read_overrides
from experiments.catalog.phases import FrozenDesign, Phases, phases_json, stored_phases
from experiments.definitions.content import CatalogContent, PublishedCatalog, content_version
from experiments.definitions.model import Experiment, Variant
from kit.files import FilesToKeep, replace_file

FEW = settings(max_examples=25, phases=(Phase.explicit, Phase.generate))  # too slow on the disk to be made smaller


def write_phases(paths: CatalogPaths, phases: Phases) -> None:
    replace_file(paths.phases, phases_json(phases))


@FEW
@given(st.lists(values(FrozenDesign), max_size=2, unique_by=lambda design: (design.key, design.phase)))
def test_frozen_designs_are_read_as_they_were_written(designs: list[FrozenDesign]) -> None:
    phases = {(design.key, design.phase): design for design in designs}
    with TemporaryDirectory() as folder:
        write_phases(CatalogPaths(Path(folder)), phases)
        assert stored_phases(CatalogPaths(Path(folder))) == phases


@FEW
@given(values(FrozenDesign))
def test_a_frozen_design_names_its_defaults_so_that_a_later_version_with_others_reads_the_same(
    design: FrozenDesign,
) -> None:
    with TemporaryDirectory() as folder:
        paths = CatalogPaths(Path(folder))
        write_phases(paths, {(design.key, design.phase): design})
        (kept,) = json.loads(paths.phases.read_text())
    assert {*kept} == {*FrozenDesign.model_fields}
    assert {*kept["experiment"]["plan"]} == {*type(design.experiment.plan).model_fields}


@FEW
@given(values(FrozenDesign))
def test_the_external_store_gives_a_design_back_as_it_took_it(design: FrozenDesign) -> None:
    assert FrozenDesign.model_validate_json(design.model_dump_json()) == design


@FEW
@given(values(Experiment))
def test_an_experiment_is_told_to_another_process_as_it_is(experiment: Experiment) -> None:
    assert Experiment.model_validate(json.loads(json.dumps(experiment.model_dump(mode="json")))) == experiment


@FEW
@given(values(PublishedCatalog))
def test_a_release_is_read_from_current_and_history_as_it_was_published(snapshot: PublishedCatalog) -> None:
    snapshot = snapshot.model_copy(update={"version": content_version(snapshot.content, snapshot.overridden)})
    with TemporaryDirectory() as folder:
        paths = CatalogPaths(Path(folder))
        files = FilesToKeep()
        publish_catalog(paths, snapshot, files)
        files.keep()
        (kept,) = history_files(paths)
        current, former = read_published(paths.current), read_published(kept)
        assert (current, former, time_of(kept)) == (snapshot, snapshot, snapshot.received_at)
        assert current is not None
        assert content_version(current.content, current.overridden) == snapshot.version


@FEW
@given(st.text(max_size=12), values(datetime))
def test_an_order_is_read_as_it_was_given(key: str, now: datetime) -> None:
    variants = (Variant(key="a", weight=0.5, payload=None), Variant(key="b", weight=0.5, payload=None))
    running = Experiment(key=key, name=key, status="running", variants=variants, goals=())
    snapshot = PublishedCatalog(version="v", received_at=now, content=CatalogContent(experiments=(running,)))
    with TemporaryDirectory() as data:
        given = order(Path(data), catalog_of(snapshot), Order(key, "pause"), now)
        assert read_overrides(CatalogPaths(Path(data))) == {key: given}
        assert given == Override(status="paused", ordered_at=now)


@FEW
@given(values(KeeperState), st.dictionaries(st.text(max_size=8), st.text().map(str.encode), max_size=3))
def test_mistakes_and_texts_are_read_as_they_were_written(state: KeeperState, sources: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        paths = CatalogPaths(Path(folder))
        files = FilesToKeep()
        files.put(paths.state, keeper_state_json(state))
        put_sources(paths, sources, files)
        files.keep()
        assert (read_keeper_state(paths), read_sources_of(paths)) == (state, sources)
