#!/usr/bin/env bash
# Breaks a whole installation on this machine, again and again, and counts what came of every check: two hubs, two
# regions with two workers each, a Redis with its append-only file, a Postgres, and websites that note who came when.
#
#   bench/chaos.sh [--runs N, default 2] [--only TEXT] [--minutes N] [--json]
#       every fault so often (those of half a minute and more once), the whole list before any again: kills (also at named points of the
#       code), stops, panics, cuts, half-open connections, Redis and Postgres restarted, emptied, read-only, full, clocks
#       that jump. As root also full disks and, by nft, packets that vanish. All of them twice take about half an hour on two quiet cores.
#       --only: those whose row in the table has this text. --minutes: begin no fault after that.
#   bench/chaos.sh --hubs-in-turn [--minutes N, default 10] [--websites N, default 200]
#       two hubs, killed in turn every 20 s.
#
# Prints a table and what is against the invariants; ends with 1 when there is any. Progress, and each result as it comes,
# goes to the standard error. Needs redis-server and Postgres. The logs of a run with problems stay in
# /tmp/betteruptime-chaos-logs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked -p hub -p probe -p chaos --bins # debug: only there are the fail points
bin="${CARGO_TARGET_DIR:-target}/debug/chaos"
if [ "${1:-}" = --hubs-in-turn ]; then shift; exec "$bin" hubs-in-turn "$@"; fi
case " $* " in *" --runs "*) ;; *) set -- "$@" --runs 2 ;; esac
# Small disks are mounted, and packets dropped, where nobody else sees it; both go with the run.
if [ "$(id -u)" = 0 ]; then exec unshare --mount --net "$bin" all --namespaces "$@"; fi
exec "$bin" all "$@"
