"""What a service says of itself on its output when it is ready: its address, its first keys, where to sign in."""

import logging
import time

from app.http.access import Keys
from app.keys.audit import Audit, AuditUnusable
from app.runtime.data_directory import DataDirectory
from app.runtime.settings import Settings

logger = logging.getLogger("resonate.supervisor")


def welcome(settings: Settings, address: str, store: str, keys: Keys, audit: Audit) -> None:
    """`store` is what the store is. Keys are shown once, on the start that made them; never logged."""
    if keys.generated is not None:
        print(f"publishable key {keys.generated.publishable}")
        print(f"secret key      {keys.generated.secret}")
    public = f", for pages {settings.public_url}" if settings.public_url else ""
    print(f"Resonate is ready on {address} (data {settings.data.absolute()}, store {store}{public})", flush=True)
    if settings.dashboard == "on":
        _invite(DataDirectory(settings.data.absolute()), settings.public_url or address, audit)


def _invite(directory: DataDirectory, address: str, audit: Audit) -> None:
    """Say where the first admin signs in, while there is nobody; never logged. Nothing of the service waits for it.

    Of a file of people that cannot be read or written only the pages know nothing.
    """
    from app.people.file import People, PeopleUnreadable
    from app.people.links import sign_in_address

    try:
        token = People(directory.people_file, audit).first_link(time.time())
    except (PeopleUnreadable, AuditUnusable, OSError) as error:
        logger.error("nobody can sign in to the pages: %s", error)
        return
    if token is not None:
        print(f"Sign in: {sign_in_address(address, token)}", flush=True)
