#!/usr/bin/env bash
# The whole check of this repository, on a bare Debian machine with Rust: formatting, lints, docs, dependency rules,
# and every test against real services, which are started here on private ports and stopped again.
#
#   ./test.sh            everything
#   ./test.sh <filter>   only the tests whose name contains <filter>
#
# What it installs when missing: Debian's postgresql, redis-server, chromium, chromium-driver, fonts-dejavu-core, iproute2, nftables, python3-aiosmtpd (a
# mail server), prometheus, prometheus-alertmanager, nginx-light, curl, jq, openssl, systemd (for systemd-analyze), python3-yaml,
# python3-venv, tcpdump, zsh, fish and npm (apt-get, with sudo unless root), the crates cargo-nextest and cargo-deny, and below target/ schemathesis and
# openapi-spec-validator from PyPI and axe-core from the npm registry. The services of prometheus, its alertmanager and nginx are
# masked first: they would listen to everybody.
#
# Tests of forbidden and unreachable addresses make network namespaces: as root, or where users may make their own. Where
# neither is allowed this says so, and the tests that were not run are counted at the end.
set -euo pipefail
cd "$(dirname "$0")"
started=$SECONDS

say() { printf '\n== %s\n' "$*"; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# --- what is needed -------------------------------------------------------------------------------------------------
pg_bin() { find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1; }
missing=()
[ -n "$(pg_bin)" ] || missing+=(postgresql)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing+=(fonts-dejavu-core)
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v curl >/dev/null || missing+=(curl)
command -v npm >/dev/null || missing+=(npm)
command -v jq >/dev/null || missing+=(jq)
PATH="$PATH:/usr/sbin" command -v tcpdump >/dev/null || missing+=(tcpdump)
command -v zsh >/dev/null || missing+=(zsh)
command -v fish >/dev/null || missing+=(fish)
command -v openssl >/dev/null || missing+=(openssl)
command -v systemd-analyze >/dev/null || missing+=(systemd)
/usr/bin/python3 -c "import yaml" 2>/dev/null || python3 -c "import yaml" 2>/dev/null || missing+=(python3-yaml)
python3 -c "import venv, ensurepip" 2>/dev/null || missing+=(python3-venv)
/usr/bin/python3 -c "import aiosmtpd" 2>/dev/null || python3 -c "import aiosmtpd" 2>/dev/null || missing+=(python3-aiosmtpd)
if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
  missing+=(prometheus)
  root systemctl mask prometheus >/dev/null 2>&1 || true
fi
if ! command -v prometheus-alertmanager >/dev/null; then
  missing+=(prometheus-alertmanager)
  root systemctl mask prometheus-alertmanager >/dev/null 2>&1 || true # where there is no systemd, nothing starts it
fi
if ! PATH="$PATH:/usr/sbin" command -v nginx >/dev/null; then
  missing+=(nginx-light)
  root systemctl mask nginx >/dev/null 2>&1 || true
fi
command -v unshare >/dev/null && command -v prlimit >/dev/null || missing+=(util-linux)
command -v ip >/dev/null || missing+=(iproute2)
PATH="$PATH:/usr/sbin:/sbin" command -v nft >/dev/null || missing+=(nftables)
if [ ${#missing[@]} -gt 0 ]; then
  say "installing ${missing[*]}"
  root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
for tool in cargo-nextest cargo-deny; do
  command -v "$tool" >/dev/null || [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/$tool" ] || { say "installing $tool"; cargo install --quiet --locked "$tool"; }
done
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/usr/sbin:/sbin"

# The description of the API is judged by programs of others, from PyPI: without them its tests would say nothing.
venv="${CARGO_TARGET_DIR:-target}/openapi-venv"
case "$venv" in /*) ;; *) venv="$PWD/$venv" ;; esac
judges="schemathesis==4.32.5 openapi-spec-validator==0.9.0"
if [ "$(cat "$venv/judges" 2>/dev/null)" != "$judges" ]; then
  say "installing $judges"
  rm -rf "$venv"
  # shellcheck disable=SC2086
  { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check $judges; } \
    || { echo "They cannot be had from PyPI; the API cannot be checked without them."; exit 1; }
  echo "$judges" > "$venv/judges"
fi
export TEST_OPENAPI_VENV="$venv"

# Whether everybody can read the pages is judged by axe-core, from the npm registry: likewise.
axe_version=4.11.1
export TEST_AXE="${venv%/*}/axe/axe-$axe_version.min.js"
if [ ! -s "$TEST_AXE" ]; then
  say "fetching axe-core $axe_version"
  mkdir -p "${TEST_AXE%/*}"
  (cd "${TEST_AXE%/*}" && npm pack --silent "axe-core@$axe_version" >/dev/null && tar -xzOf "axe-core-$axe_version.tgz" package/axe.min.js >"half.$$" \
    && mv "half.$$" "$TEST_AXE" && rm "axe-core-$axe_version.tgz") \
    || { echo "It cannot be had from the npm registry; the pages cannot be checked without it."; exit 1; }
fi

# --- services on private ports, gone with this script ------------------------------------------------------------------
work=$(mktemp -d "${TMPDIR:-/tmp}/betteruptime-test.XXXXXX")
chmod 711 "$work"
# Postgres refuses to run as root. Started and stopped by pg_ctl, never as a job of this script: the job would be
# runuser, which outlives a signal meant for Postgres, and waiting for it would never end.
as_pg() { if [ "$(id -u)" = 0 ]; then (cd / && exec runuser -u postgres -- "$@"); else "$@"; fi; }
stop() {
  [ ! -e "$work/pg/data/postmaster.pid" ] || as_pg "$(pg_bin)/pg_ctl" -D "$work/pg/data" -m immediate -t 30 stop >/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "starting Postgres ($(pg_bin))"
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 20000)); }
mkdir "$work/pg"
[ "$(id -u)" != 0 ] || chown postgres "$work/pg"
as_pg "$(pg_bin)/initdb" -D "$work/pg/data" -U test --auth=trust --encoding=UTF8 --no-sync >"$work/initdb.log" || { cat "$work/initdb.log"; exit 1; }
pg_port=$(free_port)
as_pg "$(pg_bin)/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w -t 30 start >/dev/null \
  -o "-p $pg_port -k '' -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300" \
  || { echo "Postgres did not start:"; cat "$work/pg/log"; exit 1; }
export TEST_DATABASE_URL="postgres://test@127.0.0.1:$pg_port/postgres"
# Each test that needs Redis starts its own redis-server on a free port: it kills, flushes and restarts it.

# --- the checks ------------------------------------------------------------------------------------------------------
if [ $# -eq 0 ]; then
  say "format";       cargo fmt --all --check
  say "lints";        cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
  say "docs";         RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
  say "dependencies"; cargo deny --log-level error --locked check bans licenses sources
fi
cargo build --workspace --bins --locked --quiet
# Units, alert rules, boards and Compose, each beside hub and probe as they were just built.
if [ $# -eq 0 ]; then
  for what in units metrics compose; do say "$what"; "scripts/check-$what.sh"; done
  if [ "$(id -u)" = 0 ]; then say "clear"; scripts/check-clear.sh; else say "clear: NOT RUN, only root can capture"; fi
  say "completions"; scripts/completions.py --check
fi
say "tests"
user_namespace=(); [ "$(id -u)" = 0 ] || user_namespace=(--map-root-user)
if ! why=$(unshare --net --mount "${user_namespace[@]}" sh -c \
    'ip link set lo up && nft add table inet testbed && mount --make-rprivate /' 2>&1); then
  printf 'NO NETWORK NAMESPACES HERE (%s): the tests that need one are NOT RUN.\n' "$why"
  export TESTBED_ALLOW_NO_NAMESPACE=1
fi
export TESTBED_NOT_RUN="$work/not-run"
: > "$TESTBED_NOT_RUN"
code=0
cargo nextest run --workspace --locked --no-fail-fast "$@" || code=$?
echo "tests not run for lack of namespaces: $(wc -l < "$TESTBED_NOT_RUN")"
[ "$code" = 0 ] || exit "$code"
say "finished in $((SECONDS - started)) s"
