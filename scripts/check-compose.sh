#!/usr/bin/env bash
# docker-compose.yml, Dockerfile and scripts/make-secrets.sh: scripts/check-compose.sh
#
# Where Docker Compose is here it reads the file. Without an engine no image is built and no container started; instead every
# service is started by the same command with the same environment and secrets, in a network namespace of its own (as root, or
# where users may make one). Two minutes at most, mostly less than one.
#
# Needs Debian's postgresql, redis-server, openssl, curl, iproute2 and python3-yaml, and the two programs: in $BIN, or as cargo left
# them. With prometheus, caddy and docker-compose (or `docker compose`) more is looked at, and it is said what was not.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/make-secrets.sh "$work/secrets" redis.example.com 192.0.2.7
before=$(cat "$work"/secrets/* | sha256sum)
if scripts/make-secrets.sh "$work/secrets" 2>/dev/null; then echo "secrets were made over others" >&2; exit 1; fi
[ "$before" = "$(cat "$work"/secrets/* | sha256sum)" ] || { echo "secrets were changed" >&2; exit 1; }
[ "$(stat -c %a "$work/secrets")" = 700 ] || { echo "others get into the directory of secrets" >&2; exit 1; }
openssl verify -CAfile "$work/secrets/redis-ca.pem" -purpose sslserver -verify_hostname redis "$work/secrets/redis.pem" >/dev/null
openssl verify -CAfile "$work/secrets/redis-ca.pem" -verify_hostname redis.example.com "$work/secrets/redis.pem" >/dev/null
scripts/make-secrets.sh --renew-certificate "$work/secrets" redis.example.com >/dev/null
openssl verify -CAfile "$work/secrets/redis-ca.pem" -verify_hostname redis.example.com "$work/secrets/redis.pem" >/dev/null
echo "secrets: made once, never overwritten; the certificate can be renewed"

cp docker-compose.yml "$work/"
compose=()
if docker compose version >/dev/null 2>&1; then compose=(docker compose); elif command -v docker-compose >/dev/null; then compose=(docker-compose); fi
if [ ${#compose[@]} -gt 0 ]; then
  (cd "$work" && "${compose[@]}" --profile metrics --profile tls --profile admin config --quiet)
  echo "${compose[*]} config: the file is understood"
else
  echo "No Docker Compose here: it did NOT read the file."
fi

own=(); [ "$(id -u)" = 0 ] || own=(--map-root-user)
python=python3
python3 -c 'import yaml' 2>/dev/null || python=/usr/bin/python3
PYTHONDONTWRITEBYTECODE=1 timeout --kill-after=10 170 unshare --net --mount --propagation private "${own[@]}" \
  "$python" scripts/check_compose.py "$work/secrets"
