#!/usr/bin/env bash
# The whole loop on one machine: hub, one worker in each of two regions, Redis, Postgres, and websites that answer at
# once. More and more checks a second, until they begin a second late (99 of 100): prints for each rate what was stored,
# how late checks began, and the cores that each part took, so that one sees what saturates first.
#
#   bench/loop.sh [--seconds N per rate, default 20] [--rates 200,500,...]
#
# Needs redis-server and Postgres. Builds in release.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet --locked --release -p hub -p probe -p chaos --bins
exec "${CARGO_TARGET_DIR:-target}/release/chaos" loop "$@"
