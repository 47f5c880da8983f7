"""What is to be told to whom, kept over restarts: each change is put in once, and stays until its receiver took it.

What is seen and what follows from it are one file, so that no change is lost or put in twice whenever the process dies.
Between a receiver's answer and the note of it one may be sent again: at least once, then, and with the same id.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from app.runtime.webhook_addresses import Receiver
from app.webhooks.changes import Message, Seen
from kit.files import read_or_none, replace_file
from kit.time import DAY_SECONDS, SECOND_US, iso, moment_of

logger = logging.getLogger("resonate.webhooks")

OUTBOX_FILE: Final = "webhooks.json"
FIRST_PAUSE_SECONDS: Final = 10.0
LONGEST_PAUSE_SECONDS: Final = 3600.0
LAST_SECOND: Final = 253_402_300_799  # of the year 9999
TRIED_SECONDS: Final = float(DAY_SECONDS)
MOST_WAITING: Final = 1_000  # of one receiver; the oldest goes
Seconds = Annotated[float, Meta(ge=0, le=LAST_SECOND)]  # since 1970


class NotDelivered(Exception):
    """A receiver did not take a message: the reason, for people. `concerns` says whether it is of this message alone,
    `retry_after` for how many seconds it asked to be left alone.
    """

    def __init__(self, reason: str, *, concerns_message: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.concerns_message = concerns_message
        self.retry_after = retry_after


class Waiting(msgspec.Struct):
    """A message that a receiver has not taken yet, and when it is tried next."""

    message: Message
    refusals: int = 0
    next_at: Seconds = 0.0
    tried_until: Seconds | None = None  # None: nobody has tried it yet


class Post(msgspec.Struct):
    """What became of the messages to one receiver."""

    waiting: list[Waiting] = []
    failures: int = 0  # in a row
    next_at: Seconds = 0.0
    sent: int = 0
    given_up: int = 0
    sent_at: Seconds | None = None
    failed_at: Seconds | None = None
    error: str | None = None


class KeptOutbox(msgspec.Struct):
    """The file: experiments as they were seen (None: nobody has looked yet), and receivers by their key."""

    seen: dict[str, Seen] | None = None
    posts: dict[str, Post] = {}


class Outbox:
    """The messages of one service. One process writes; the receivers are those of the settings."""

    def __init__(self, data: Path, receivers: Sequence[Receiver]) -> None:
        self.path = data / OUTBOX_FILE
        kept = kept_in(self.path)
        self.seen = kept.seen
        self.posts = {each.key: kept.posts.get(each.key, Post()) for each in receivers}

    def put(self, seen: dict[str, Seen], messages: Sequence[Message]) -> None:
        """Remember what was seen, with what is to be told of it. Raises OSError with nothing remembered."""
        if seen == self.seen and not messages:
            return
        posts = {
            key: msgspec.structs.replace(post, waiting=[*post.waiting, *map(Waiting, messages)])
            for key, post in self.posts.items()
        }
        for post in posts.values():
            for lost in post.waiting[:-MOST_WAITING]:
                _give_up(post, lost, "too many wait")
        self._write(seen, posts)
        self.seen, self.posts = seen, posts

    def move(self, seconds: float) -> None:
        """The wall clock has jumped by so much: what is waited for with it."""
        for post in self.posts.values():
            post.next_at = _moved(post.next_at, seconds)
            for each in post.waiting:
                each.next_at = _moved(each.next_at, seconds)
                if each.tried_until is not None:
                    each.tried_until = _moved(each.tried_until, seconds)

    def due(self, receiver: Receiver, now: float) -> list[Waiting]:
        """What is to be sent to a receiver now, the oldest first."""
        post = self.posts[receiver.key]
        return [each for each in post.waiting if _is_over(each.next_at, now)] if _is_over(post.next_at, now) else []

    def delivered(self, receiver: Receiver, sent: Waiting, now: float) -> None:
        """Note that a receiver took a message. Raises OSError, and goes on knowing it."""
        post = self.posts[receiver.key]
        post.waiting.remove(sent)
        post.sent, post.sent_at = post.sent + 1, now
        post.failures, post.error = 0, None
        self._write(self.seen, self.posts)

    def failed(self, receiver: Receiver, tried: Waiting, now: float, failure: NotDelivered) -> None:
        """Note that a receiver did not take a message; after a day it is given up. Raises OSError."""
        post = self.posts[receiver.key]
        post.failed_at, post.error = now, str(failure)
        if failure.concerns_message:
            tried.refusals += 1
            tried.next_at = now + max(pause_seconds(tried.refusals), failure.retry_after)
        else:
            post.failures += 1
            post.next_at = now + max(pause_seconds(post.failures), failure.retry_after)
        if tried.tried_until is None:
            tried.tried_until = tried.message.at.timestamp() + TRIED_SECONDS
        if now >= tried.tried_until:
            _give_up(post, tried, post.error)
        self._write(self.seen, self.posts)

    def _write(self, seen: dict[str, Seen] | None, posts: dict[str, Post]) -> None:
        replace_file(self.path, msgspec.json.encode(KeptOutbox(seen, posts)), mode=0o600)


def _is_over(next_at: float, now: float) -> bool:
    """Whether a pause is over; what is further away than any may last is of a clock that was ahead before a start."""
    return not 0.0 < next_at - now <= LONGEST_PAUSE_SECONDS


def _moved(at: float, seconds: float) -> float:
    """A moment as it stands after a jump of the clock; 0 is none."""
    return min(max(at + seconds, 0.0), LAST_SECOND) if at else at


def pause_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: twice as long after each, at most an hour."""
    return min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 20), LONGEST_PAUSE_SECONDS)


def kept_in(path: Path) -> KeptOutbox:
    """What the file holds; one that cannot be read holds nothing, and is written anew."""
    try:
        content = read_or_none(path)
        return KeptOutbox() if content is None else msgspec.json.decode(content, type=KeptOutbox)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        logger.error("what was told cannot be read, nothing is known to have changed: %s", error)
        return KeptOutbox()


def standing(data: Path, receivers: Sequence[Receiver]) -> list[dict[str, Any]]:
    """A `WebhookStanding` of each receiver, in the order of the setting."""
    kept = kept_in(data / OUTBOX_FILE) if receivers else KeptOutbox()
    return [_standing(each, kept.posts.get(each.key, Post())) for each in receivers]


def _standing(receiver: Receiver, post: Post) -> dict[str, Any]:
    next_at = min((max(post.next_at, each.next_at) for each in post.waiting), default=0.0)
    return {
        "receiver": receiver.name,
        "waiting": len(post.waiting),
        "sent": post.sent,
        "given_up": post.given_up,
        "sent_at": _moment(post.sent_at),
        "failed_at": _moment(post.failed_at),
        "error": post.error,
        "next_try_at": _moment(next_at or None),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else iso(moment_of(round(seconds * SECOND_US)), "seconds")


def _give_up(post: Post, lost: Waiting, reason: str) -> None:
    post.waiting.remove(lost)
    post.given_up += 1
    told = {"experiment": lost.message.experiment, "at": iso(lost.message.at)}
    logger.error("a change is told no more: %s", reason, extra=told)
