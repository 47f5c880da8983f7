"""Which client library an event came from, as one of a fixed list: a label that no caller can invent."""

from collections.abc import Mapping
from typing import Any, Final

from events.records import LIBRARY

MOST_LETTERS: Final = 64  # of a name that is looked up
NO_LIBRARY: Final = "none"
OTHER_LIBRARY: Final = "other"

# What clients say in `context.library.name`, in small letters → the label.
NAMES: Final[Mapping[str, str]] = {
    "": NO_LIBRARY,
    "resonate": "resonate",
    "resonate.js": "resonate",
    "analytics.js": "analytics.js",
    "@segment/analytics-next": "analytics.js",
    "analytics-next": "analytics.js",
    "@segment/analytics-node": "analytics-node",
    "analytics-node": "analytics-node",
    "analytics-python": "analytics-python",
    "segment-analytics-python": "analytics-python",
    "analytics-ruby": "analytics-ruby",
    "analytics-php": "analytics-php",
    "analytics-go": "analytics-go",
    "analytics-java": "analytics-java",
    "analytics-kotlin": "analytics-kotlin",
    "analytics-android": "analytics-android",
    "analytics-ios": "analytics-ios",
    "analytics-swift": "analytics-swift",
    "analytics-flutter": "analytics-flutter",
    "@segment/analytics-react-native": "analytics-react-native",
    "analytics-react-native": "analytics-react-native",
    "analytics.net": "analytics-csharp",
    "analytics-csharp": "analytics-csharp",
    "analytics-rust": "analytics-rust",
    "rudderlabs javascript sdk": "rudder-sdk-js",
    "rudder-sdk-js": "rudder-sdk-js",
    "@rudderstack/rudder-sdk-node": "rudder-sdk-node",
    "rudder-sdk-node": "rudder-sdk-node",
    "rudder-node-sdk": "rudder-sdk-node",
    "rudder-analytics-python": "rudder-sdk-python",
    "rudder-sdk-python": "rudder-sdk-python",
    "rudder-sdk-ruby": "rudder-sdk-ruby",
    "rudder-sdk-php": "rudder-sdk-php",
    "rudder-sdk-java": "rudder-sdk-java",
    "rudder-go": "rudder-sdk-go",
    "rudder-ios-library": "rudder-sdk-ios",
    "com.rudderstack.android.sdk.core": "rudder-sdk-android",
    "growthbook": "growthbook",
    "growthbook-js": "growthbook",
    "google analytics": "ga4",
    "ga4": "ga4",
}
LABELS_OF_LIBRARIES: Final = tuple(sorted({*NAMES.values(), OTHER_LIBRARY}))


def told_library(context: Any) -> dict[str, Any]:
    """The member of a row's context that says it by its label; empty where the context says none."""
    label = library_of(context)
    return {} if label == NO_LIBRARY else {LIBRARY: {"name": label}}


def library_of(context: Any) -> str:
    """The label of the library that the context of an event names."""
    told = context.get(LIBRARY) if type(context) is dict else None
    return library_label(told.get("name") if type(told) is dict else None)


def library_label(name: Any) -> str:
    """The label of what an event says of its library: `none` where it says nothing, `other` for one that is not known.

    A label is its own.
    """
    if type(name) is not str or not name:
        return NO_LIBRARY
    known = name[:MOST_LETTERS].strip().lower()
    return known if known in LABELS_OF_LIBRARIES else NAMES.get(known, OTHER_LIBRARY)
