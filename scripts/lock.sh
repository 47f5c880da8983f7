#!/bin/sh
# Write requirements*.lock: names, extras, versions and hashes for every platform, no index addresses. lock.sh UV
# Extras stay, because an installer that compares what a distribution asks for with the lock asks for them by name.
set -eu
compile() { "$1" pip compile --quiet --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-header --no-annotate --python-version 3.11 $2; }
compile "$1" "--extra build pyproject.toml --extra dev --output-file requirements-dev.lock"
compile "$1" "--extra build pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock"
compile "$1" "--group generators --output-file requirements-generators.lock"
# The same for npm: `npm install --save-exact NAME` first writes what is wanted; addresses of funds and archives go.
[ ! -e package-lock.json ] || python3 - <<'PYTHON'
import json
import pathlib

path = pathlib.Path("package-lock.json")
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    for unused in ("resolved", "funding", "license"):
        package.pop(unused, None)
path.write_text(json.dumps(lock, indent=2) + "\n")
PYTHON
