#!/usr/bin/env bash
# Every migration there is on a database of the first schema with very many ticks, while ticks are written to it as by hubs of
# that schema: how long the migrations took, the longest time an insert waited, and whether a tick is missing (T289). Two minutes
# and the build before it.
#
#   [PROGRAM=target/debug/betteruptime-hub] bench/upgrade.sh [millions of ticks, default 3] [inserts a second, default 20]
#
# Needs Rust and Postgres with pgbench, and 300 MB of disk for each million.
set -euo pipefail
cd "$(dirname "$0")/.."
millions=${1:-3} rate=${2:-20}
pg=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' | sort -V | tail -n 1)
if [ -z "${PROGRAM:-}" ]; then
  cargo build --release --locked -p hub
  PROGRAM=target/release/betteruptime-hub
fi
program=$(realpath "$PROGRAM")
work=$(mktemp -d "${TMPDIR:-/tmp}/betteruptime-upgrade.XXXXXX"); chmod 711 "$work"
writer=
as_pg() { if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }
stop() {
  [ -z "$writer" ] || kill "$writer" 2>/dev/null || true
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
export PGHOST=127.0.0.1 PGPORT=$P PGUSER=test PGDATABASE=postgres
q() { "$pg/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }

# The first schema, as sqlx writes it down: number, words and SHA-384 of the text.
first=migrations/postgres/0001_foundation.sql
sum=$(sha384sum "$first" | cut -d' ' -f1)
q -1 -f "$first"
q -c "create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamptz not null
        default now(), success boolean not null, checksum bytea not null, execution_time bigint not null)" \
  -c "insert into _sqlx_migrations values (1, 'foundation', now(), true, '\\x$sum', 0)"

# A thousand websites in three days of partitions, beside those of today that come in.
echo "filling $millions million ticks"
began=$(date +%s)
today=$(($(date +%s) / 86400 * 86400000))
for back in 3 2 1 0; do
  from=$((today - back * 86400000)); name=tick_$(date -u -d "@$((from / 1000))" +%Y%m%d)
  q -c "create table $name partition of tick for values from ($from) to ($((from + 86400000)))"
  [ "$back" != 0 ] || continue
  q -c "insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, dns_us,
          connect_us, tls_us, wait_us, total_us, status, remote, body_bytes, truncated)
        select lpad(to_hex(n % 1000), 32, '0')::uuid, $from + (n / 1000) * 20, 'INDIA', 0, 'pi-1', $from + (n / 1000) * 20 + 900,
          'scheduled', $from + (n / 1000) * 20 + 20, 'up', 900, 11000, 23000, 52000, 87000, 200, '192.0.2.7:443', 1256, false
        from generate_series(0, $((millions * 1000000 / 3 - 1))) n"
done
q -c "insert into dead_letter select gen_random_uuid(), 'betteruptime:tick:INDIA:pi-1', 'not understood', 'x', n from generate_series(1, 100000) n" \
  -c analyze
ticks=$(q -c "select count(*) from tick")
echo "$ticks ticks, $(q -c "select pg_size_pretty(sum(pg_total_relation_size(relid))) from pg_partition_tree('tick') where isleaf"), in $(($(date +%s) - began)) s"

# Two hubs of the first schema, 500 ticks each time, with the timeouts that hubs have.
cat >"$work/insert.sql" <<SQL
insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, total_us, body_bytes, truncated)
select gen_random_uuid(), $today + n, 'INDIA', 0, 'pi-1', $today + n, 'scheduled', $today + n, 'up', 87000, 1256, false from generate_series(1, 500) n;
SQL
(cd "$work" && exec env PGOPTIONS='-c statement_timeout=5s' "$pg/pgbench" -n -M prepared -c 2 -j 1 -R "$rate" -T 3600 -l \
  --log-prefix="$work/insert" -f "$work/insert.sql" >"$work/pgbench" 2>&1) & writer=$!
sleep 5

export DATABASE_URL="postgres://test@127.0.0.1:$P/postgres" JWT_SECRET_KEY=kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6
(cd "$work" && "$program" migrate --dry-run) | grep -E "Mind|Room|lock: .*tick" || true
from=$(date +%s%N)
(cd "$work" && "$program" migrate) 2>&1 | cut -c1-110
to=$(date +%s%N)
echo "migrated in $(((to - from) / 1000000)) ms"
sleep 5
kill -INT "$writer"; wait "$writer" || true; writer=

# Of the log: microseconds an insert took by itself and, the sixth, how late it began after the one before it.
cat "$work"/insert.* | grep -E '^[0-9]+ [0-9]+ [0-9]+ ' | awk -v from="$((from / 1000000000))" -v to="$((to / 1000000000 + 1))" '
  { all++; took = ($3) / 1000; during = $5 >= from && $5 <= to + 1
    if (during) { n++; if (took > most) most = took } else { m++; if (took > rest) rest = took } }
  END { printf "inserts: %d, of which %d while it was migrated; the longest took %.0f ms then, %.0f ms otherwise\n", all, n, most, rest
        print all * 500 >"'"$work"'/written" }'
grep -E "ERROR|aborted|failed" "$work/pgbench" || true
found=$(q -c "select count(*) from tick") written=$(cat "$work/written")
echo "ticks: $ticks + $written acknowledged, found $found"
[ "$found" -ge $((ticks + written)) ] || { echo "ticks are missing"; exit 1; }
