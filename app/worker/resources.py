"""What one HTTP worker holds while it lives: opened at start-up in order, closed in reverse."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from app.analysis.client import AnalysisClient
from app.control.line import Line
from app.http.access import Grant
from app.http.address import Addresses
from app.http.admission import AccessPolicy
from app.http.errors import Problem
from app.http.exchange import Exchange, unique_ids
from app.http.streams import Streams
from app.identity.consent import ConsentRules
from app.identity.cookies import Whereabouts
from app.identity.recognition import Recognition
from app.identity.users import Users
from app.identity.visitor_ids import VisitorIds
from app.keys.audit import Audit
from app.limits.budgets import Allowance, Books, Budgets, Limits
from app.limits.networks import Networks
from app.limits.pressure import SCARCE, Pressure
from app.metrics.pipeline import CLOCK_SECONDS, SAMPLE_SECONDS, Disks, Pipeline, StoreClock, StoreGrowth
from app.people.file import People
from app.people.sessions import Sessions
from app.runtime.board import BEAT_SECONDS, Desk, Note
from app.runtime.data_directory import DataDirectory, store_connection
from app.runtime.settings import Settings, TokenKey
from app.runtime.telemetry import RATE_SECONDS, Telemetry
from app.worker.definitions import LiveDefinitions
from app.worker.intake import IntakeTold
from app.worker.keys import LiveKeys
from app.worker.reads import Reads
from app.worker.recommendations import LiveRecommender
from events.authority import OF_BACKEND
from events.consent import NONE, Consent, Stated, UnknownConsent
from events.ingest.history import History
from events.ingest.log_ins import LogIns
from events.ingest.network_digests import NetworkDigests
from events.ingest.refusals import Refusals
from events.ingest.stream import Stream
from events.scrubbing import Scrubber
from events.store.availability import StoreUnavailable
from events.store.connection import Connection
from events.store.memory import read_memory
from events.store.shared_reads import SharedReads
from experiments.assignment.assign import CompiledExperiment
from experiments.catalog.heard import Heard
from experiments.catalog.reader import CatalogReader
from experiments.catalog.visible import Visible
from kit.files import FileMark, mark_of
from kit.tasks import Tasks
from kit.time import SECOND_US, now_seconds

if TYPE_CHECKING:
    from app.identity.preview_links import PreviewLink, PreviewLinks
    from app.identity.user_tokens import UserTokens

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5
QUARTER_SECONDS: Final = 15 * 60
QUARTER_US: Final = QUARTER_SECONDS * SECOND_US
LONGEST_PAUSE_SECONDS: Final = 2.0  # after failures
NETWORKS_LOOK: Final = "getting the key of today's networks"
NETWORKS_SECONDS: Final = 10.0
REFUSALS_SECONDS: Final = 5.0
USES_SECONDS: Final = 2.0
ROOM_SECONDS: Final = 0.5
AHEAD_SECONDS: Final = (4.0, 4.0, 4.0)  # of the budgets of CPU time, bytes and events


class Previews:
    """The preview links of this service; what makes and reads them is loaded with the first one."""

    def __init__(self, file: Path) -> None:
        """`file` holds the key that links are signed with."""
        self._file = file
        self._mark: FileMark | None = None
        self._links: PreviewLinks | None = None

    def make(self, experiment: str, phase: int, variant: str, days: float) -> tuple[str, int]:
        """A token that shows this variant, and its end in epoch seconds. Raises OSError where no key can be kept."""
        from app.identity.preview_links import new_link

        return new_link(self._file, experiment, phase, variant, days)

    def read(self, tokens: Sequence[Any]) -> "list[PreviewLink | None]":
        """What each token shows now: None for one that is over, or was not made here."""
        mark = mark_of(self._file)
        if mark != self._mark:
            from app.identity.preview_links import PreviewLinks

            self._mark, self._links = mark, None
            try:
                self._links = None if mark is None else PreviewLinks(self._file)
            except OSError as error:
                logger.warning("preview links show nothing: %s", error)
        if self._links is None:
            return [None for _ in tokens]
        now = now_seconds()
        return [self._links.read(token, now) for token in tokens]


@dataclass(slots=True)
class Resources:
    """The typed state of one worker."""

    settings: Settings
    desk: Desk
    catalogs: CatalogReader
    definitions: LiveDefinitions
    line: Line | None
    connection: Connection
    stream: Stream
    access: AccessPolicy
    analysis: AnalysisClient
    reads: Reads
    telemetry: Telemetry
    pipeline: Pipeline
    disks: Disks
    recommender: LiveRecommender
    users: Users
    scrubber: Scrubber
    networks: NetworkDigests
    consent: ConsentRules
    refusals: Refusals
    recognition: Recognition
    keys: LiveKeys
    previews: Previews
    intake: IntakeTold
    addresses: Addresses
    streams: Streams
    background: Tasks
    people: People
    sessions: Sessions

    def consent_of(self, exchange: Exchange, told: Any = None, among: Any = None) -> Consent:
        """The mode of consent of a request whose body says `told`, and its attributes `among` them.

        Raises Problem 400.
        """
        try:
            mode = self.consent.of_request(exchange.scope, exchange.headers, told, among)
        except UnknownConsent as unknown:
            raise Problem(400, "unknown_consent", str(unknown)) from None
        if mode is NONE:
            self.forget_cookie(exchange)
        return mode

    def consent_of_events(self, exchange: Exchange) -> Stated:
        """What holds for the events of a request. Raises Problem 400."""
        try:
            stated = self.consent.of_events(exchange.scope, exchange.headers, exchange.authority)
        except UnknownConsent as unknown:
            raise Problem(400, "unknown_consent", str(unknown)) from None
        if (stated.unsaid if stated.said is None else stated.said) is NONE:
            self.forget_cookie(exchange)
        return stated

    def cookie_place(self, exchange: Exchange) -> Whereabouts | None:
        """Where the browser is, if its page may use the visitor's cookie: one without an origin, of the service's own,
        or of one that the key lists. So no foreign page is answered for whoever looks at it.
        """
        place = self.addresses.place(exchange.scope, exchange.headers)
        origin = exchange.headers.get(b"origin")
        allowed = origin is None or exchange.origin_listed or origin.decode("latin-1").lower() in place.origins
        return place if allowed else None

    def catch_up(self) -> None:
        """Takes up newer definitions at once, if there are."""
        self.definitions.take_up()

    def forget_cookie(self, exchange: Exchange) -> None:
        """Who refuses keeps no cookie: it is deleted, once."""
        cookies = exchange.headers.get(b"cookie")
        place = None if cookies is None or exchange.notes else self.cookie_place(exchange)
        if cookies is not None and place is not None:
            exchange.notes = (*exchange.notes, *self.recognition.forget(cookies, place))

    @property
    def audit(self) -> Audit:
        """Where acts are written down."""
        return self.keys.audit

    def network_of(self, exchange: Exchange) -> int | None:
        """The number of the network that a page calls from; a backend's own says nothing about anybody."""
        return None if exchange.authority is OF_BACKEND else self.networks.of(exchange.network)

    def country_told(self, exchange: Exchange) -> bytes:
        """What a trusted proxy says of the country that a page's own request comes from; empty where none does."""
        header = self.settings.country_header
        if header is None or not self.access.networks.through_trusted(exchange.scope):
            return b""
        return exchange.headers.get(header.encode(), b"")

    def visible_to(self, grant: Grant | None, now: float) -> Visible:
        """All that a caller may know of experiments at a time (epoch seconds): without a secret key what is released.

        It is the only door: no handler that a page may call looks into the catalogue itself.
        """
        catalog = self.catalogs.catalog
        return catalog.full if grant is not None and grant.secret else catalog.released.at(now)

    @property
    def heard(self) -> Heard:
        """Which events the metrics read."""
        return self.catalogs.catalog.heard

    def shop_day(self, time_us: int) -> int:
        """The shop's day of a moment, counted from the year 1."""
        return _day(self.catalogs.catalog.shop.timezone, time_us // QUARTER_US)

    @property
    def redirect_hosts(self) -> Sequence[str]:
        """Where the tag may lead visitors beside the page's own host."""
        return self.catalogs.catalog.shop.tag.hosts

    def previewed(self, tokens: Sequence[Any]) -> list[tuple[CompiledExperiment, str] | None]:
        """What each link shows, a draft too, and which variant; None for one that does not hold."""
        shown: list[tuple[CompiledExperiment, str] | None] = []
        for link in self.previews.read(tokens):
            found = link and self.catalogs.catalog.previewed(link.experiment, link.phase, link.variant)
            shown.append((found, link.variant) if link and found else None)
        return shown


@contextlib.asynccontextmanager
async def open_resources(
    settings: Settings, routes: Sequence[str], desk: Desk, codes: Sequence[str] = (), line: Line | None = None
) -> AsyncGenerator[Resources]:
    """Opens what a worker needs; `routes` and `codes` are what its telemetry counts by, `desk` its place on the board,
    `line` its own to the supervisor.

    Twice a second newer definitions and a newer model are looked for, and swapped in as a whole.
    """
    directory = DataDirectory(settings.data)
    directory.make(group_reads=settings.data_group)
    async with contextlib.AsyncExitStack() as stack:
        connection = await store_connection(settings)
        stack.push_async_callback(connection.close)
        telemetry, books = Telemetry(desk, routes, codes), Books(desk.board)
        scrubber, pressure = Scrubber(telemetry.scrubbed), Pressure()
        stream = Stream(connection, count=telemetry.went_wrong, scrubber=scrubber, refused=pressure.events)
        reads = SharedReads(connection)
        stack.push_async_callback(stream.close)
        stack.push_async_callback(reads.close)
        log_ins = LogIns(connection, reads, directory.log_ins_file, telemetry.went_wrong)
        users, catalogs = (
            Users(None, log_ins, telemetry.named_user),
            CatalogReader(settings.data, {} if line is None else line.first()),
        )
        keys = LiveKeys(settings, users, user_tokens)
        streams = Streams(settings.max_streams, keys.known)
        consent = ConsentRules(catalogs.catalog.shop.privacy, public=settings.is_public)
        recognition = Recognition(VisitorIds(directory.visitor_keys_file), catalogs.catalog.shop, telemetry.went_wrong)
        definitions = stack.enter_context(LiveDefinitions(catalogs, scrubber, consent, recognition, streams).told(line))
        recommender = LiveRecommender(settings.data, catalogs, History(reads), telemetry)
        await recommender.open()
        peers = Networks(settings.trusted_proxies, partial(telemetry.went_wrong, "untrusted_forwarding"))
        networks = NetworkDigests(connection, lambda: ZoneInfo(catalogs.catalog.shop.timezone))
        stack.push_async_callback(partial(keys.keep_uses, networks, ending=True))
        refusals, intake = counting(stack, stream, catalogs, telemetry, scrubber)
        following = await stack.enter_async_context(Tasks())
        for name, (look, seconds) in {
            "taking up definitions": (definitions.look, POLL_SECONDS),
            "looking whether backends tell of log-ins": (log_ins.look, POLL_SECONDS),
            "taking up keys of visitor ids": (recognition.ids.look, POLL_SECONDS),
            "looking at memory and disk": (
                partial(look_for_room, pressure, connection, directory, settings.disk_floor_mb << 20, desk.note),
                ROOM_SECONDS,
            ),
            "loading what is recommended from": (recommender.refresh, POLL_SECONDS),
            NETWORKS_LOOK: (networks.look, NETWORKS_SECONDS),
            "seeing how the store grows": (StoreGrowth(connection, desk).look, SAMPLE_SECONDS),
            "comparing clocks": (StoreClock(connection, desk).look, CLOCK_SECONDS),
            "counting how fast events come": (telemetry.arriving.look, RATE_SECONDS),
            "telling how many refused": (refusals.tell, REFUSALS_SECONDS),
            "taking up keys": (keys.look, POLL_SECONDS),
            "telling what was not taken": (intake.tell, POLL_SECONDS),
            "telling what was evaluated": (intake.tell_evaluations, REFUSALS_SECONDS),
            "noting when keys were used": (partial(keys.keep_uses, networks), USES_SECONDS),
            "keeping what the audit waits for": (partial(keys.catch_up, telemetry), USES_SECONDS),
        }.items():  # fmt: skip
            following.repeat(look, name, seconds, LONGEST_PAUSE_SECONDS)
        following.repeat(desk.beating, "saying that the loop turns", BEAT_SECONDS)
        following.start(networks.look, NETWORKS_LOOK)
        yield Resources(
            settings=settings,
            desk=desk,
            catalogs=catalogs,
            definitions=definitions,
            line=line,
            connection=connection,
            stream=stream,
            access=AccessPolicy(
                keys.known,
                Budgets(limits(settings), books),
                peers,
                telemetry,
                pressure,
                uses=keys.uses.latest,
                not_read=intake.whole,
            ),
            analysis=AnalysisClient(directory.analysis_socket, settings.analysis_timeout_seconds),
            reads=Reads(following),
            telemetry=telemetry,
            pipeline=Pipeline(connection, desk),
            disks=Disks(settings.data),
            recommender=recommender,
            users=users,
            scrubber=scrubber,
            networks=networks,
            consent=consent,
            refusals=refusals,
            recognition=recognition,
            keys=keys,
            previews=Previews(directory.preview_key_file),
            intake=intake,
            addresses=Addresses(settings.public_url, peers),
            streams=streams,
            background=following,
            people=People(directory.people_file, keys.audit),
            sessions=Sessions(connection),
        )


@lru_cache(maxsize=4_096)
def _day(timezone: str, quarter: int) -> int:
    """The day of a quarter of an hour from 1970: no zone's midnight lies within one."""
    return datetime.fromtimestamp(quarter * QUARTER_SECONDS, ZoneInfo(timezone)).toordinal()


def counting(
    stack: contextlib.AsyncExitStack, stream: Stream, catalogs: CatalogReader, telemetry: Telemetry, scrubber: Scrubber
) -> tuple[Refusals, IntakeTold]:
    """What counts answers to those who refuse, and events not taken as they were sent; both tell at the end too."""

    def zone() -> ZoneInfo:
        return ZoneInfo(catalogs.catalog.shop.timezone)

    refusals, intake = Refusals(stream, zone, unique_ids()), IntakeTold(catalogs.data, zone, telemetry, scrubber)
    stack.push_async_callback(refusals.tell)
    stack.push_async_callback(intake.close)
    return refusals, intake


def limits(settings: Settings) -> Limits:
    """What callers may use; the requests are a floor under what each costs."""
    cost = (settings.budget_cpu_ms, settings.budget_bytes_kb, settings.budget_events)
    network = Allowance(
        (settings.rate_limit_per_second, *cost),
        ((settings.rate_limit_burst - 1) / settings.rate_limit_per_second, *AHEAD_SECONDS),
    )
    publishable = network.times(settings.budget_key_factor)
    secret = Allowance(
        (settings.secret_rate_limit_per_second, *publishable.per_second[1:]),
        ((settings.secret_rate_limit_burst - 1) / settings.secret_rate_limit_per_second, *AHEAD_SECONDS),
    )
    return Limits(network, publishable, secret)


def user_tokens(keys: Sequence[TokenKey]) -> "UserTokens | None":
    """What verifies user tokens; without a key for them no worker loads a cryptography library."""
    if not keys:
        return None
    from app.identity.user_tokens import UserTokens

    return UserTokens(keys)


async def look_for_room(
    pressure: Pressure, connection: Connection, directory: DataDirectory, floor_bytes: int, note: Note
) -> None:
    """Measures the store's memory and the disk, and notes what there is little of; a store that is away refuses by
    itself.
    """
    share = 0.0
    with contextlib.suppress(StoreUnavailable):
        share = (await read_memory(connection)).share
    disk = await asyncio.to_thread(lambda: (directory.floors_free(floor_bytes), directory.free_share()))
    pressure.measure(share, *disk)
    for cause in SCARCE:
        note(cause, "" if cause in pressure.causes else None)
