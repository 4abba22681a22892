#!/usr/bin/env bash
# What the front costs, and what it bears. A hub alone (SQLite, 100 websites), wrk beside it:
# - requests a second and p99 of /healthz, the list of 100 websites, a public status page (kept by the front), through front and
#   tiny_http; then the same bytes by tiny_http alone, and by hyper alone;
# - 2,000 clients who send nothing and 200 who send a byte a second, for half a minute: p99 of one who asks as people do,
#   memory and threads of the hub (P12);
# - 64 who listen to events, as many as an account may: memory and threads.
#
#   bench/front.sh [seconds of each, default 10] [connections, default 32]
#
# Needs the release build (cargo build --release -p hub --bins --example front_load), wrk, curl and python3. Everything is on
# this machine: wrk takes its share of the processor.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10} connections=${2:-32}
bin=${BIN:-${CARGO_TARGET_DIR:-$PWD/target}/release}
ulimit -n 16384 2>/dev/null || ulimit -n "$(ulimit -Hn)"
work=$(mktemp -d "${TMPDIR:-/tmp}/betteruptime-front.XXXXXX")
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait "${pids[@]}" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for tool in wrk curl python3 "$bin/betteruptime-hub" "$bin/examples/front_load"; do
  command -v "$tool" >/dev/null || { echo "$tool is missing"; exit 1; }
done
free() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
hub=$(free) tiny=$(free) hyper=$(free) closed=$(free)
base="http://127.0.0.1:$hub"

mkdir "$work/state" "$work/files"
(cd "$work" && exec env -i PATH="$PATH" LISTEN="127.0.0.1:$hub" STATE_DIRECTORY="$work/state" CANARIES=off RUST_LOG=warn \
  API_REQUESTS_PER_S=100000 \
  "$bin/betteruptime-hub" serve) >"$work/hub.log" 2>&1 &
pids+=($!); hub_pid=$!
for _ in $(seq 100); do curl -fsS -o /dev/null "$base/healthz" 2>/dev/null && break; sleep 0.1; done
json() { curl -fsS -H 'content-type: application/json' "$@"; }
account='{"username":"bench","password":"correct horse"}'
json -d "$account" "$base/signup" >/dev/null
token=$(json -d "$account" "$base/signin" | python3 -c 'import json,sys; print(json.load(sys.stdin)["token"])')
for n in $(seq 100); do
  id=$(json -H "token: $token" -d "{\"url\":\"http://127.0.0.1:$closed/$n\"}" "$base/website" | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')
done
components=$(json -H "token: $token" "$base/api/v1/websites?limit=12" | python3 -c 'import json,sys
print(json.dumps([{"website_id": w["id"], "name": "Part %d" % n} for n, w in enumerate(json.load(sys.stdin)["websites"])]))')
json -H "token: $token" -d "{\"name\":\"Status\",\"slug\":\"bench\",\"sections\":[{\"name\":\"All\",\"components\":$components}]}" \
  "$base/api/v1/status-pages" >/dev/null
paths=("/healthz" "/api/v1/websites?limit=100" "/s/bench") names=(healthz list status)
for n in 0 1 2; do curl -fsS -H "token: $token" "$base${paths[$n]}" >"$work/files/${names[$n]}"; done
"$bin/examples/front_load" serve "$work/files" "$tiny" "$hyper" & pids+=($!)
for _ in $(seq 100); do curl -fsS -o /dev/null "http://127.0.0.1:$hyper/healthz" 2>/dev/null && break; sleep 0.1; done

measure() { # words, address, connections, seconds
  wrk -t1 "-c$3" "-d${4}s" --latency -H "token: $token" "$2" >"$work/wrk" || true
  python3 - "$1" "$work/wrk" <<'PY'
import re, sys
text = open(sys.argv[2]).read()
rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
p50 = re.search(r"\s50%\s+(\S+)", text)
p99 = re.search(r"\s99%\s+(\S+)", text)
bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
errors = re.search(r"Socket errors: (.*)", text)
said = lambda found: found.group(1) if found else "-"
print(f"| {sys.argv[1]} | {said(rate)} | {said(p50)} | {said(p99)} | {said(bad) if bad else 0} | {said(errors)} |")
PY
}
resources() {
  awk '/^VmRSS|^Threads/ { printf "%s %s %s  ", $1, $2, $3 } END { print "" }' "/proc/$hub_pid/status"
}

echo "At rest: $(resources)"
echo
echo "| $connections connections, $seconds s each | requests/s | p50 | p99 | not 2xx | errors of sockets |"
echo "|---|---|---|---|---|---|"
for n in 0 1 2; do
  size=$(stat -c %s "$work/files/${names[$n]}")
  measure "${names[$n]} ($size bytes): front and application" "$base${paths[$n]}" "$connections" "$seconds"
  measure "${names[$n]}: tiny_http alone" "http://127.0.0.1:$tiny/${names[$n]}" "$connections" "$seconds"
  measure "${names[$n]}: hyper alone" "http://127.0.0.1:$hyper/${names[$n]}" "$connections" "$seconds"
done
echo
echo "After that: $(resources)"
echo
echo "| one who asks, alone and among 2,000 idle and 200 slow ones | requests/s | p50 | p99 | not 2xx | errors of sockets |"
echo "|---|---|---|---|---|---|"
measure "alone" "$base/healthz" 1 10
"$bin/examples/front_load" hold "127.0.0.1:$hub" 2000 200 35 >"$work/held" & pids+=($!); holds=$!
sleep 5
measure "among them" "$base/healthz" 1 20
echo
echo "Under that: $(resources)"
wait "$holds"; cat "$work/held"

python3 - "$hub" "$token" <<'PY' & pids+=($!)
import socket, sys, time
held = []
for n in range(64):  # as many as an account may
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: h\r\ntoken: {sys.argv[2]}\r\n\r\n".encode())
    held.append(s)
time.sleep(8)
PY
sleep 5
echo "With 64 who listen: $(resources)"
measure "one who asks, while 64 listen" "$base/healthz" 1 2
