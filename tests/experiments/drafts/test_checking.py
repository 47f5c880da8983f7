"""What the check says of a draft is what `resonate check` says once its file is there."""

from datetime import UTC, datetime
from pathlib import Path

from experiments.catalog.check import SiteHistory, check_folder
from experiments.definitions.model import Experiment
from experiments.definitions.shop import Metric
from experiments.drafts.checking import Surroundings, check_draft

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OTHER = "key: other\nstatus: running\nlayer: {name: page, share: [0%, 60%]}\nvariants: [a, b]\ngoal: purchase_rate\n"
DRAFT = "key: sale\nlayer: {name: page, share: [50%, 90%]}\nvariants: [a, b]\ngoal: purchase_rat\n"


def folder(tmp_path: Path, **files: str) -> Surroundings:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return Surroundings(tmp_path, None, None, {})


def test_it_says_what_the_check_says_once_the_file_is_there(tmp_path: Path) -> None:
    around = folder(tmp_path, other=OTHER)
    found = check_draft(around, "sale.yaml", DRAFT, NOW)
    (tmp_path / "sale.yaml").write_text(DRAFT)
    assert found.errors == check_folder(tmp_path, NOW).errors
    assert [error.path for error in found.errors] == ["layer", "goal"]


def test_what_it_breaks_in_another_file_is_its_doing_too(tmp_path: Path) -> None:
    later = DRAFT.replace("key: sale", "key: zzz").replace("purchase_rat\n", "purchase_rate\n")
    found = check_draft(folder(tmp_path, zzz=later), "sale.yaml", DRAFT.replace("rat\n", "rate\n"), NOW)
    assert [(error.file, error.path) for error in found.errors] == [("zzz.yaml", "layer")]
    assert found.elsewhere == ()


def test_mistakes_that_stand_already_are_told_apart(tmp_path: Path) -> None:
    found = check_draft(folder(tmp_path, other="key: other\n"), "sale.yaml", "key: sale\n", NOW)
    assert {error.file for error in found.errors} == {"sale.yaml"}
    assert {error.file for error in found.elsewhere} == {"other.yaml"}


def test_the_log_is_asked_about_the_draft_alone(tmp_path: Path) -> None:
    asked: list[str] = []

    def events(metric: Metric) -> int:
        asked.append(metric.name)
        return 0

    def matching(experiment: Experiment) -> int:
        asked.append(experiment.key)
        return 0

    around = Surroundings(
        folder(tmp_path, other=OTHER.replace("purchase_rate", "nps")).folder,
        None,
        SiteHistory(events=events, matching_visitors=matching),
        {},
    )
    found = check_draft(around, "sale.yaml", "key: sale\nvariants: [a, b]\ngoal: purchase_rate\n", NOW)
    assert asked == ["purchase_rate", "sale"]
    assert [warning.path for warning in found.warnings] == ["audience", "goal"]
