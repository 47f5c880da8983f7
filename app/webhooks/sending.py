"""One message sent to one receiver: signed, by a connection to an address that was looked at, with a deadline."""

import asyncio
import hashlib
import hmac
import socket
import ssl
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from urllib.parse import urlsplit

import httpx

from app.runtime.webhook_addresses import Receiver
from app.webhooks.changes import Message
from app.webhooks.outbox import LONGEST_PAUSE_SECONDS, NotDelivered
from kit.time import now_utc

DEADLINE_SECONDS: Final = 10.0  # of the whole, a receiver that answers letter by letter included
CONNECT_SECONDS: Final = 3.0
MOST_ADDRESSES: Final = 4  # of one name that are tried
SIGNATURE: Final = "X-Resonate-Signature"
DELIVERY: Final = "X-Resonate-Delivery"
OVERLOADED: Final = (408, 425, 429)  # of the receiver; what else begins with 4 is of the message


class Sender:
    """Sends to receivers; `networks` are those beside the internet that their names may lead to."""

    def __init__(self, secret: str | None, networks: Sequence[IPv4Network | IPv6Network], version: str) -> None:
        self.secret = secret
        self.networks = networks
        self.agent = f"Resonate/{version}"
        certificates = httpx.create_ssl_context(trust_env=False)
        certificates.load_default_certs(ssl.Purpose.SERVER_AUTH)  # those of the machine, beside those of httpx
        # A connection is of one name and one address: a kept one would serve another name of the same address.
        self.client = httpx.AsyncClient(
            verify=certificates,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(DEADLINE_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def send(self, receiver: Receiver, message: Message) -> None:
        """Send a message; its receiver has taken it when this returns. Raises NotDelivered."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                response = await self._posted(receiver, message)
        except TimeoutError:
            raise NotDelivered(f"no answer within {DEADLINE_SECONDS:g} s") from None
        status = response.status_code
        if response.is_success:
            return
        if response.is_redirect:
            raise NotDelivered(f"it answers {status}, and redirects are not followed: set the address that it leads to")
        of_message = response.is_client_error and status not in OVERLOADED
        raise NotDelivered(f"it answers {status}", concerns_message=of_message, retry_after=_retry_after(response))

    async def _posted(self, receiver: Receiver, message: Message) -> httpx.Response:
        """The head of the answer of the first address that takes a connection. Raises NotDelivered, TimeoutError."""
        body, parts = message.body(receiver.form), urlsplit(receiver.url)
        headers = {
            "Host": parts.netloc,
            "Content-Type": "application/json",
            "User-Agent": self.agent,
            DELIVERY: message.id,
        }
        if self.secret is not None:
            headers[SIGNATURE] = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        failure: Exception | None = None
        for address in await self._addresses(receiver):
            url = httpx.URL(receiver.url).copy_with(host=address)
            named = {"sni_hostname": receiver.host}  # the certificate must be the name's, not the address's
            request = self.client.build_request("POST", url, content=body, headers=headers, extensions=named)
            try:
                response = await self.client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
            except httpx.HTTPError as error:
                raise NotDelivered(f"it does not answer as HTTP does: {type(error).__name__}") from None
            else:
                await response.aclose()  # what it says is of no use, and may have no end
                return response
        raise NotDelivered(f"no connection: {failure or 'no address'}") from None

    async def _addresses(self, receiver: Receiver) -> list[str]:
        """The addresses of a receiver that may be called, looked up anew each time. Raises NotDelivered."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotDelivered(f"{receiver.host} has no address: {error.strerror or error}") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        allowed = [each for each in addresses if receiver.may_be(each, self.networks)]
        if not allowed:
            where = f"{receiver.host} leads to {addresses[0]}, which is not on the internet"
            raise NotDelivered(f"{where}: name its network in RESONATE_WEBHOOK_NETWORKS if that is meant")
        return allowed[:MOST_ADDRESSES]


def _retry_after(response: httpx.Response) -> float:
    """For how many seconds a receiver asks to be left alone, at most an hour; 0 where it does not say."""
    told = response.headers.get("retry-after", "")
    try:
        seconds = float(told) if told.isdecimal() else (parsedate_to_datetime(told) - now_utc()).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
