"""Load that goes on while a service ends: half the clients open a connection per request, half keep theirs.

Prints a line once it is under way, and at the end how many requests were answered and how many connections were
reset or cut off in the middle.
"""

import asyncio
import collections
import json
import sys

UNDER_WAY = 200  # answers, after which a line says so
REQUEST = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


async def client(port: int, keeps: bool, counted: "collections.Counter[str]") -> None:
    """Ask until the service no longer listens."""
    streams = None
    while True:
        try:
            streams = streams or await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            counted["reset"] += 1
            continue
        reader, writer = streams
        try:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            counted["reset"] += 1
            streams = None
            continue
        counted["answered"] += 1
        if counted["answered"] == UNDER_WAY:
            print("under way", flush=True)
        if not keeps or b"connection: close" in head.lower():
            writer.close()
            streams = None


async def main() -> None:
    """Thirty clients."""
    counted: collections.Counter[str] = collections.Counter({"answered": 0, "reset": 0})
    await asyncio.gather(*(client(int(sys.argv[1]), number % 2 == 0, counted) for number in range(30)))
    print(json.dumps(counted))


asyncio.run(main())
