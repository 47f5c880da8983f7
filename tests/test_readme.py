"""README's calls are run against the example shop, as a newcomer would paste them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from servers.patience import VAIN_SECONDS

REPOSITORY = Path(__file__).parents[1]
CALLS = re.findall(
    r"^```sh\n(.*?)^```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
EXAMPLE = {file.name: file.read_text() for file in (REPOSITORY / "app/demo/example_shop/definitions").glob("*.yaml")}


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: `make test-tools` installs it by apt as root")
def test_every_call_of_the_readme_works_in_order(start_service) -> None:
    service = start_service(EXAMPLE)
    assert len(CALLS) >= 4
    answers = [_run(call, service) for call in CALLS]
    assert json.loads(answers[0])["experiments"]["free-shipping-banner"]["variant"] == json.loads(answers[1])["variant"]
    assert json.loads(answers[2]) == {"success": True}
    assert '"purchase_rate"' in answers[3]


def _run(call: str, service) -> str:
    from servers.service import PUBLISHABLE_KEY, SECRET_KEY

    named = {"SERVICE": service.url, "PUBLISHABLE_KEY": PUBLISHABLE_KEY, "SECRET_KEY": SECRET_KEY}
    done = subprocess.run(
        ["sh", "-ec", call], env=os.environ | named, capture_output=True, text=True, timeout=VAIN_SECONDS, check=False
    )
    assert done.returncode == 0, f"{call}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    "name", re.findall(r"\]\((?!http)([^)#]+)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
)
def test_every_link_of_the_readme_leads_somewhere(name: str) -> None:
    assert (REPOSITORY / name).exists()
