"""Fetch the wheels of the runtime lock, each held against its hashes, and build our own: make_wheels.py FOLDER.

They fit every Python of this one's version (3.11.2 asks for a package more than 3.11.7) on a machine like this one. The
build tools of the lock are among them: `pip install --no-index --find-links FOLDER resonate` leaves them out.
"""

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.markers import Marker, default_environment

REPOSITORY = Path(__file__).parents[1]
PINNED = re.compile(r"^(?P<pin>[^\s;#]+)(?: ; (?P<marker>.*?))?(?P<hashes> \\(?:\n.*\\)*\n.*)$", re.MULTILINE)


def fitting(lock: str) -> str:
    """What a lock pins for any Python of this one's version, without the markers that say so."""
    release = ".".join(platform.python_version_tuple()[:2])
    here = dict(default_environment())
    patches = [here | {"python_full_version": f"{release}.{patch}"} for patch in range(20)]
    pinned = [found for found in PINNED.finditer(lock)]
    kept = [
        found
        for found in pinned
        if not found["marker"] or any(Marker(found["marker"]).evaluate(each) for each in patches)
    ]
    return "".join(f"{found['pin']}{found['hashes']}\n" for found in kept)


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "download"]
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as lock:
        lock.write(fitting((REPOSITORY / "requirements.lock").read_text()))
        lock.flush()
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(folder)]
        subprocess.run([*pip, *options, "-r", lock.name], check=True)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder.absolute())]
    subprocess.run(build, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    size = sum(each.stat().st_size for each in folder.iterdir())
    print(f"{folder} has {len(list(folder.iterdir()))} wheels, {size >> 20} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
