"""The links of surveys: what they ask and whom is sealed in them, so that no address tells it and nobody makes one.

Nothing imports this before a link is made or opened: `cryptography` takes time and memory.
"""

import base64
import secrets
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from app.surveys.question import MOST_DAYS, SurveyLink
from kit.files import create_file
from kit.private import private_folder
from kit.time import DAY_SECONDS, now_seconds

SECRET_BYTES: Final = 32
ID_BYTES: Final = 12
MOST_CHARACTERS: Final = 4_096


class SurveyLinks:
    """Seals and opens links by the key of one data directory. Whoever takes the key away ends them all."""

    def __init__(self, file: Path) -> None:
        """`file` holds the key, and is made with one where there is none. Raises OSError."""
        self._fernet = Fernet(base64.urlsafe_b64encode(_key_in(file)))

    def make(self, days: int, **told: Any) -> tuple[SurveyLink, str]:
        """A link that holds for so many days from now on, and what its address ends with; the rest of it is `told`."""
        assert 0 < days <= MOST_DAYS
        ends = int(now_seconds() + days * DAY_SECONDS)
        link = SurveyLink(id=secrets.token_hex(ID_BYTES), ends=ends, **told)
        return link, self._fernet.encrypt(msgspec.json.encode(link)).decode()

    def open(self, token: str) -> SurveyLink | None:
        """The link behind a token, over or not; None for one that was not made here. Never raises."""
        if not token.isascii() or len(token) > MOST_CHARACTERS:
            return None
        try:
            return msgspec.json.decode(self._fernet.decrypt(token.encode()), type=SurveyLink)
        except (InvalidToken, msgspec.MsgspecError):
            return None


def _key_in(file: Path) -> bytes:
    """The key that all workers seal and open by, also after a restart: the one who needs it first makes it.

    Raises OSError where none can be kept, or where what is kept there is none.
    """
    private_folder(file.parent)
    create_file(file, secrets.token_bytes(SECRET_BYTES), 0o600)  # of two that come at once one wins
    key = file.read_bytes()
    if len(key) != SECRET_BYTES:
        raise OSError(
            f"{file} holds no key of {SECRET_BYTES} bytes; take it away, and one is made (no link holds then)"
        )
    return key
