#!/usr/bin/env bash
# Breaks a whole installation on this machine, again and again, and counts what came of every check: two hubs, two
# regions with two workers each, a Redis with its append-only file, a Postgres, and websites that note who came when.
#
#   bench/chaos.sh [--minutes N, default 30] [--only TEXT] [--json]
#       every fault: kills (also at named points of the code), stops, cuts, half-open connections, Redis and Postgres
#       restarted, emptied, read-only, full, clocks that jump. As root also full disks.
#   bench/chaos.sh --hubs-in-turn [--minutes N, default 10] [--websites N, default 200]
#       two hubs, killed in turn every 20 s.
#
# Prints a table and what is against the invariants; ends with 1 when there is any. Needs redis-server and Postgres. The
# logs of a run with problems stay in /tmp/betteruptime-chaos-logs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked -p hub -p probe -p chaos --bins # debug: only there are the fail points
bin="${CARGO_TARGET_DIR:-target}/debug/chaos"
if [ "${1:-}" = --hubs-in-turn ]; then shift; exec "$bin" hubs-in-turn "$@"; fi
case " $* " in *" --minutes "*) ;; *) set -- "$@" --minutes 30 ;; esac
# Small disks are mounted where nobody else sees them, and go with the run.
if [ "$(id -u)" = 0 ]; then exec unshare --mount "$bin" all --mounts "$@"; fi
exec "$bin" all "$@"
