"""The faults that a disk, a process, a file or a host does to a whole service, each with what ends it.

A `Fault` readies a service that is not started yet (`staged`), and breaks something of the running one (`broken`) until
its block ends. A test of a new fault is one line in `FAULTS`.
"""

import contextlib
import resource
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError
from servers.ailing_stores import behind_one_address, external, failing_over, loading, login_refused
from servers.faults import beats, pid_of
from servers.moving_clock import FAKETIME, MOVED_BY, move, move_store
from servers.patience import until
from servers.small_disk import fill, small_disk
from servers.stage import Block, Fault, Stage

from events.store.process import socket_path

PAUSE_SECONDS = 0.5  # between two kills, and two looks at what is to be hung
TAKEN_SECONDS = 0.05  # between two looks whether a full disk has room again
IDLE_CONNECTIONS = 600
FEW_DESCRIPTORS = 256
JUNK_BYTES = 1 << 20
STORE_MB = 16
BEATING = frozenset({"writer", "analysis", "store"})


# Disks.


def full(place: str, megabytes: int) -> tuple[Block, Block]:
    """A small disk under a folder of the data directory, and its last byte taken."""

    def folder(stage: Stage) -> Path:
        return stage.service.data / place

    @contextlib.contextmanager
    def staged(stage: Stage) -> Iterator[None]:
        stage.service.variables["RESONATE_DISK_FLOOR_MB"] = "0"  # as where a quota knows the end
        with small_disk(folder(stage), megabytes):
            yield

    @contextlib.contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        ballast = fill(folder(stage))
        try:
            with ballast.open("ab", buffering=0) as file, again_and_again(lambda: take_all(file), TAKEN_SECONDS):
                yield
        finally:
            ballast.unlink()

    return staged, broken


def take_all(file: FileIO) -> None:
    """What is given up of a full disk, such as a file of the product's own, is taken too."""
    with contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


@contextlib.contextmanager
def disk_of_its_own(stage: Stage) -> Iterator[None]:
    """A real file system in a file, under the data directory."""
    data, image = stage.service.data, stage.folder / "disk.img"
    data.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(64 << 20)
    program = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin")
    if program is None:
        pytest.skip("no mkfs.ext4: a disk that turns read-only cannot be made here")
    subprocess.run([program, "-q", str(image)], check=True)
    _mount(image, data)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def _mount(image: Path, folder: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.strip()}")


@contextlib.contextmanager
def read_only(stage: Stage) -> Iterator[None]:
    """The file system gives up, as after an error of its disk; an operator mends it with the service stopped."""
    data = str(stage.service.data)
    subprocess.run(["mount", "-o", "remount,abort", data], check=True)
    try:
        yield
    finally:
        stage.service.end()
        subprocess.run(["umount", data], check=True)
        mended = subprocess.run(
            ["/usr/sbin/e2fsck", "-fy", str(stage.folder / "disk.img")], check=False, capture_output=True
        )
        assert mended.returncode in (0, 1), mended.stdout
        _mount(stage.folder / "disk.img", stage.service.data)
        stage.service.start()


# Processes.


@contextlib.contextmanager
def again_and_again(act: Callable[[], None], pause_seconds: float = PAUSE_SECONDS) -> Iterator[None]:
    """Something is done all the while, with pauses."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(pause_seconds):
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, httpx.HTTPError):
                act()

    doer = threading.Thread(target=go_on)
    doer.start()
    try:
        yield
    finally:
        stop.set()
        doer.join()


def killed(role: str) -> Block:
    """Each process of a role is killed whenever it is seen."""

    @contextlib.contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        struck = threading.Event()

        def kill() -> None:
            for process in stage.service.processes().get(role, []):
                process.kill()
                struck.set()

        with again_and_again(kill):
            until(struck.is_set, f"the first {role} was killed", tell=stage.service.told)
            yield

    return broken


def hung(role: str) -> Block:
    """The process of a role stands still; what takes its place is sound."""

    @contextlib.contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        if role in BEATING:  # one that hangs in its imports has a minute
            until(lambda: beats(stage.service, role), f"the {role} works", tell=stage.service.told)
        victim = psutil.Process(pid_of(stage.service, role))
        victim.suspend()
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.resume()

    return broken


def asked(block: Block) -> Block:
    """The same, while somebody asks for readouts: the analysis is started by its callers."""

    @contextlib.contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        def ask() -> None:
            with stage.service.client(timeout=1) as client:
                client.get("/v1/experiments/free-shipping-banner/results")

        ask_once = contextlib.suppress(httpx.HTTPError)
        with ask_once:
            ask()
        with again_and_again(ask), block(stage):
            yield

    return broken


@contextlib.contextmanager
def often_trained(stage: Stage) -> Iterator[None]:
    stage.service.variables["RESONATE_TRAINING_HOURS"] = "0.0001"
    yield


@contextlib.contextmanager
def little_memory(stage: Stage) -> Iterator[None]:
    stage.service.variables["RESONATE_STORE_MEMORY_MB"] = str(STORE_MB)
    yield


@contextlib.contextmanager
def no_memory(stage: Stage) -> Iterator[None]:
    """Somebody else's keys take what the store may hold."""
    with Redis(unix_socket_path=str(socket_path(stage.service.data))) as store:
        number = 0
        with contextlib.suppress(RedisError):
            while number < 4 * STORE_MB:
                store.set(f"junk:{number}", b"x" * JUNK_BYTES)
                number += 1
        for size in (65_536, 4_096, 256):
            with contextlib.suppress(RedisError):
                while True:
                    number += 1
                    store.set(f"junk:{number}", b"x" * size)
    try:
        yield
    finally:
        with Redis(unix_socket_path=str(socket_path(stage.service.data))) as store:
            for key in store.scan_iter("junk:*", 1_000):
                store.delete(key)


# Files.


@contextlib.contextmanager
def emptied(stage: Stage) -> Iterator[None]:
    """As between a clean and a checkout."""
    away = stage.folder / "away"
    away.mkdir()
    for path in list(stage.service.definitions.iterdir()):
        shutil.move(path, away / path.name)
    try:
        yield
    finally:
        for path in list(away.iterdir()):
            shutil.move(path, stage.service.definitions / path.name)


@contextlib.contextmanager
def half_written(stage: Stage) -> Iterator[None]:
    texts = {path: path.read_text() for path in stage.service.definitions.glob("*.yaml")}
    for path, text in texts.items():
        path.write_text(text[: text.index("variants: [") + len("variants: [")])
    try:
        yield
    finally:
        for path, text in texts.items():
            path.write_text(text)


@contextlib.contextmanager
def unreadable(stage: Stage) -> Iterator[None]:
    """The folder leads nowhere, as a mount that failed."""
    folder = stage.service.definitions
    away = folder.with_name("mounted")
    folder.rename(away)
    folder.symlink_to(folder.name)
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


# Descriptors.


@contextlib.contextmanager
def few_descriptors(stage: Stage) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    stage.service.limits = {resource.RLIMIT_NOFILE: (FEW_DESCRIPTORS, FEW_DESCRIPTORS)}
    yield
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


@contextlib.contextmanager
def exhausted(stage: Stage) -> Iterator[None]:
    """More connections than may be open, of somebody who says nothing, and comes again."""
    opened: list[socket.socket] = []

    def crowd() -> None:
        while len(opened) > IDLE_CONNECTIONS:
            opened.pop(0).close()
        for _ in range(100):
            with contextlib.suppress(OSError):
                opened.append(socket.create_connection(("127.0.0.1", stage.service.port), timeout=1))

    with again_and_again(crowd):
        try:
            yield
        finally:
            for each in opened:
                each.close()


# Clocks.


@contextlib.contextmanager
def clock_of_its_own(stage: Stage) -> Iterator[None]:
    """The service's processes and its store read clocks that may jump."""
    if not FAKETIME:
        pytest.skip("no libfaketime: `make test-tools` installs it by apt as root")
    clock = stage.folder / "clock"
    move(clock, 0.0)
    move_store(clock, 0.0)
    stage.service.entry = "servers.moving_clock"
    stage.service.variables |= {MOVED_BY: str(clock), "PYTHONPATH": str(Path(__file__).parents[1])}
    yield


def moved(seconds: float, *, with_store: bool = True) -> Block:
    """The machine's clock jumps, and jumps back; or, without that of the store, the service's alone."""

    @contextlib.contextmanager
    def broken(stage: Stage) -> Iterator[None]:
        clock = stage.folder / "clock"
        move(clock, seconds)
        move_store(clock, seconds * with_store)
        try:
            yield
        finally:
            move(clock, 0.0)
            move_store(clock, 0.0)

    return broken


DISK_CAUSES = frozenset({"store_disk_full", "log_disk_full", "disk_low", "catalogue_not_kept"})
FAULTS = (
    Fault("disk full under everything", DISK_CAUSES, *reversed(full(".", 12))),
    Fault("disk full under the parts", frozenset({"log_disk_full"}), *reversed(full("log", 3))),
    Fault("disk full under the AOF", frozenset({"store_disk_full"}), *reversed(full("store", 3))),
    Fault(
        "disk turned read-only",
        frozenset({"store_disk_full", "log_not_writable", "store_error", "store_down", "store_folder_unusable",
                   "catalogue_not_kept"}),
        read_only, disk_of_its_own, drops=True, heals=False, keeps=False,
    ),
    Fault("store stopped", frozenset({"store_timeout", "store_down"}), hung("store"), once=True),
    Fault("store killed again and again", frozenset({"store_down", "store_loading", "crash_loop"}), killed("store")),
    Fault("store out of memory", frozenset({"store_out_of_memory", "store_memory_high"}), no_memory, little_memory),
    Fault("writer hung", frozenset({"writer_stalled"}), hung("writer"), once=True),
    Fault("writer killed again and again", frozenset({"crash_loop"}), killed("writer")),
    Fault("analysis hung", frozenset({"analysis_stalled"}), asked(hung("analysis")), once=True),
    Fault("analysis killed again and again", frozenset({"crash_loop"}), asked(killed("analysis"))),
    Fault("trainer hung", frozenset(), hung("trainer"), often_trained),
    Fault("trainer killed again and again", frozenset(), killed("trainer"), often_trained),
    Fault("definitions emptied", frozenset({"definitions_missing"}), emptied, files=False),
    Fault("definitions half written", frozenset({"definitions_invalid"}), half_written, files=False),
    Fault("definitions unreadable", frozenset({"definitions_missing", "definitions_invalid"}), unreadable, files=False),
    # Silent ones make way, so nothing is wrong; where none is silent newcomers are refused (app/limits/test_room.py).
    Fault("descriptors exhausted", frozenset(), exhausted, few_descriptors, drops=True),
    Fault("external store refuses the login", frozenset({"store_login_refused"}), login_refused, external),
    Fault("external store loads", frozenset({"store_loading", "store_down", "store_timeout"}), loading, external),
    Fault(
        "external store fails over",
        frozenset({"store_down", "store_read_only", "store_timeout"}),
        failing_over, behind_one_address,
    ),
    Fault("clock three days ahead", frozenset(), moved(3 * 86_400.0), clock_of_its_own),
    Fault("clock an hour behind", frozenset(), moved(-3_600.0), clock_of_its_own),
    Fault(
        "clock ten minutes from the store's",
        frozenset({"clock_skew"}),
        moved(600.0, with_store=False), clock_of_its_own,
    ),
)  # fmt: skip
