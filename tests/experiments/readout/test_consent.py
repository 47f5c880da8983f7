"""A readout says under which consent its units are stored, and when the variants differ in it."""

from pathlib import Path

import pytest
from worlds.readout_studies import DAY, GOAL, START, Shop, readouts

from events.authority import Authority
from events.records import REFUSED


def shop(personal: dict[str, int], units: int = 400) -> Shop:
    """Of the units of each arm so many per hundred are under personal consent; 7 and 5 answers were refused."""
    found = Shop()
    for number in range(units):
        for variant, share in personal.items():
            mode = "personal" if number % 100 < share else "measure"
            found.expose(f"{variant}-{number}", variant, START + number, consent=mode)
            # seen again under another mode: a unit is what it was at its first exposure
            found.expose(f"{variant}-{number}", variant, START + DAY + number, consent="personal")
    for day, count in enumerate((7.0, 5.0)):
        refusal = {"experiment": "banner", "phase": 0, "value": count, "authority": Authority.BACKEND}
        found.add(REFUSED, "", START + day * DAY, **refusal)
    found.add(REFUSED, "", START, experiment="other", phase=0, value=99.0)
    found.add(REFUSED, "", START, experiment="banner", phase=1, value=99.0)
    return found


def test_units_are_told_by_variant_and_consent_and_refused_answers_of_none(tmp_path: Path) -> None:
    read = readouts(tmp_path, shop({"control": 30, "b": 30}).records, 3, GOAL)
    health = read.read("banner").health
    assert health.consent is not None
    assert health.consent.none == 12
    assert health.consent.by_variant == {key: {"measure": 280, "personal": 120} for key in ("control", "b")}
    assert "consent_differs" not in {check.code for check in health.checks}


@pytest.mark.parametrize(("b", "differs"), [(36, False), (45, True)])
def test_variants_that_move_who_allows_what_are_named(b: int, differs: bool, tmp_path: Path) -> None:
    read = readouts(tmp_path, shop({"control": 30, "b": b}).records, 3, GOAL)
    found = [check for check in read.read("banner").health.checks if check.code == "consent_differs"]
    assert [bool(check.detail) for check in found] == [True] * differs
    assert not differs or f"30 % in control, {b} % in b" in found[0].detail


def test_a_metric_may_ask_for_consent(tmp_path: Path) -> None:
    files = GOAL | {
        "metrics.yaml": "allowed: {type: count, event: Seen, where: {consent: personal}}\n",
        "banner.yaml": GOAL["banner.yaml"] + "secondary: [allowed]\n",
    }
    world = shop({"control": 50, "b": 50}, units=100)
    for number in range(100):
        mode = "personal" if number % 100 < 50 else "measure"
        world.add("track", f"b-{number}", START + 2 * number, event="Seen", consent=mode)
    readout = readouts(tmp_path, world.records, 9, files).read("banner")
    assert [arm.numerator for arm in readout.metric("allowed").arms] == [0, 50]
