"""Every setting: how the process runs. Which experiments exist is the catalogue's business."""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from app.runtime.sources import GivenValue, SettingNames, open_secrets, shown_sources, strangers, told_settings
from app.runtime.webhook_addresses import Receiver, each_a_receiver, receiver
from events.store.address import AddressRefused, store_address
from kit.files import in_utf_8

HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
LEAST_HUNG_SECONDS: Final = 3.0
KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
# never shown in a message
SECRET_FIELDS: Final = frozenset(
    {"publishable_keys", "secret_keys", "redis_url", "user_token_keys", "webhook_url", "webhook_secret"}
)

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["json", "text"]
Switch = Literal["on", "off"]
TokenAlgorithm = Literal["HS256", "EdDSA"]
Network = IPv4Network | IPv6Network

NO_COUNTRY: Final = (
    "set RESONATE_COUNTRY_HEADER to the header of your proxy, such as CF-IPCountry, and RESONATE_TRUSTED_PROXIES, or"
    " let your pages say it: resonate.attributes({country: …})"
)


class SettingsError(Exception):
    """Settings that cannot be used; one line each, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _parts(value: Any) -> Any:
    """The items of a comma-separated text, without blanks around them."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _each_a_key(keys: tuple[str, ...]) -> tuple[str, ...]:
    for position, entry in enumerate(keys, 1):  # the position, because a key must not reach a message
        key, _, origins = entry.partition("@")
        each_an_origin(tuple(origins.split("|")) if origins else ())
        if key.startswith("sha256:") and not DIGEST.fullmatch(key):
            raise ValueError(f"digest {position} is not sha256: and 64 hexadecimal digits")
        if len(key) < 8:
            raise ValueError(f"key {position} has {len(key)} characters, a key needs at least 8")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError(f"key {position} may only have printable ASCII characters without blanks")
    return keys


def each_an_origin(origins: tuple[str, ...]) -> tuple[str, ...]:
    """The same origins. Raises ValueError for one that is none."""
    for origin in origins:
        scheme, separator, host = origin.partition("://")
        if origin != "*" and (scheme not in ("http", "https") or not separator or not host or "/" in host):
            raise ValueError(f"{origin!r} is not an origin such as https://shop.example, without a path")
    return origins


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that verifies user tokens: a secret of at least 32 bytes (HS256), or a public key of 32 (EdDSA)."""

    id: str
    algorithm: TokenAlgorithm
    value: bytes = field(repr=False)


def token_key(text: str) -> TokenKey:
    """The key that `KID:ALGORITHM:<base64url>` writes. Raises ValueError, which never shows it."""
    name, _, rest = text.partition(":")
    algorithm, _, encoded = rest.partition(":")
    if not KEY_ID.fullmatch(name) or (algorithm != "HS256" and algorithm != "EdDSA"):
        raise ValueError("it is not KID:HS256:<secret> or KID:EdDSA:<public key>, KID of letters, digits, ., _ and -")
    try:
        value = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("what follows the algorithm is not base64url") from None
    if algorithm == "HS256" and len(value) < 32:
        raise ValueError(f"its secret has {len(value)} bytes, HS256 needs at least 32 random ones")
    if algorithm == "EdDSA" and len(value) != 32:
        raise ValueError(f"its public key has {len(value)} bytes, one of Ed25519 has 32")
    return TokenKey(name, algorithm, value)


def _each_a_token_key(texts: tuple[str, ...]) -> tuple[str, ...]:
    names: set[str] = set()
    for position, text in enumerate(texts, 1):  # the position, because a key must not reach a message
        try:
            name = token_key(text).id
        except ValueError as error:
            raise ValueError(f"key {position}: {error}; `resonate keys user-token` makes one") from None
        if name in names:
            raise ValueError(f"key {position} has the KID of an earlier one; each needs its own")
        names.add(name)
    return texts


def _networks(value: Any) -> Any:
    parts = _parts(value)
    return (
        [ip_network(each, strict=False) if isinstance(each, str) else each for each in parts]
        if isinstance(parts, list)
        else value
    )


def _a_store(url: str | None) -> str | None:
    if url is not None:
        try:
            store_address(url)
        except AddressRefused as refused:
            raise ValueError(str(refused)) from None
    return url


def _a_header(name: str | None) -> str | None:
    """Its name as requests have it here: in small letters."""
    if name is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name):
        raise ValueError("it must be the name of a header: letters, digits and hyphens")
    return None if name is None else name.lower()


def _an_address(url: str | None) -> str | None:
    """Scheme, host, and a path without a trailing slash, as they may stand before the path of any route."""
    if url is None:
        return None
    parts = urlsplit(url)  # raises ValueError for a bracket or a port that is none
    named = parts.scheme in ("http", "https") and HOST.fullmatch(parts.netloc) and (parts.port is None or parts.port)
    path = re.fullmatch(r"(?:/[A-Za-z0-9._~%-]+)*", parts.path)
    if not named or not path or url != f"{parts.scheme}://{parts.netloc}{parts.path}":
        raise ValueError("it must be a scheme, a host and perhaps a path without a slash at its end")
    return url


def _named_in_utf_8(path: Path) -> Path:
    if in_utf_8(path) != str(path):
        raise ValueError("its name is not UTF-8, name another or rename it")
    return path


def _default_workers() -> int:
    return max(2, (os.cpu_count() or 1) - 1)


Texts = Annotated[tuple[str, ...], BeforeValidator(_parts)]
Folder = Annotated[Path, AfterValidator(_named_in_utf_8)]
Keys = Annotated[Texts, AfterValidator(_each_a_key)]


class Settings(BaseModel):
    """How the service runs. Reading environment and file is an act of the entry points: `load_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; `0.0.0.0` for every interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; `0` takes a free one.")
    public_url: Annotated[str | None, AfterValidator(_an_address)] = Field(
        None, description="Address by which pages reach the service, such as `https://shop.example/r/x7`."
    )
    workers: int = Field(default_factory=_default_workers, ge=1, le=128, description="Processes that answer HTTP.")
    data: Folder = Field(Path("data"), description="Data directory: log, store, catalogue, models, generated keys.")
    data_group: bool = Field(False, description="`1` lets the group of the data directory read it; others never may.")
    definitions: Folder = Field(Path("definitions"), description="Folder of the definition files.")
    erasure_journal: Folder | None = Field(
        None, description="File outside the data directory that keeps erasures, so that a copy put back stays erased."
    )
    redis_url: Annotated[str | None, AfterValidator(_a_store)] = Field(
        None, description="An external Redis or Valkey; without it the embedded store is started."
    )
    store_replicas: int = Field(
        0, ge=0, le=100, description="Replicas of an external store that must have an event before it is acknowledged."
    )
    publishable_keys: Keys = Field(
        (), description="Keys of pages, or their `sha256:` digests; `KEY@https://a.example|…` names its origins."
    )
    secret_keys: Keys = Field((), description="Keys of backends and analysts, or their `sha256:` digests.")
    keys: Folder | None = Field(
        None, description="File of named keys, such as `keys.yaml`, beside those; a change of it is live within 2 s."
    )
    origins: Annotated[Texts, AfterValidator(each_an_origin)] = Field(
        ("*",), description="Origins whose pages may call with a publishable key that names none itself."
    )
    user_token_keys: Annotated[Texts, AfterValidator(_each_a_token_key)] = Field(
        (), description="Keys that verify user tokens, `KID:HS256:<secret>` or `KID:EdDSA:<public key>` in base64url."
    )
    shards: int | None = Field(None, ge=1, le=1024, description="Streams of the store: 1, on a cluster 16, by default.")
    retention_days: int = Field(730, ge=1, le=36500, description="Days of events that the log keeps.")
    keep_feature_evaluations: bool = Field(
        False,
        description="`1` stores GrowthBook's `Feature Evaluated`, which no metric reads and which come by the crowd.",
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        (), description="Addresses or networks whose `X-Forwarded-…` or `Forwarded` is believed."
    )
    country_header: Annotated[str | None, AfterValidator(_a_header)] = Field(
        None,
        description="Header in which such a proxy tells the visitor's country, as `CF-IPCountry`, where audiences ask.",
    )
    rate_limit_per_second: int = Field(
        500, ge=1, description="Requests a second of one publishable key and network, whatever they cost."
    )
    rate_limit_burst: int = Field(2000, ge=1, description="Requests that such a caller may make at once.")
    secret_rate_limit_per_second: int = Field(5000, ge=1, description="Requests a second of one secret key.")
    secret_rate_limit_burst: int = Field(20000, ge=1, description="Requests that such a caller may make at once.")
    budget_cpu_ms: int = Field(
        250, ge=1, description="CPU time in ms that requests of one publishable key and network may cost each second."
    )
    budget_bytes_kb: int = Field(256, ge=1, description="kB of bodies that such a caller may send each second.")
    budget_events: int = Field(500, ge=1, description="Events that such a caller may cause each second.")
    budget_key_factor: int = Field(
        20, ge=1, description="A publishable key as a whole may use so many times as much; a secret key too."
    )
    sign_ins_per_minute: int = Field(
        10, ge=1, description="Attempts to sign in to the pages that one network may make in a minute."
    )
    max_connections: int = Field(
        10000,
        ge=16,
        description="Open connections of one worker, where so many files may be open; further ones get 503.",
    )
    max_connections_per_network: int = Field(
        1000, ge=1, description="Open connections of one network; further ones get 503. Trusted proxies go free."
    )
    max_streams: int = Field(
        2000, ge=0, description="Open streams of changes of one worker, beside its connections; further ones get 503."
    )
    store_memory_mb: int = Field(1024, ge=16, description="Memory of the embedded store; full, tracking answers 503.")
    disk_floor_mb: int = Field(
        512,
        ge=0,
        description="Free disk below which pages' events get 503, and below a quarter all; at most 5 % of it.",
    )
    analysis_memory_mb: int = Field(2048, ge=128, description="Memory of the readout engine; beyond it spills to disk.")
    analysis_timeout_seconds: float = Field(60.0, gt=0, le=3600, description="Longest readout or export page.")
    drain_seconds: float = Field(7.0, ge=0, le=300, description="Longest wait for open requests after SIGTERM.")
    lame_duck_seconds: float = Field(
        0.0, ge=0, le=300, description="After SIGTERM probes hear 503 for so long, while all else is served as before."
    )
    keep_alive_seconds: int = Field(
        65, ge=1, le=3600, description="How long a connection that was answered is kept for the next request."
    )
    hung_seconds: float = Field(
        8.0, ge=0, le=3600, description="A process that gives no sign of life for so long is replaced; `0` is never."
    )
    training_hours: float = Field(
        24.0, ge=0, allow_inf_nan=False, description="Hours between trainings of recommendations; `0` is never."
    )
    webhook_url: Annotated[Texts, AfterValidator(each_a_receiver)] = Field(
        (),
        description="Addresses that are told when a decision or the health of an experiment changes, and when one "
        "starts or stops; https, or this machine. With `#text` at its end one gets a text alone, as chats do.",
    )
    webhook_secret: str | None = Field(
        None, min_length=16, description="Signs what they are sent: `X-Resonate-Signature` is its HMAC-SHA256 in hex."
    )
    webhook_networks: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        (), description="Addresses or networks beside the internet that a name in `RESONATE_WEBHOOK_URL` may lead to."
    )
    dashboard: Switch = Field("on", description="`off`: there are no pages, and their addresses answer 404.")
    log_level: LogLevel = Field("info", description="Least severe messages that are written.")
    log_format: LogFormat = Field("json", description="`json`: one object a line; `text`: for people.")

    @field_validator("*", mode="before")
    @classmethod
    def _no_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = info.field_name
        if isinstance(value, bool) and field is not None and cls.model_fields[field].annotation is not bool:
            raise ValueError("it cannot be true or false")
        return value

    @field_validator("dashboard", "log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("hung_seconds")
    @classmethod
    def _beats_meanwhile(cls, seconds: float) -> float:
        if 0 < seconds < LEAST_HUNG_SECONDS:
            raise ValueError(f"it must be 0, or at least {LEAST_HUNG_SECONDS:g}: a sign of life comes once a second")
        return seconds

    @field_validator("store_replicas")
    @classmethod
    def _of_an_external_store(cls, replicas: int, info: ValidationInfo) -> int:
        if replicas and info.data.get("redis_url") is None:
            raise ValueError("the embedded store has no replicas; name a store of your own in RESONATE_REDIS_URL")
        return replicas

    @property
    def secrets(self) -> tuple[str, ...]:
        """The configured key values, which no log line may show; digests tell nothing."""
        keys = (key.partition("@")[0] for key in (*self.publishable_keys, *self.secret_keys))
        of_tokens = (text.rpartition(":")[2] for text in self.user_token_keys if ":HS256:" in text)
        of_webhooks = (*(each.url for each in self.webhooks), *([self.webhook_secret] if self.webhook_secret else []))
        return (*(key for key in keys if not key.startswith("sha256:")), *of_tokens, *of_webhooks)

    @property
    def is_public(self) -> bool:
        """Whether pages reach the service by an address that is not this machine alone."""
        host = None if self.public_url is None else urlsplit(self.public_url).hostname
        return host is not None and host != "localhost" and not host.startswith("127.") and host != "::1"

    @property
    def untold(self) -> Mapping[str, str]:
        """The attributes that nobody tells the pages of this service, with what to do about it."""
        return {} if self.country_header and self.trusted_proxies else {"country": NO_COUNTRY}

    @property
    def connections_per_network_and_worker(self) -> int:
        """The share of one worker in `max_connections_per_network`."""
        return max(1, self.max_connections_per_network // self.workers)

    @property
    def webhooks(self) -> tuple[Receiver, ...]:
        """Whom `webhook_url` names."""
        return tuple(map(receiver, self.webhook_url))

    @property
    def token_keys(self) -> tuple[TokenKey, ...]:
        """What `user_token_keys` writes."""
        return tuple(map(token_key, self.user_token_keys))


SEVERAL: Final = {name for name, field in Settings.model_fields.items() if field.default == ()}
KNOWN: Final = SettingNames(tuple(Settings.model_fields), SECRET_FIELDS, SECRET_FIELDS & SEVERAL)


def load_settings(environment: Mapping[str, str], **options: Any) -> Settings:
    """The settings by a command's `options`, else by the environment, else by the file that it names.

    Raises SettingsError: a line for each one that cannot be used, saying what would be right.
    """
    return _loaded(environment, options)[0]


def settings_in_force(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each setting with its value, a secret as `…`, and from where it is. Raises SettingsError."""
    settings, told = _loaded(environment, {})
    return shown_sources(KNOWN, told, settings.model_dump(mode="json").items())


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A warning for each `RESONATE_*` variable that means nothing, with the name that was probably meant."""
    return strangers(KNOWN, environment)


def readable_by_all(environment: Mapping[str, str]) -> list[str]:
    """A warning for each file with a secret in it that every user of the machine can read."""
    return open_secrets(KNOWN, environment)


def _loaded(environment: Mapping[str, str], options: Mapping[str, Any]) -> tuple[Settings, Mapping[str, GivenValue]]:
    sources, problems = told_settings(KNOWN, environment, options)
    told = {name: each for source in sources for name, each in source.items()}
    settings = Settings.model_validate({})
    for source in (*sources, told):  # also what another source outranks: it is in force once that is gone
        try:
            settings = Settings.model_validate({name: each.value for name, each in source.items()})
        except ValidationError as error:
            problems += [_problem(source, details) for details in error.errors(include_url=False)]
    if problems:
        raise SettingsError([*dict.fromkeys(problems)])
    return settings, told


def _problem(told: Mapping[str, GivenValue], details: Mapping[str, Any]) -> str:
    """A value that cannot be used, in words: who told it, what is wrong, what would be right."""
    field = str(details["loc"][0])
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    shown = "" if field in SECRET_FIELDS else f" (it is {str(details['input'])[:80]!r})"
    meaning = (Settings.model_fields[field].description or "").rstrip(".")
    return f"{told[field].label}: {message}{shown}. {meaning}."
