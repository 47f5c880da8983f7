"""nginx and HAProxy in front of a service, as shops run them, started for a test and ended with it."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.patience import until
from servers.stores import free_port

PLACES = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
WEBSOCKETS = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"  # as countless guides say
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream service {{ server {service}; keepalive 1; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://service; {options} }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend shop
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one {service}
"""
PROXIES = {
    "nginx": "",
    "nginx with connections that are kept": 'proxy_http_version 1.1; proxy_set_header Connection "";',
    "nginx as guides to WebSockets have it": f"proxy_http_version 1.1; {WEBSOCKETS}",
    "haproxy": "",
}


def program(name: str, package: str = "") -> str:
    """Where a program lies; skips the test where it is not installed."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"no {name}: `make test-tools` installs {package or name} by apt as root")
    return found


@contextlib.contextmanager
def proxied(name: str, service: str, folder: Path) -> Iterator[str]:
    """The address of a proxy of this name (`PROXIES`) before a service (host and port)."""
    port = free_port()
    kind = name.partition(" ")[0]
    configuration = folder / f"{kind}.conf"
    configuration.write_text(
        (NGINX if kind == "nginx" else HAPROXY).format(service=service, port=port, options=PROXIES[name])
    )
    start = {
        "nginx": ["-p", str(folder), "-e", "error.log", "-c", str(configuration)],
        "haproxy": ["-db", "-f", str(configuration)],
    }
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen([program(kind), *start[kind]], stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or process.poll() is not None, f"{name} listens")
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
