#!/usr/bin/env bash
# The scheduler with 10,000, 100,000 and 1,000,000 websites against a queue that leads nowhere and against Redis, on a
# Postgres of its own: lateness, slots missing, processor, memory, rows written, time to start, cost of an edit. What the
# columns are: hub/benches/schedule/main.rs. Eight minutes, and the build before it.
#
#   [BENCH_SECONDS=30] bench/schedule.sh [websites ...]
#
# Needs Rust, redis-server and Postgres, and two cores that nobody else uses.
set -euo pipefail
cd "$(dirname "$0")/.."
pg=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' | sort -V | tail -n 1)
work=$(mktemp -d "${TMPDIR:-/tmp}/betteruptime-schedule.XXXXXX"); chmod 711 "$work"
redis=
as_pg() { if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }
stop() {
  [ -z "$redis" ] || kill "$redis" 2>/dev/null || true
  [ ! -e "$work/pg/data/postmaster.pid" ] || as_pg "$pg/pg_ctl" -D "$work/pg/data" -m immediate -t 30 stop >/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

mkdir "$work/pg"; [ "$(id -u)" != 0 ] || chown postgres "$work/pg"
as_pg "$pg/initdb" -D "$work/pg/data" -U test --auth=trust --no-sync >/dev/null
P=$(port); as_pg "$pg/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w -t 30 start >/dev/null \
  -o "-p $P -k '' -c listen_addresses=127.0.0.1 -c max_wal_size=4GB" || { cat "$work/pg/log"; exit 1; }
R=$(port); redis-server --port "$R" --bind 127.0.0.1 --save '' --appendonly no >/dev/null & redis=$!
DATABASE_URL="postgres://test@127.0.0.1:$P/postgres" REDIS_URL="redis://127.0.0.1:$R" \
  cargo bench --locked -p hub --bench schedule -- "$@"
