"""nginx and Caddy as docs/proxies.md has them, before a worker, with a throw-away certificate for `localhost`."""

import contextlib
import re
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from servers.patience import until
from servers.proxies import answers, program

RECIPES = Path(__file__).parents[2] / "docs/proxies.md"
PREFIX = "/r/x7"
WRAPPED = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  {recipe}
}}
"""
OPTIONS = "{\n admin off\n auto_https disable_redirects\n skip_install_trust\n}\n"


@dataclass(frozen=True)
class Published:
    """A proxy that listens: its address with the prefix, and what trusts its certificate."""

    port: int
    certificate: Path

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}{PREFIX}"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def recipe(kind: str) -> str:
    """The fenced block of the page."""
    [found] = re.findall(rf"```{kind}\n(.*?)```", RECIPES.read_text(), re.DOTALL)
    return found


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "shop.pem", folder / "shop.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextlib.contextmanager
def published(kind: str, folder: Path, port: int, service_port: int) -> Iterator[Published]:
    """The proxy of this kind (`nginx`, `caddyfile`) on this port, before a service on another."""
    folder.mkdir()
    pem, key = certificate(folder)
    text = recipe(kind).replace("/etc/ssl/shop.example.pem", str(pem)).replace("/etc/ssl/shop.example.key", str(key))
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")
    configuration = folder / f"{kind}.conf"
    if kind == "nginx":
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("shop.example", "localhost")
        configuration.write_text(WRAPPED.format(recipe=text))
        command = [program("nginx"), "-p", str(folder), "-e", "error.log", "-c", str(configuration)]
    else:
        text = text.replace("shop.example {", f"https://localhost:{port} {{\n    bind 127.0.0.1")
        configuration.write_text(f"{OPTIONS}{text}")
        command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        until(lambda: answers(port) or process.poll() is not None, f"{kind} listens")
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield Published(port, pem)
    finally:
        process.terminate()
        process.wait()
