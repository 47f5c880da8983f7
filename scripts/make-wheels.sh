#!/bin/sh
# Fetch the wheels of the runtime lock, each held against its hashes, and build our own: make-wheels.sh PYTHON FOLDER.
# They are for the Python and the machine that they are fetched with. The build tools of the lock are among
# them; `pip install --no-index --find-links FOLDER resonate` leaves them out, because nothing at run time asks for them.
set -eu
python=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"
"$python" -m pip --disable-pip-version-check --no-input download --quiet --no-deps --only-binary :all: --require-hashes \
    --dest "$folder" -r requirements.lock
"$python" -m hatchling build -t wheel -d "$folder" >/dev/null
echo "$folder has $(ls "$folder" | wc -l) wheels, $(du -sh "$folder" | cut -f1)"
