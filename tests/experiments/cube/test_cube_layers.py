"""One scan of events serves several sources only where no row could belong to two of them."""

from experiments.cube.measures import SourceKey
from experiments.cube.sources import layers_of

VIEWS = SourceKey("events", "Product Viewed")
MOBILE_VIEWS = SourceKey("events", "Product Viewed", where=b'{"device": "mobile"}')
CARTS = SourceKey("events", "Product Added")
SHELF_CARTS = SourceKey("events", "Product Added", where=b'{"shelf": "top"}')  # a property: it is in JSON


def test_two_sources_of_one_event_are_read_apart() -> None:
    assert layers_of([VIEWS, MOBILE_VIEWS]) == [[VIEWS], [MOBILE_VIEWS]]


def test_sources_of_different_events_share_a_scan() -> None:
    assert layers_of([VIEWS, MOBILE_VIEWS, CARTS]) == [[VIEWS, CARTS], [MOBILE_VIEWS]]


def test_events_that_need_no_json_are_not_read_with_those_that_do() -> None:
    assert layers_of([VIEWS, SHELF_CARTS]) == [[VIEWS], [SHELF_CARTS]]
    assert layers_of([VIEWS, SourceKey("events", "Signed Up", value="score")]) == [
        [VIEWS],
        [SourceKey("events", "Signed Up", value="score")],
    ]


def test_no_source_is_none_to_scan_for() -> None:
    assert layers_of([]) == []
