#!/usr/bin/env bash
# Nothing travels in clear: scripts/check-clear.sh
#
# In a network of its own: hub, Postgres, Redis and a website, each with TLS, and a probe that was enrolled. All that passes is captured
# while an owner signs up and in, makes a key, and adds a website with secrets, which is checked, ingested and looked at. Then
# the capture is searched for passwords, cookie, key, addresses and ids, as they are and in the forms they take on the way; none
# may be there, and no connection may begin with anything but TLS. What is sent in clear on purpose has to be found, or the search
# would prove nothing. Half a minute where nothing else runs. As root: Postgres gets a user of its own, and the network is captured.
#
# Needs Debian's tcpdump, postgresql, redis-server, openssl, iproute2 and python3, and the two programs: in $BIN, or as cargo left them.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "$0: only root can capture" >&2; exit 2; }
PYTHONDONTWRITEBYTECODE=1 exec timeout --kill-after=10 120 unshare --net --mount --propagation private python3 scripts/check_clear.py
