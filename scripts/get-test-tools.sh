#!/bin/sh
# What the tests use and pip does not bring: Chromium with its driver, curl for the README's calls, the OpenMP library of
# implicit. What cannot be had is said, and its tests skip with that reason; nothing fails.
PATH="$PATH:/usr/sbin:/sbin"
have() { command -v "$1" >/dev/null; }
missing=""
have chromium && have chromedriver || missing="$missing chromium chromium-driver"
have curl || missing="$missing curl"
ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || missing="$missing libgomp1"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && have apt-get; then
    echo "installing by apt for the tests:$missing"
    # shellcheck disable=SC2086 - a list of names
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null; } 2>&1 | tail -n 3
    have chromedriver && have curl || echo "!! apt could not install all of them: the tests that need them will be SKIPPED"
else
    echo "!! missing, and no root with apt to install it:$missing: the tests that need it will be SKIPPED"
fi
exit 0
