"""What is answered in the words of other clients' protocols, which explain their members themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict


class GrowthBookMeta(TypedDict):
    """A variation, as GrowthBook's SDKs read it."""

    key: str


class GrowthBookFilter(TypedDict):
    """Who is in, by a hash, as GrowthBook's SDKs read it."""

    attribute: str
    hashVersion: int
    seed: str
    ranges: Sequence[tuple[float, float]]


class GrowthBookExperiment(TypedDict):
    """An experiment that ran, as GrowthBook's SDKs report it."""

    key: str
    phase: str
    variations: Sequence[Any]


class GrowthBookResult(TypedDict):
    """What a visitor got, as GrowthBook's SDKs report it."""

    variationId: int
    key: str
    value: Any
    inExperiment: bool
    hashUsed: bool
    hashAttribute: str
    hashValue: str
    featureId: str
    stickyBucketUsed: bool


class GrowthBookTrack(TypedDict):
    """What a GrowthBook SDK reports once it shows a value."""

    experiment: GrowthBookExperiment
    result: GrowthBookResult


class GrowthBookRule(TypedDict, total=False):
    """A rule of a feature, as GrowthBook's SDKs read it."""

    id: str
    key: str
    seed: str
    phase: str
    disableStickyBucketing: bool
    bucketVersion: int
    hashVersion: int
    hashAttribute: str
    variations: Sequence[Any]
    weights: Sequence[float]
    coverage: float
    meta: Sequence[GrowthBookMeta]
    filters: Sequence[GrowthBookFilter]
    condition: Mapping[str, Any]
    force: Any
    tracks: Sequence[GrowthBookTrack]


class GrowthBookFeature(TypedDict):
    """A feature, as GrowthBook's SDKs read it."""

    defaultValue: Any
    rules: Sequence[GrowthBookRule]


class GrowthBookFeatures(TypedDict):
    """Every experiment as a feature of GrowthBook's SDKs."""

    status: Literal[200]
    features: Mapping[str, GrowthBookFeature]
    dateUpdated: str


class GrowthBookRefused(TypedDict):
    """An unknown key, as GrowthBook's clients read it."""

    status: int
    error: str


class SegmentVersion(TypedDict):
    """The version of a destination, as Segment's browser SDK reads it."""

    version: str
    componentTypes: Sequence[str]


class SegmentDestination(TypedDict):
    """Where events go, as Segment's browser SDK reads it."""

    apiKey: str
    apiHost: str
    protocol: NotRequired[str]
    unbundledIntegrations: Sequence[str]
    addBundledMetadata: bool
    versionSettings: SegmentVersion


SegmentDestinations = TypedDict("SegmentDestinations", {"Segment.io": SegmentDestination})


class SegmentEnabled(TypedDict):
    """What is let through, as Segment's browser SDK reads it."""

    enabled: bool
    integrations: Mapping[str, bool]


SegmentEverything = TypedDict("SegmentEverything", {"__default": SegmentEnabled})


class SegmentPlan(TypedDict):
    """Which events are let through, as Segment's browser SDK reads it."""

    track: SegmentEverything
    identify: SegmentEverything
    group: SegmentEverything


class SegmentSampling(TypedDict):
    """How many metrics Segment's browser SDK sends."""

    sampleRate: float


class SegmentSettings(TypedDict):
    """Settings of Segment's browser SDK."""

    integrations: SegmentDestinations
    plan: SegmentPlan
    edgeFunction: Mapping[str, Any]
    analyticsNextEnabled: bool
    middlewareSettings: Mapping[str, Any]
    enabledMiddleware: Mapping[str, bool]
    metrics: SegmentSampling
    legacyVideoPluginsEnabled: bool
    remotePlugins: Sequence[Any]


class RudderStackSwitch(TypedDict):
    """Whether RudderStack's browser SDK sends something of its own."""

    enabled: bool


class RudderStackStatistics(TypedDict):
    """What RudderStack's browser SDK sends of its own."""

    errors: RudderStackSwitch
    metrics: RudderStackSwitch


class RudderStackConfig(TypedDict):
    """How RudderStack's browser SDK is set up."""

    statsCollection: RudderStackStatistics


class RudderStackSource(TypedDict):
    """Where events come from, as RudderStack's browser SDK reads it."""

    id: str
    name: str
    writeKey: str
    enabled: bool
    workspaceId: str
    config: RudderStackConfig
    connections: Sequence[Any]
    destinations: Sequence[Any]
    dataplanes: Mapping[str, Any]


class RudderStackConsent(TypedDict):
    """Who asks for consent, as RudderStack's browser SDK reads it."""

    providers: Sequence[Any]


class RudderStackSettings(TypedDict):
    """Settings of RudderStack's browser SDK."""

    source: RudderStackSource
    consentManagementMetadata: RudderStackConsent
