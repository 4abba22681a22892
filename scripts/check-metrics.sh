#!/usr/bin/env bash
# Alert rules and boards: scripts/check-metrics.sh
#
# promtool checks and tests the rules; then a real Prometheus scrapes a live hub (on a Postgres and a Redis of its own, with a
# probe), and every query of rules and boards has to return series. Fails when a query names what the hub does not tell of.
# Everything runs on free ports of loopback and ends with this; less than a minute where nothing else runs.
#
# Needs Debian's prometheus, postgresql, redis-server, openssl and python3, and the two programs: in $BIN, or as cargo left them.
set -euo pipefail
cd "$(dirname "$0")/.."

promtool check rules ops/prometheus/betteruptime.rules.yml
promtool check config --syntax-only ops/prometheus/prometheus.yml
promtool test rules ops/prometheus/betteruptime.rules.test.yml
python3 ops/grafana/boards.py --check
PYTHONDONTWRITEBYTECODE=1 exec timeout --kill-after=10 180 python3 scripts/check_metrics.py
