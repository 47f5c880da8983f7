"""The wheel works by itself: installed with the runtime lock outside the checkout, used in an empty folder."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from packaging.requirements import Requirement
from servers.patience import HUNG_SECONDS, ended_when_hung
from servers.stores import free_port

REPOSITORY = Path(__file__).parents[1]
BUILD_TOOLS = {"editables", "hatchling"}
NOBODY = 65534
# $1 Python's folder, $2 the folder above it that nobody may enter, $3 an empty one: others see Python there and no more
AS_NOBODY = f"""
if [ -n "$2" ]; then
  mount --bind "$1" "$3"
  mount -t tmpfs -o mode=0755 tmpfs "$2"
  (umask 022; mkdir -p "$1")
  mount --bind "$3" "$1"
fi
shift 3
exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --bounding-set=-all --inh-caps=-all "$@"
"""
FIRST_READOUT = re.compile(r"with threshold the purchase rate is [\d.]+ % against [\d.]+ %")


def elsewhere(test: Callable[..., None]) -> Callable[..., None]:
    """A test of the installed wheel; one installation serves all of them."""
    return pytest.mark.slow(pytest.mark.xdist_group("wheel")(test))


def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def done(*command: str | Path, **options: object) -> str:
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=10 * HUNG_SECONDS, check=False, umask=0o022, **options
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=REPOSITORY)
    [built] = folder.iterdir()
    return built


@dataclass(frozen=True, slots=True)
class Installed:
    """Resonate in an environment of its own, used from a folder that held nothing."""

    environment: Path
    folder: Path
    variables: dict[str, str]
    user: tuple[str, ...] = ()  # the command that becomes somebody else

    def resonate(self, *arguments: str) -> str:
        program = self.environment / "bin/resonate"
        return done(*self.user, program, *arguments, cwd=self.folder, env=self.variables)

    @contextmanager
    def running(self, command: str, port: int) -> Iterator[Iterator[str]]:
        """What a command that goes on says, line by line; Ctrl-C must end it with 0."""
        variables = self.variables | {"RESONATE_PORT": str(port)}
        with subprocess.Popen(
            [*self.user, self.environment / "bin/resonate", command],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            with ended_when_hung(process, 10 * HUNG_SECONDS):
                try:
                    assert process.stdout is not None
                    yield iter(process.stdout)
                finally:
                    process.send_signal(signal.SIGINT)
                    process.stdout.read()
            assert process.wait(timeout=HUNG_SECONDS) == 0

    def files(self) -> set[Path]:
        return {path for path in self.environment.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def entered() -> Iterator[Path]:
    """A folder that every user may enter, as none of pytest's is."""
    with TemporaryDirectory(prefix="elsewhere-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def environment(wheel: Path, entered: Path) -> Path:
    made = entered / "env"
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    done(sys.executable, "-m", "venv", made, env=variables)
    pip = [made / "bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done(*pip, "install", "--no-deps", "--require-hashes", "-r", REPOSITORY / "requirements.lock", env=variables)
    done(*pip, "install", "--no-deps", wheel, env=variables)
    done(*pip, "check", env=variables)
    return made


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Iterator[Installed]:
    """With nothing of the checkout in its environment; what is used must leave the installed files alone."""
    variables = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
    use = Installed(environment, tmp_path / "empty", variables)
    use.folder.mkdir()
    before = use.files()
    yield use
    assert use.files() == before


def test_the_wheel_holds_the_files_of_the_packages_and_no_others(wheel: Path) -> None:
    packages = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    ours = {
        path.relative_to(REPOSITORY).as_posix()
        for package in packages
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "guides" not in path.parts
    }
    documents = REPOSITORY / "docs"
    guides = {f"app/guides/{path.relative_to(documents).as_posix()}" for path in documents.rglob("*.md")}
    assert "app/guides/statistics.md" in guides
    assert (REPOSITORY / "app/guides").resolve() == documents
    ours |= guides
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == ours
    assert {Path(name).suffix for name in ours} >= {".py", ".sql", ".lua", ".js", ".css", ".html", ".yaml", ".csv"}


def test_whoever_installs_the_wheel_gets_no_build_tools(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        [name] = [name for name in files.namelist() if name.endswith("/METADATA")]
        needed = map(Requirement, message_from_bytes(files.read(name)).get_all("Requires-Dist", []))
    names = {each.name for each in needed if "extra" not in str(each.marker)}
    assert names == {Requirement(line).name for line in project()["project"]["dependencies"]}
    assert names.isdisjoint(BUILD_TOOLS)


@elsewhere
def test_what_is_installed_is_not_the_checkout_and_says_its_version(installed: Installed) -> None:
    code = "import app.cli, events, experiments, kit, recommender; print(app.cli.__file__)"
    place = done(installed.environment / "bin/python", "-c", code, cwd=installed.folder, env=installed.variables)
    assert Path(place).is_relative_to(installed.environment)
    assert installed.resonate("--version").splitlines()[0] == f"resonate {project()['project']['version']}"
    known = json.loads(installed.resonate("--version", "--json"))
    assert None not in known.values()


@elsewhere
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as another user")
def test_who_may_write_nothing_that_is_installed_is_served_all_the_same(installed: Installed, entered: Path) -> None:
    home, aside = entered / "nobody", entered / "aside"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    aside.mkdir()
    python = Path(sys.base_prefix)
    closed = next((str(each) for each in reversed(python.parents) if not each.stat().st_mode & 0o001), "")
    user = ("unshare", "--mount", "sh", "-euc", AS_NOBODY, "sh", str(python), closed, str(aside))
    nobody = replace(installed, user=user, folder=home, variables=installed.variables | {"HOME": str(home)})
    packages = Path(done(installed.environment / "bin/python", "-c", "import app; print(app.__path__[0])").strip())
    written = subprocess.run([*user, "touch", packages / "x"], capture_output=True, text=True, check=False)
    assert "Permission denied" in written.stderr
    a_first_experiment_is_served(nobody)


@elsewhere
def test_a_first_experiment_is_written_checked_and_served(installed: Installed) -> None:
    a_first_experiment_is_served(installed)


def a_first_experiment_is_served(installed: Installed) -> None:
    installed.resonate("new", "free-shipping-banner")
    assert installed.resonate("check").startswith("1 experiment,")
    port = free_port()
    with installed.running("serve", port) as lines:
        assert any(str(port) in line for line in lines)
        ready, document = (httpx.get(f"http://127.0.0.1:{port}/{page}").json() for page in ("readyz", "openapi.json"))
    assert ready["status"] == "ready"
    assert ready["version"] == document["info"]["version"] == project()["project"]["version"]
    assert {path.name for path in installed.folder.iterdir()} == {"data", "definitions"}


@elsewhere
def test_the_demo_comes_to_its_first_readout(installed: Installed) -> None:
    with installed.running("demo", free_port()) as lines:
        assert any(FIRST_READOUT.search(line) for line in lines)
    assert {path.name for path in installed.folder.iterdir()} == {"demo-data"}
