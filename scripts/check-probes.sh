#!/usr/bin/env bash
# The static probes, each run for real: scripts/check-probes.sh [x86_64] [aarch64] [armv7] [--json]   (default: those built)
#
# Takes what scripts/build-probes.sh left in .cross/ (or CROSS, another directory of that kind). Each is looked at (static, stripped, of its
# machine), then run, those of ARM by qemu as the oldest processor they are for: a check of a website over TLS, which has to be
# up with the authority that signed it and down without; then a worker on a Redis of its own with TLS and the worker's line of
# docs/OPERATIONS.md, which gets checks as a hub sends them and has to hand in their ticks, ask for nothing it may not, and end at
# SIGTERM. Everything runs on free ports of loopback and ends with this; under a minute where nothing else runs.
#
# Needs Debian's binutils, qemu-user-static, redis-server, openssl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHONDONTWRITEBYTECODE=1 exec timeout --kill-after=10 280 python3 scripts/check_probes.py "$@"
