#!/bin/sh
# Make a virtual environment: make-venv.sh PYTHON FOLDER. Where ensurepip is missing (a bare Debian), root fetches python3-venv by apt.
set -eu
python=$1 folder=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Resonate needs Python 3.11 or newer; $python is $("$python" --version)" >&2; exit 1; }
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "python3-venv is missing; installing it by apt"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null
    else
        echo "$python has no ensurepip. Install it (Debian and Ubuntu: apt-get install python3-venv), then run make again." >&2
        exit 1
    fi
fi
"$python" -m venv "$folder"
