"""What `resonate keys user-token` prints makes tokens that its setting verifies, in every language that is here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers.patience import VAIN_SECONDS

from app.identity.user_tokens import UserTokens
from app.runtime.settings import load_settings

USER = "u-1@shop"
JAVA = """
import java.security.*;
import java.security.spec.*;
import java.util.Base64;
import javax.crypto.*;
import javax.crypto.spec.*;
class Recipe {{
{recipe}
public static void main(String[] given) throws Exception {{ System.out.println(userToken(given[0])); }}
}}
"""
# Program, name of the file, and how its text is made of the recipe.
RUNS: dict[str, tuple[str, str, str]] = {
    "python": (sys.executable, "recipe.py", "{recipe}\nimport sys\nprint(user_token(sys.argv[1]))\n"),
    "node": ("node", "recipe.js", "{recipe}\nconsole.log(userToken(process.argv[2]));\n"),
    "php": ("php", "recipe.php", "<?php\n{recipe}\necho user_token($argv[1]);\n"),
    "java": ("java", "Recipe.java", JAVA),
}


def made(algorithm: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "app.cli.main", "keys", "user-token", "--algorithm", algorithm, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=VAIN_SECONDS).stdout)


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
@pytest.mark.parametrize("language", RUNS)
def test_a_printed_recipe_makes_a_token_that_the_printed_setting_verifies(
    tmp_path: Path, language: str, algorithm: str
) -> None:
    program, name, text = RUNS[language]
    if shutil.which(program) is None or (language == "java" and shutil.which("javac") is None):
        pytest.skip(f"{language} is not installed here")
    key = made(algorithm)
    (tmp_path / name).write_text(text.format(recipe=key["recipes"][language]))
    environment = {**os.environ, "RESONATE_USER_TOKEN_SECRET": key["secret"]}
    command = [program, str(tmp_path / name), USER]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=VAIN_SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    settings = load_settings({"RESONATE_USER_TOKEN_KEYS": key["setting"]})
    assert UserTokens(settings.token_keys).doubt(ran.stdout.strip(), "v-1", USER) is None


def test_a_recipe_has_about_ten_lines() -> None:
    for algorithm in ("HS256", "EdDSA"):
        key = made(algorithm)
        assert set(key["recipes"]) == set(RUNS)
        assert all(len(recipe.splitlines()) <= 13 for recipe in key["recipes"].values())
