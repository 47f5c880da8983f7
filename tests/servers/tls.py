"""A service as shops have it in front of pages: behind nginx, by https, under a path, with a throw-away certificate."""

import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from servers.patience import until
from servers.proxies import answers, program
from servers.stores import free_port

PREFIX = "/r/x7"
NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location {prefix}/ {{
      proxy_pass http://{service};
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix {prefix};
    }}
  }}
}}
"""


def certificate(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate of `localhost`, which is its own authority, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, secret = folder / "certificate.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    return pem, secret


@contextlib.contextmanager
def behind_tls(service: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The https address, with its path, of nginx before a service (host and port), and whom to trust for it."""
    port = free_port()
    pem, secret = certificate(folder)
    configuration = folder / "tls.conf"
    configuration.write_text(NGINX.format(port=port, service=service, certificate=pem, key=secret, prefix=PREFIX))
    command = [program("nginx"), "-p", str(folder), "-e", "error.log", "-c", str(configuration)]
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: answers(port) or process.poll() is not None, "nginx listens")
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield f"https://localhost:{port}{PREFIX}", pem
    finally:
        process.terminate()
        process.wait()
