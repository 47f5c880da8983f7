"""`resonate check`: mistakes, the tests inside the files, and warnings about what will not work well."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from worlds.catalog_folders import BANNER, Shop

from app.analysis.overview import Overview
from events.engines.duckdb import EventLog
from experiments.catalog.check import CheckResult, SiteHistory, check_folder, served_in
from experiments.readout.read import Readouts

NOW = datetime(2026, 1, 10, tzinfo=UTC)
DESIGN = BANNER.replace("status: running", "status: draft") + (
    "start: 2030-01-01\nunit: visitor\ntraffic: {2030-01-01: 10%, 2031-01-01: 100%}\n"
    "audience:\n  segments: [eu]\n  where: {device: {$in: [mobile]}}\ntests:\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "segments.yaml").write_text("eu: {where: {country: SK}}\n")
    return tmp_path


def checked(folder: Path, history: SiteHistory | None = None, **texts: str) -> CheckResult:
    for stem, text in texts.items():
        (folder / f"{stem}.yaml").write_text(text)
    return check_folder(folder, NOW, None, history)


def test_tests_ignore_status_dates_and_dated_traffic(folder: Path) -> None:
    result = checked(
        folder,
        banner=DESIGN
        + "  - {given: {visitor: v-8, segments: [eu], attributes: {device: mobile}}, expect: {in: true}}\n"
        + "  - {given: {visitor: v-8, attributes: {device: mobile, country: SK}}, expect: {in: true}}\n"
        + "  - {given: {visitor: v-8, segments: [eu]}, expect: {in: false, because: audience}}\n"
        + "  - {split: 10000, tolerance: 2%}\n",
    )
    assert (result.errors, result.passed, result.tests, result.experiments) == ((), True, 4, 1)


FAILURES = {
    "{given: {visitor: v-8, attributes: {device: mobile}}, expect: {in: true}}": (
        "expected in: true, but v-8 is out because of audience"
    ),
    "{given: {visitor: v-8, segments: [eu], attributes: {device: tv}}, expect: {in: false, because: traffic}}": (
        "expected because: traffic, but v-8 is out because of audience"
    ),
    "{given: {visitor: v-8, attributes: {}}, expect: {variant: threshold}}": (
        "expected variant: threshold, but v-8 is out because of audience, control"
    ),
    "{split: 1000, tolerance: 0.01%}": (
        "its weight is 50.00%, the tolerance 0.01%; with so few it is chance, write tolerance: 6.4%"
    ),
    "{split: 1000, tolerance: 0.5%}": "it is chance, write tolerance: 6.4%, or split: 160000",
}


@pytest.mark.parametrize(("test", "message"), FAILURES.items(), ids=["in", "because", "variant", "split", "few"])
def test_a_failed_test_is_an_error_with_its_line(folder: Path, test: str, message: str) -> None:
    result = checked(folder, banner=DESIGN + f"  - {test}\n")
    assert len(result.errors) == 1
    assert str(result.errors[0]).startswith("banner.yaml:14: tests: ")
    assert message in str(result.errors[0])
    assert not result.passed


def test_a_test_asks_for_layers_holdouts_traffic_and_units(folder: Path) -> None:
    tests = "tests:\n  - {given: {visitor: v-1}, expect: {in: false, because: %s}}\n"
    almost_nobody = "layer: {name: pdp, share: [99.99%, 100%]}\n"
    (folder / "holdouts.yaml").write_text("most: {share: 99.99%}\n")
    lines = {
        "layer": almost_nobody,
        "holdout": "holdouts: [most]\n",
        "traffic": "traffic: 0%\n",
        "unit": "unit: user\n",
    }
    for reason, line in lines.items():
        assert checked(folder, banner=BANNER + line + tests % reason).errors == (), reason


def test_tests_of_users_name_the_user(folder: Path) -> None:
    test = "tests:\n  - {given: {visitor: v-1, user: u-1}, expect: {in: true}}\n  - {split: 2000, tolerance: 5%}\n"
    assert checked(folder, banner=BANNER + "unit: user\n" + test).errors == ()


def test_mistakes_come_before_tests(folder: Path) -> None:
    result = checked(folder, banner=DESIGN + "  - {split: 1000, tolerance: 0.01%}\nuni: user\n")
    assert [error.message for error in result.errors] == ['unknown field "uni", did you mean "unit"?']


def test_a_change_that_the_service_would_refuse_is_told_beforehand(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert served_in(shop.data) is None
    shop.boot(banner=BANNER)
    shop.write(BANNER.replace("free shipping", "gratis"))
    result = check_folder(shop.definitions, shop.now, served_in(shop.data))
    assert [error.path for error in result.errors] == ["variants"]
    assert check_folder(shop.definitions, shop.now).passed


@pytest.mark.parametrize(
    ("text", "at_once", "after_a_week"),
    [
        (BANNER, "enrolling", "enrolling"),
        (BANNER.replace("running", "paused"), "paused", "paused"),
        (BANNER.replace("running", "stopped"), "ended", "closed"),
        (BANNER.replace("running", "archived"), "ended", "closed"),
        (BANNER + "end: 2026-01-12\n", "enrolling", "ended"),
        (BANNER.replace("running", "draft"), "ended", "closed"),
        (BANNER + "phase: 1\nstart: 2026-01-12\n", "not_started", "enrolling"),
    ],
    ids=["as it is", "paused", "stopped", "archived", "to end", "draft again", "another phase"],
)
def test_what_a_changed_file_makes_of_an_experiment_is_told_beforehand_and_served_then(
    tmp_path: Path, text: str, at_once: str, after_a_week: str
) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER)
    shop.wait(hours=1)
    shop.write(text)

    def told() -> tuple[str, str]:
        archive = shop.archive()
        overview = Overview(Readouts(EventLog(shop.data), archive, lambda: shop.now), archive)
        listed = overview.listed(shop.now)["experiments"]
        return check_folder(shop.definitions, shop.now, served_in(shop.data)).states["banner"], listed[0]["state"]

    assert told() == (at_once, "enrolling")
    shop.settle()
    assert told() == (at_once, at_once)
    shop.wait(days=7, hours=1)
    assert told() == (after_a_week, after_a_week)


def test_two_running_experiments_on_the_same_payload_field_are_warned_of(folder: Path) -> None:
    other = BANNER.replace("key: banner", "key: other")
    result = checked(folder, banner=BANNER, other=other)
    assert [str(warning) for warning in result.warnings] == [
        "other.yaml:3: variants: payload field text is changed by banner too;"
        " put both in one layer, or name it differently"
    ]
    assert result.passed
    apart = "layer: {name: pdp, share: [%s]}\n"
    assert not checked(folder, banner=BANNER + apart % "0%, 50%", other=other + apart % "50%, 100%").warnings
    assert not checked(folder, banner=BANNER, other=other.replace("running", "draft")).warnings
    assert not checked(folder, banner=BANNER, other=other.replace("free shipping", "none")).warnings


def test_a_layer_of_visitors_and_users_is_warned_of(folder: Path) -> None:
    layer = "layer: {name: pdp, share: [%s]}\n"
    other = BANNER.replace("key: banner", "key: other") + "unit: user\n" + layer % "50%, 100%"
    result = checked(folder, banner=BANNER + layer % "0%, 50%", other=other)
    assert "visitors and users cannot exclude each other" in str(result.warnings[0])


def test_a_plan_of_more_than_eight_weeks_is_warned_of(folder: Path) -> None:
    result = checked(folder, banner=BANNER + "plan: {days: 57}\n")
    assert "57 days are more than 8 weeks" in str(result.warnings[0])


def test_warnings_that_need_traffic_ask_the_log(folder: Path) -> None:
    lines = (
        "audience: {where: {kitchen: fridge}}\nguardrails: {refund_rate: 2%, nps: 0.2 points}\n"
        "plan: {mde: {purchase_rate: 1%}}\n"
    )
    history = SiteHistory(
        events=lambda metric: 0 if metric.name == "purchase_rate" else 5,
        days_to_mde=lambda _, __: 90.4,
        smallest_harm=lambda _, guardrail: guardrail.max_harm * 3,
        matching_visitors=lambda _: 0,
    )
    result = checked(folder, history, banner=BANNER + lines)
    assert [str(warning) for warning in result.warnings] == [
        "banner.yaml:6: goal: purchase_rate has no event in the last 28 days; check the event's name, or send it first",
        "banner.yaml:7: audience: nobody matched in the last 7 days; check the names and values of the attributes",
        "banner.yaml:8: guardrails.nps: 28 days can rule out a harm of 0.6 points, not of 0.2 points;"
        " allow more harm, or plan more days",
        "banner.yaml:8: guardrails.refund_rate: 28 days can rule out a harm of 6 %, not of 2 %;"
        " allow more harm, or plan more days",
        "banner.yaml:9: plan.mde.purchase_rate: 1 % takes 90 days at the site's traffic, more than 8 weeks;"
        " aim for a larger effect",
    ]
    assert not checked(folder, SiteHistory(), banner=BANNER + lines).warnings


READ_BY_PAGES = {
    "{email: a@shop.example}": "email names an e-mail address, and pages read it",
    "{$or: [{device: tv}, {staff: {$elemMatch: {$in: [b@shop.example]}}}]}": "staff names an e-mail address",
    f"{{customer: {{$in: [{', '.join(f'c-{number}' for number in range(51))}]}}}}": "customer lists 51 values",
    "{phone: {$regex: '^0905'}}": "phone is secure, and $regex cannot be asked of a digest, so it is not in the",
}


@pytest.mark.parametrize(("where", "told"), READ_BY_PAGES.items(), ids=["address", "nested", "list", "secure"])
def test_people_whom_an_audience_tells_every_page_are_warned_of(folder: Path, where: str, told: str) -> None:
    (folder / "shop.yaml").write_text("secure_attributes: [phone]\nsecure_salt: a salt of ours\n")
    banner = BANNER + f"audience: {{where: {where}}}\n"
    [warning] = checked(folder, banner=banner).warnings
    assert str(warning).startswith(f"banner.yaml:7: audience: {told}")
    assert checked(folder, banner=banner + "delivery: server\n").warnings == ()


def test_an_audience_that_hides_its_people_is_not_warned_of(folder: Path) -> None:
    (folder / "shop.yaml").write_text("secure_attributes: [email]\nsecure_salt: a salt of ours\n")
    where = f"{{email: {{$in: [{', '.join(f'c{number}@shop.example' for number in range(99))}]}}}}"
    assert checked(folder, banner=BANNER + f"audience: {{where: {where}}}\n").warnings == ()


def test_names_and_values_that_the_tag_never_tells_are_warned_of(folder: Path) -> None:
    where = "{utm_sorce: x, mood: fine, device: {$in: [phone, tv]}, $or: [{path: basket}, {path: {$regex: basket}}]}"
    result = checked(folder, banner=BANNER + f"audience:\n  where: {where}\n")
    assert [str(warning) for warning in result.warnings] == [
        'banner.yaml:8: audience.where.$or.0.path: path is never "basket"; it is what follows the host, a slash first,'
        " as in /basket",
        'banner.yaml:8: audience.where.device: device is never "phone"; it is one of mobile, tablet, desktop, tv',
        'banner.yaml:8: audience.where.utm_sorce: the tag tells no utm_sorce, did you mean "utm_source"?'
        " Else hand it over: resonate.attributes({utm_sorce: …})",
    ]


@pytest.mark.parametrize("audience", ["{where: {country: SK}}", "{segments: [home]}"])
def test_an_audience_that_asks_what_nobody_tells_is_warned_of(audience: str, folder: Path) -> None:
    (folder / "segments.yaml").write_text("home: {where: {country: {$in: [SK, CZ]}}}\n")
    untold = {"country": "set a header"}
    (folder / "banner.yaml").write_text(BANNER + f"audience: {audience}\n")
    [warning] = check_folder(folder, NOW, untold=untold).warnings
    assert str(warning) == "banner.yaml:7: audience: nobody tells the pages their country; set a header"
    assert check_folder(folder, NOW).warnings == ()
    (folder / "banner.yaml").write_text(BANNER + f"audience: {audience}\ndelivery: server\n")
    assert check_folder(folder, NOW, untold=untold).warnings == ()


def test_what_two_experiments_change_on_pages_is_no_shared_payload_field(folder: Path) -> None:
    changing = BANNER.replace("payload: {text: free shipping}", "payload: {changes: [CHANGE]}")
    changing = changing.replace("payload: {text: none}", "payload: {}")
    assert "CHANGE" in changing
    texts = {
        "banner": changing.replace("CHANGE", "{selector: .a, text: Tea}"),
        "other": changing.replace("CHANGE", "{selector: .b, text: Tea}").replace("key: banner", "key: other"),
    }
    assert checked(folder, **texts).warnings == ()


def test_definition_files_in_subfolders_are_told(folder: Path) -> None:
    (folder / "old").mkdir()
    for name in ("a.yaml", "b.yml", "notes.txt"):
        (folder / "old" / name).write_text(BANNER)
    assert [str(warning) for warning in checked(folder, banner=BANNER).warnings][-1] == (
        f"old/a.yaml: is not read, because it stands in a subfolder, and 1 more beside it; move it to {folder.name}"
    )


def test_a_running_experiment_whose_file_is_gone_is_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.boot(banner=BANNER)
    (shop.definitions / "banner.yaml").unlink()
    found = check_folder(shop.definitions, NOW, served_in(shop.data))
    assert [str(warning) for warning in found.warnings] == [
        "banner.yaml: is gone, and banner is running: to end it, keep the file with `status: stopped`"
    ]
