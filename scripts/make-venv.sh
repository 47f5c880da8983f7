#!/bin/sh
# Make a virtual environment: make-venv.sh PYTHON FOLDER. Where ensurepip is missing (a bare Debian), root fetches python3-venv by apt.
set -eu
python=$1 folder=$2
complete() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || {
    echo "The locks are for Python 3.11 to 3.14, $python is $("$python" --version); another one: make PYTHON=python3.14" >&2
    exit 1
}
if ! complete && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "python3-venv is missing; installing it by apt"
    apt-get update -qq || echo "not every repository answered apt; going on with those that did" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null || :
fi
complete || { echo "$python has no ensurepip. Install it (Debian and Ubuntu: apt-get install python3-venv), then run make again." >&2; exit 1; }
"$python" -m venv "$folder"
