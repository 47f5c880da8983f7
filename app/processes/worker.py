"""One HTTP worker: `python -P -m app.worker`, started by the supervisor with the listening socket."""

import socket
import sys

from app.processes.supervised import Child, begin


def main() -> int:
    """Serve until SIGTERM or SIGINT, then drain."""
    child = begin()
    # The supervisor loads the definitions while this process imports; only then are the settings read.
    from app.http.protocol import server_config
    from app.http.server import DrainingServer
    from app.main import create_app

    settings = child.settings("worker")
    config = server_config(create_app(settings), limit_concurrency=settings.max_connections)
    server = DrainingServer(config, child.say_ready, settings.drain_seconds)
    server.run(sockets=[_listener(child)])
    return 0 if server.started else 1


def _listener(child: Child) -> socket.socket:
    if child.socket_descriptor is None:
        raise SystemExit("a worker needs --socket, the descriptor of the listening socket")
    return socket.socket(fileno=child.socket_descriptor)


if __name__ == "__main__":
    sys.exit(main())
