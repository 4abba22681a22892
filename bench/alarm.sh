#!/usr/bin/env bash
# How soon people are told: a hub, a worker in each of three regions, a real Redis and Postgres, and somebody who notes what
# comes. Websites checked every 10 s and every 60 s are killed and come back, ten each; one region is cut off from all but
# its queue, then from its name servers, then all are from theirs (nobody may be told of a website); 500 websites of one host go down together (few messages may come). About 15 minutes.
#
#   bench/alarm.sh
#
# As root, in a network namespace of its own. Needs redis-server, Postgres, nft and ip.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked -p hub -p probe -p chaos --bins
exec unshare --mount --net "${CARGO_TARGET_DIR:-target}/debug/chaos" alarm
