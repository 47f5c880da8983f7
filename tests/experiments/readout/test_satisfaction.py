"""Customer experience of the whole site per day."""

from pathlib import Path

from worlds.readout_studies import DAY, HOUR, SMALLEST, START, Shop, readouts

FILES = {"banner.yaml": SMALLEST + "goal: purchase_rate\n", "shop.yaml": "timezone: Europe/Bratislava\n"}


def answer(shop: Shop, survey: str, *scores: float) -> None:
    for score in scores:
        properties = {"survey": survey}
        shop.add("track", "v1", START + HOUR, event="Survey Answered", value=score, properties=properties)


def test_surveys_are_counted_on_their_scales_by_shop_day(tmp_path: Path) -> None:
    shop = Shop()
    answer(shop, "CSAT", 5, 4, 2, 9)
    answer(shop, "nps", 10, 9)
    answer(shop, "Nps", 7, 0)
    answer(shop, "ces", 1, 4, 8)
    days = readouts(tmp_path, shop.records, 3, FILES).cx()["days"]
    assert [day["date"] for day in days] == ["2026-01-05"]
    assert (days[0]["csat"], days[0]["csat_answers"]) == (2 / 3, 3)
    assert (days[0]["nps"], days[0]["nps_answers"]) == (25.0, 4)
    assert (days[0]["ces"], days[0]["ces_answers"]) == (2.5, 2)


def test_retention_is_who_came_back_in_the_second_week(tmp_path: Path) -> None:
    shop = Shop()
    for visitor, later in (("a", 7 * DAY), ("b", 14 * DAY), ("c", 3 * DAY), ("d", 10 * DAY)):
        shop.add("page", visitor, START)
        shop.add("page", visitor, START + later)
    shop.add("page", "new", START + 20 * DAY)
    days = readouts(tmp_path, shop.records, 25, FILES).cx()["days"]
    assert [(day["date"], day["retention_d7"], day["new_visitors"]) for day in days] == [("2026-01-05", 0.5, 4)]
