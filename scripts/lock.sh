#!/bin/sh
# Write requirements*.lock: names, versions and hashes for every platform, no index addresses. lock.sh UV
set -eu
compile() { "$1" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 pyproject.toml $2; }
compile "$1" "--extra dev --output-file requirements-dev.lock"
compile "$1" "--constraint requirements-dev.lock --output-file requirements.lock"
