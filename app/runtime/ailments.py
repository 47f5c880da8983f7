"""What `/readyz` may name: every cause in one sentence, with what ends it. What is not in the table has no name."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from events.causes import StoreCause

OwnCause = Literal[
    "definitions_invalid",
    "data_damaged",
    "copy_torn",
    "consent_not_chosen",
    "model_refused",
    "store_salvaged",
    "page_events_refused",
    "message_conflicts",
    "history_failures",
    "audit_not_kept",
    "catalogue_not_kept",
    "files_not_kept",
    "definitions_missing",
    "keys_invalid",
    "key_expires",
    "proxies_not_trusted",
    "cookie_domain",
    "connections_exhausted",
    "clock_skew",
    "worker_stalled",
    "writer_stalled",
    "analysis_stalled",
    "webhooks_stalled",
    "trainer_stalled",
    "crash_loop",
]
AilmentCode: TypeAlias = StoreCause | OwnCause


class Ailment(NamedTuple):
    """One thing that is not as it should be; what is `named` stands behind the code's colon."""

    code: AilmentCode
    named: str = ""

    @property
    def text(self) -> str:
        """`key_expires: pages`."""
        return f"{self.code}: {self.named}" if self.named else self.code


class Told(msgspec.Struct, frozen=True):
    """A cause for people: what is the matter, what it is about (empty where that is all), and what ends it."""

    code: str
    named: str
    sentence: str
    remedy: str


def ailment_told(ailment: Ailment) -> Told:
    """A cause in words."""
    return Told(ailment.code, ailment.named, *WORDS[ailment.code])


BY_ITSELF: Final = "it goes on by itself; nothing is to be done"
REPLACED: Final = "it is ended after RESONATE_HUNG_SECONDS and started again by itself; where it stays, see the log"
MAKE_ROOM: Final = "make room on the disk; it is tried again twice a second and goes on by itself"
OF_EXTERNAL: Final = "look at the log of the external store, and at RESONATE_REDIS_URL"
WORDS: Final[Mapping[AilmentCode, tuple[str, str]]] = {
    "store_down": (
        "The event store does not answer: visitors are assigned as ever, and events are refused until it is back.",
        "the embedded store is restarted by itself; look at an external one, and at RESONATE_REDIS_URL",
    ),
    "store_timeout": (
        "The event store took longer than a second to answer: events are refused meanwhile.",
        "look at the disk and at what else the machine of the store does",
    ),
    "store_loading": ("The event store reads its data after a start.", BY_ITSELF),
    "store_disk_full": ("The disk of the event store is full: events are refused.", MAKE_ROOM),
    "store_out_of_memory": (
        "The event store has no memory left: events are refused.",
        "the writer makes room by itself; if it stays, raise RESONATE_STORE_MEMORY_MB",
    ),
    "store_aof_damaged": (
        "The file of the event store cannot be read back, and is being recovered.",
        "it recovers by itself; docs/store.md says what becomes of the damaged file",
    ),
    "store_held": (
        "Another server holds the event store of this data directory and does not answer yet.",
        "wait until it answers or ends; it is taken over by itself",
    ),
    "store_folder_unusable": (
        "The folder of the event store cannot be read or written.",
        "let the user of the service read and write the data directory; the details below say what failed",
    ),
    "store_missing": (
        "The program of the event store is not installed.",
        "install Valkey or Redis as README.md says, or name an external store in RESONATE_REDIS_URL",
    ),
    "store_login_refused": (
        "The external store refuses this service's password, rights or certificate, or its own certificate does not "
        "stand for its address.",
        "the log of the service has the reason; look at the log of the external store, and at RESONATE_REDIS_URL",
    ),
    "store_read_only": ("The external store can only be read, as a replica can.", OF_EXTERNAL),
    "store_cluster_down": ("The cluster of the external store is not whole, or moves slots.", OF_EXTERNAL),
    "store_replicas_short": (
        "Fewer replicas than RESONATE_STORE_REPLICAS have the newest events: events are refused meanwhile.",
        "look at the replicas of the external store and at its log; it goes on by itself when they follow again",
    ),
    "store_refused": (
        "The event store is set up so that it would lose events, so it is not used.",
        "the log of the service says what would be right",
    ),
    "store_error": (
        "The event store said something that has no word here.",
        "the log of the service has it, once for each kind of error",
    ),
    "store_stopped": ("The event store is stopped, because the service is going down.", "start the service again"),
    "stopping": ("The service is going down.", "start it again"),
    "busy": ("More events wait for the store than it can take at once: some are refused.", BY_ITSELF),
    "page_share_full": (
        "Events of pages fill their share of the store's memory: further ones are refused, those of backends are not.",
        "the writer makes room by itself; if it stays, raise RESONATE_STORE_MEMORY_MB",
    ),
    "log_disk_full": (
        "The disk of the event log is full: events wait in the store, and no result holds the newest.",
        MAKE_ROOM,
    ),
    "log_not_writable": (
        "The event log cannot be written: events wait in the store, and no result holds the newest.",
        "let the user of the service write the data directory; the log of the service says what failed",
    ),
    "log_behind": ("The event log is behind what was received.", BY_ITSELF),
    "disk_low": (
        "Little of a disk is free: below its floor events of pages are refused, and below a quarter of it all events.",
        "make room on the disk of the data directory; RESONATE_DISK_FLOOR_MB is how much shall stay free",
    ),
    "store_memory_high": (
        "The memory of the event store is nearly full: from 80 % on events of pages are refused.",
        "see whether the writer runs and its disk is quick enough; else raise RESONATE_STORE_MEMORY_MB",
    ),
    "definitions_invalid": (
        "A definition file has a mistake: what was good before is served, and the mistake is not.",
        "mend what the list below says; resonate check says the same",
    ),
    "data_damaged": (
        "A part of the event log cannot be read: results that need it are refused rather than wrong.",
        "put the part back from a backup; else resonate verify --set-aside NAME goes on without it (docs/log.md)",
    ),
    "copy_torn": (
        "The event store names parts that the log lacks, as the two are of different moments: results are refused.",
        "restore a backup made by resonate backup (docs/backup.md); what else there is stands behind the code",
    ),
    "consent_not_chosen": (
        "Nobody has said what may be known of visitors who were not asked, so only a count by visitor is kept.",
        "write privacy: {default_consent: none, measure or personal} into shop.yaml",
    ),
    "model_refused": (
        "Newly trained recommendations were not published, because pages alone would put a product into very many "
        "lists; the former ones are shown.",
        "look at who sends these events; the model report names the customers behind them",
    ),
    "store_salvaged": (
        "Something of the event store was cut off or moved aside when it was recovered.",
        "look at the folder that is named, and delete it when nothing in it is needed",
    ),
    "page_events_refused": (
        "Events of pages are refused at this moment.",
        "see what else is named here: little memory, little disk, or too much at once; pages send them again",
    ),
    "message_conflicts": (
        "Events came whose messageId another event has already: the first is kept, the other is lost.",
        "let each event have a messageId of its own; a client that sends one again must not change it",
    ),
    "history_failures": (
        "Orders or log-ins did not reach the live purchase histories: lists do not know of them, results do.",
        "let the client send the event again; what is trained next has read it in the log already",
    ),
    "audit_not_kept": (
        "The audit cannot be written: what needs a line there is refused.",
        "make room on the disk of the data directory, and let the user of the service write its folder audit",
    ),
    "catalogue_not_kept": (
        "Definitions or orders are in force that the disk does not hold: a restart may forget what was told last.",
        "make room on the disk of the data directory, or let the user of the service write its folder catalogue; it is "
        "tried each second",
    ),
    "files_not_kept": (
        "Files that the running service writes for commands and workers cannot be written.",
        "make room on the disk of the data directory, or let the user of the service write there; the log says what "
        "failed, and it is tried again by itself",
    ),
    "definitions_missing": (
        "Experiments run or are paused and their files are gone: they are still served.",
        "put the files back, or end each of them with resonate stop KEY",
    ),
    "keys_invalid": (
        "The file of keys has a mistake: the keys that were good before are in force.",
        "mend what the list below says",
    ),
    "key_expires": (
        "A key ends within two weeks: who uses it will be refused then.",
        "make another with resonate keys new, and give it to who uses this one",
    ),
    "proxies_not_trusted": (
        "A proxy forwards requests and is not trusted: all visitors look like one network and share one limit.",
        "set RESONATE_TRUSTED_PROXIES to its address",
    ),
    "connections_exhausted": (
        "All connections that a worker may keep open are in use, and none of them is idle: further ones are refused.",
        "see who opens them; RESONATE_MAX_CONNECTIONS and the limit of open files (docs/probes.md) say how many may be",
    ),
    "clock_skew": (
        "The clocks of the event store and of the service are more than a minute apart: days and times of events, and "
        "until when a log-in holds, may be wrong.",
        "let both machines keep their clocks by NTP",
    ),
    "cookie_domain": (
        "Pages are reached by a host that is no part of cookie_domain, so each host has visitors of its own.",
        "write the domain that all pages of the shop share as cookie_domain into shop.yaml",
    ),
    "worker_stalled": (
        "A process that answers requests has given no sign of life for three seconds.",
        REPLACED,
    ),
    "writer_stalled": (
        "The writer has given no sign of life for three seconds: events wait in the store, and no result holds the "
        "newest.",
        REPLACED,
    ),
    "analysis_stalled": (
        "The analysis has given no sign of life for three seconds: results wait.",
        REPLACED,
    ),
    "webhooks_stalled": (
        "The process that tells receivers of changes has given no sign of life for three seconds: they are told later.",
        REPLACED,
    ),
    "trainer_stalled": (
        "The training of recommendations has not computed for a minute: lists are those of the last model.",
        "nothing: one that does not compute for ten minutes, or does for six hours, is ended and begun again; if that "
        "comes back, look at the disk of the data directory",
    ),
    "crash_loop": (
        "Processes of this role ended five times within a minute, and are started again more and more slowly.",
        "the log of the service says how each of them ended, and what it said before",
    ),
}
"""By code: what is the matter, and what ends it."""
