#!/bin/sh
# Chromium and its driver for the browser tests. Where it cannot be had, the tests skip with this reason, loudly; nothing fails.
command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Chromium by apt for the browser tests"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium chromium-driver >/dev/null; } 2>&1 | tail -n 3
    command -v chromedriver >/dev/null || echo "!! apt could not install Chromium: the browser tests will be SKIPPED"
else
    echo "!! no Chromium, and no root with apt to install it: the browser tests will be SKIPPED"
fi
exit 0
