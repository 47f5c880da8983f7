#!/bin/sh
# What the tests use and pip does not bring: Chromium with its driver, Firefox, curl for the README's calls, a JDK, nginx,
# HAProxy and Caddy that speak HTTP to us, buildah and mmdebstrap for the image, systemd's judge of its unit, Prometheus
# that reads our metrics and checks our alerts, the OpenMP
# library of implicit, the clock of the pictures of the pages. What cannot be had is said, and its tests skip with that
# reason; nothing fails.
PATH="$PATH:/usr/sbin:/sbin"
have() { command -v "$1" >/dev/null; }
missing=""
have chromium && have chromedriver || missing="$missing chromium chromium-driver"
have firefox-esr || have firefox || missing="$missing firefox-esr"
have promtool && have prometheus || missing="$missing prometheus"
have javac || missing="$missing default-jdk-headless"
have systemd-analyze || missing="$missing systemd"
for program in curl nginx haproxy caddy buildah mmdebstrap; do
    have "$program" || missing="$missing $program"
done
ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || missing="$missing libgomp1"
ls /usr/lib/*/faketime/libfaketime.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && have apt-get; then
    echo "installing by apt for the tests:$missing"
    policy=/usr/sbin/policy-rc.d # proxies are for the tests alone: no service of theirs is started
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && trap 'rm -f "$policy"' EXIT; }
    # shellcheck disable=SC2086 - a list of names
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null; } 2>&1 | tail -n 3
    for program in chromedriver firefox-esr javac systemd-analyze curl nginx haproxy caddy buildah mmdebstrap promtool; do
        have "$program" || echo "!! apt could not install what has $program: the tests that need it will be SKIPPED"
    done
else
    echo "!! missing, and no root with apt to install it:$missing: the tests that need it will be SKIPPED"
fi
exit 0
