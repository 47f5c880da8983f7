"""docs/operations.md is followed as it stands: the service of systemd is installed, below a root of a test."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from servers.patience import HUNG_SECONDS, until

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "operations.md"
UNIT = REPOSITORY / "ops" / "systemd" / "resonate.service"
PROGRAM = Path(sys.executable).parent
PLACES = re.compile(r"(?<![\w./])/(etc|var)/")


def below(root: Path, text: str) -> str:
    """What is said of this machine's folders, of those below a root; the program is that of this environment."""
    return PLACES.sub(rf"{root}/\1/", text.replace("/opt/resonate/bin", str(PROGRAM)))


def commands(after: str) -> str:
    """The first block of commands behind a text of the page."""
    return PAGE.read_text(encoding="utf-8").partition(after)[2].partition("```\n")[2].partition("```")[0]


def follow(root: Path) -> None:
    """Does what the page says, with a systemd that does nothing yet."""
    tools, here = root / "tools", root / "here"
    for folder in (tools, here, root / "etc" / "systemd" / "system", root / "var" / "lib" / "resonate"):
        folder.mkdir(parents=True)
    (tools / "systemctl").write_text("#!/bin/sh\n")
    (tools / "systemctl").chmod(0o755)
    (here / "ops").symlink_to(REPOSITORY / "ops")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(root), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["sh", "-e"], input=below(root, commands("**As a service of systemd**")), cwd=here, env=environment,
        capture_output=True, text=True, timeout=HUNG_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_who_follows_the_page_has_a_service_that_answers_to_the_keys_that_were_made(tmp_path: Path) -> None:
    follow(tmp_path)
    unit = below(tmp_path, (tmp_path / "etc/systemd/system/resonate.service").read_text())
    held = dict(re.findall(r"^LoadCredential=(\w+):(.+)$", unit, re.MULTILINE))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "RESONATE_PORT": "0"}
    for line in re.findall(r"^Environment=(.+)$", unit, re.MULTILINE):
        name, _, value = line.partition("=")
        environment[name] = re.sub(r"%d/(\w+)", lambda each: held[each[1]], value)
    environment["RESONATE_LAME_DUCK_SECONDS"] = "0"
    [started] = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    with (
        (tmp_path / "service.log").open("wb") as log,
        subprocess.Popen(started.split(), env=environment, cwd=tmp_path, stdout=log, stderr=log) as service,
    ):
        try:
            address = Path(environment["RESONATE_DATA"]) / "run" / "address"
            until(lambda: address.exists() or service.poll() is not None, "it has started")
            assert service.poll() is None, (tmp_path / "service.log").read_text()
            url = json.loads(address.read_text())["url"]
            pair = dict(re.findall(r"^(\w+) key: (\S+)$", (tmp_path / "here" / "pair").read_text(), re.MULTILINE))
            until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "it is ready")
            for key, status in ((pair["secret"], 200), (pair["publishable"], 403)):
                asked = httpx.get(f"{url}/v1/operations", headers={"authorization": f"Bearer {key}"}, timeout=20)
                assert asked.status_code == status, asked.text
            assert (tmp_path / "var/lib/resonate/erasures.ndjson").exists()
        finally:
            service.send_signal(signal.SIGTERM)
        assert service.wait(HUNG_SECONDS) == 0
