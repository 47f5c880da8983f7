"""What happened, as facts: one immutable record per event, ready for the log."""

from typing import Any, Final, Literal

import msgspec

ExposureSource = Literal["ofrep", "personalize", "client", "growthbook"]

EXPOSURE: Final = "exposure"
TRACK: Final = "track"
PAGE: Final = "page"
SCREEN: Final = "screen"
IDENTIFY: Final = "identify"
GROUP: Final = "group"
ALIAS: Final = "alias"
ENGAGEMENT: Final = "engagement"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of the log; the fields are the columns of `events.columns` that the sender (not the store) gives.

    `time` is in microseconds UTC, `engaged_ms` in milliseconds. `visitor_id` is the anonymousId, else the userId.
    """

    message_id: str
    type: str
    visitor_id: str
    time: int
    event: str | None = None
    user_id: str | None = None
    experiment: str | None = None
    variant: str | None = None
    phase: int | None = None
    propensity: float | None = None
    exposure_source: ExposureSource | None = None
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None
    product_ids: list[str] | None = None
    quantities: list[float] | None = None
    prices: list[float] | None = None
    page_view_id: str | None = None
    engaged_ms: int | None = None
    url: str | None = None
    path: str | None = None
    device: str | None = None
    country: str | None = None
    bot: bool = False
    forced: bool = False
    forged: bool = False
    backend: bool = False
    quarantined: bool = False
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
