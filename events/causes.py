"""Why the store or the log takes nothing: every word there is, for machines."""

from typing import Final, Literal, get_args

StoreCause = Literal[
    "store_down",
    "store_timeout",
    "store_loading",
    "store_disk_full",
    "store_out_of_memory",
    "store_aof_damaged",
    "store_held",
    "store_folder_unusable",
    "store_missing",
    "store_login_refused",
    "store_read_only",
    "store_cluster_down",
    "store_refused",
    "store_replicas_short",
    "store_error",
    "store_stopped",
    "stopping",
    "busy",
    "page_share_full",
    "log_disk_full",
    "log_not_writable",
    "log_behind",
    "disk_low",
    "store_memory_high",
]
"""Why the store or the log takes nothing, as a code.
`store_down`: The event store does not answer: ask again in a moment; the embedded one is restarted by itself.
`store_timeout`: The event store took longer than a second to answer: ask again in a moment.
`store_loading`: The event store reads its data after a start: ask again in a moment.
`store_disk_full`: The disk of the event store is full: make room on it.
`store_out_of_memory`: The event store has no memory left: the writer makes room; else raise RESONATE_STORE_MEMORY_MB.
`store_aof_damaged`: The file of the event store cannot be read back: it is recovered by itself.
`store_held`: Another server holds the event store of this data directory: wait until it answers or ends.
`store_folder_unusable`: The folder of the event store cannot be read or written: let the user of the service do both.
`store_missing`: The program of the event store is not installed: install Valkey or Redis as README.md says.
`store_login_refused`: The external store refuses the service's password or rights: set another RESONATE_REDIS_URL.
`store_read_only`: The external store can only be read, as a replica can: name one that can be written.
`store_cluster_down`: The cluster of the external store is not whole, or moves slots: look at its log.
`store_refused`: The event store is set up so that it would lose events: set it as the log of the service says.
`store_replicas_short`: Too few replicas of the event store have an event in time: bring them back, then send it again.
`store_error`: The event store said something that has no word here: the log of the service has it.
`store_stopped`: The event store is stopped, because the service is going down: start the service again.
`stopping`: The service is going down: start it again, or ask another one.
`busy`: More events wait for the store than it can take at once: send them again in a moment.
`page_share_full`: Events of pages fill their share of the store's memory: send them again later.
`log_disk_full`: The disk of the event log is full: make room on it.
`log_not_writable`: The event log cannot be written: let the user of the service write the data directory.
`log_behind`: The event log is behind what was received: it catches up by itself.
`disk_low`: Little of a disk is free: make room on the disk of the data directory.
`store_memory_high`: The memory of the event store is nearly full: see whether the writer runs; else raise its memory.
"""
STORE_CAUSES: Final[tuple[StoreCause, ...]] = get_args(StoreCause)


def store_cause(text: str) -> StoreCause | None:
    """A word that was written down; None for one that is none of them."""
    return next((cause for cause in STORE_CAUSES if cause == text), None)
