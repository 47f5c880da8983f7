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
STORE_CAUSES: Final[tuple[StoreCause, ...]] = get_args(StoreCause)


def store_cause(text: str) -> StoreCause | None:
    """A word that was written down; None for one that is none of them."""
    return next((cause for cause in STORE_CAUSES if cause == text), None)
