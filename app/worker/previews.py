"""The preview links of this service, as a worker knows them: what makes and reads them is loaded with the first one."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kit.files import FileMark, mark_of
from kit.time import DAY_SECONDS

if TYPE_CHECKING:
    from app.identity.preview_links import PreviewLink, PreviewLinks


LINK: Final = "resonate_preview"  # of the query of a page, and of a request to the service


class Previews:
    """Where no link was ever made, no token shows anything."""

    def __init__(self, file: Path) -> None:
        """`file` holds the key that links are signed with."""
        self._file = file
        self._mark: FileMark | None = None
        self._links: PreviewLinks | None = None

    def make(self, experiment: str, phase: int, variant: str, days: float) -> tuple[str, int]:
        """A token that shows this variant, and its end in epoch seconds. Raises OSError where no key can be kept."""
        from app.identity.preview_links import PreviewLink, PreviewLinks

        now = time.time()
        link = PreviewLink(experiment, phase, variant, int(now + days * DAY_SECONDS))
        return PreviewLinks(self._file).token(link, now), link.ends

    def read(self, tokens: Sequence[Any]) -> "list[PreviewLink | None]":
        """What each token shows now: None for one that is over, or was not made here."""
        mark = mark_of(self._file)
        if mark is None:
            return [None for _ in tokens]
        if mark != self._mark or self._links is None:
            from app.identity.preview_links import PreviewLinks

            self._mark, self._links = mark, PreviewLinks(self._file)
        now = time.time()
        return [self._links.read(token, now) for token in tokens]


def linked(url: str, token: str) -> str:
    """The address of a page, with a token in its query in place of one that may be there; without a page, the query."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != LINK]
    return urlunsplit(parts._replace(query=urlencode([*query, (LINK, token)])))
