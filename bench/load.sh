#!/usr/bin/env bash
# Two regions with two workers each watch 200 websites every 10 s on a real Redis and Postgres; the hub is restarted
# once in the middle. Prints expected, stored, doubled and missing ticks, the share of each worker, and RSS.
#
#   bench/load.sh [seconds, default 300] [websites, default 200]
#
# Needs the release binaries (cargo build --release --workspace), redis-server, Postgres, psql, curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-300} websites=${2:-200}
bin=${BIN:-$PWD/target/release}
pg=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' | sort -V | tail -n 1)
work=$(mktemp -d "${TMPDIR:-/tmp}/betteruptime-load.XXXXXX"); chmod 711 "$work"
pids=()
as_pg() { if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait "${pids[@]}" 2>/dev/null || true
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
  -o "-p $P -k '' -c listen_addresses=127.0.0.1" || { cat "$work/pg/log"; exit 1; }
R=$(port); redis-server --port "$R" --bind 127.0.0.1 --save '' --appendonly no >/dev/null & pids+=($!)
T=$(port); cat >"$work/target.py" <<'PY'
import socketserver, sys
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline(4096).strip(): pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True; daemon_threads = True; request_queue_size = 1024
Server(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
PY
python3 "$work/target.py" "$T" 2>/dev/null & pids+=($!)

export DATABASE_URL="postgres://test@127.0.0.1:$P/postgres" REDIS_URL="redis://127.0.0.1:$R" CONCURRENCY=50
export HOST_CHECKS_PER_S=1000 # all websites are on one host here
JWT_SECRET_KEY=$(head -c 32 /dev/urandom | base64); export JWT_SECRET_KEY
H=$(port)
hub() { STATE_DIRECTORY="$work/data" LISTEN="127.0.0.1:$H" "$bin/betteruptime-hub" >>"$work/hub.log" 2>&1 & hub_pid=$!; pids+=("$hub_pid"); }
hub
until curl -sf "http://127.0.0.1:$H/readyz" >/dev/null; do sleep 0.2; done
probe_pids=()
for region in INDIA USA; do for worker in a b; do
  CONSUMER_GROUP_REGION_ID=$region WORKER_ID=$worker ALLOW_PRIVATE=127.0.0.0/8 CANARIES=off "$bin/betteruptime-probe" >"$work/$region-$worker.log" 2>&1 &
  pids+=($!); probe_pids+=($!)
done; done
until [ "$(grep -c 'A region reports' "$work/hub.log")" -ge 2 ]; do sleep 0.2; done

base="http://127.0.0.1:$H"; account='{"username":"load","password":"correct horse"}'
curl -sf -X POST "$base/signup" -H 'content-type: application/json' -d "$account" >/dev/null
token=$(curl -sf -X POST "$base/signin" -H 'content-type: application/json' -d "$account" | sed 's/.*"token":"//; s/".*//')
for n in $(seq "$websites"); do
  curl -sf -o /dev/null "$base/websites/new" -H "cookie: betteruptime_session=$token" -H "origin: $base" \
    --data-urlencode "url=http://127.0.0.1:$T/$n" -d interval_s=10 -d timeout_s=5
done
sql() { psql -h 127.0.0.1 -p "$P" -U test -d postgres -Atc "$1"; }
rss() { awk '/VmRSS/ {printf "%.1f MB", $2/1024}' "/proc/$1/status"; }

sleep 13 # by now every website has had a slot in each region: one that starts late in the window was missed
from=$(sql 'select (extract(epoch from now())*1000)::bigint')
sleep $((seconds / 2))
echo "hub RSS before its restart: $(rss "$hub_pid")"
kill -TERM "$hub_pid"; wait "$hub_pid" || true; hub
sleep $((seconds - seconds / 2))
to=$(sql 'select (extract(epoch from now())*1000)::bigint')
sleep 6 # what was due at the end is on its way
echo "hub RSS at the end: $(rss "$hub_pid")"
for pid in "${probe_pids[@]}"; do echo "probe RSS: $(rss "$pid")"; done
# A slot is expected every 10 s from the first slot of each website and region in the window to its end.
sql "with t as (select * from tick where kind = 'scheduled' and slot_at >= $from and slot_at < $to),
     p as (select website_id, region_id, count(*) n, count(distinct slot_at) d, min(slot_at) as start from t group by 1, 2)
     select 'places ' || count(*) || '; expected ' || sum(($to - 1 - start) / 10000 + 1) || '; stored ' || sum(n) ||
            '; doubled ' || sum(n - d) || '; missing ' || sum(($to - 1 - start) / 10000 + 1 - d) ||
            '; starts missed ' || count(*) filter (where start >= $from + 10000) from p"
sql "select region_id || ' ' || worker_id || ': ' || count(*) || ' ticks (' || round(100.0 * count(*) / sum(count(*)) over (partition by region_id), 1) || ' % of its region)'
     from tick where kind = 'scheduled' and slot_at >= $from and slot_at < $to group by region_id, worker_id order by 1"
sql "select 'lateness start - slot: p50 ' || percentile_cont(0.5) within group (order by started_at - slot_at) || ' ms, p99 ' ||
     percentile_cont(0.99) within group (order by started_at - slot_at) || ' ms, max ' || max(started_at - slot_at) || ' ms'
     from tick where kind = 'scheduled' and slot_at >= $from and slot_at < $to"
