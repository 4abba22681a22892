#!/usr/bin/env bash
# The secrets of docker-compose.yml: scripts/make-secrets.sh [directory] [name of Redis for probes elsewhere ...]
#
# Makes the directory (secrets, if none is given), mode 0700: passwords of 256 random bits, the users of Redis, a certificate
# authority and the certificate of Redis, valid for "redis", "localhost" and the names given. Nothing is ever overwritten: with
# a directory that exists it says so and ends with 1. A new certificate from the same authority, when the old one ends:
#
#   scripts/make-secrets.sh --renew-certificate [directory] [name ...]
#
# Without Compose: POSTGRES_AT=localhost REDIS_AT=redis.example.com:6380 before it says where the two are; what only containers of
# Compose need is left out then.
#
# Files in the directory can be read by all, since containers read them as users of their own; nobody gets into the directory.
# ca.key is no container's: whoever renews the certificate needs it.
set -euo pipefail
umask 022

renew=
if [ "${1:-}" = --renew-certificate ]; then renew=1; shift; fi
case "${1:-}" in -*) echo "$0: \"$1\" is no option; see the first lines of this file" >&2; exit 2 ;; esac
# Compose has a probe and a Grafana of its own.
compose=1
[ -z "${REDIS_AT:-}" ] || compose=
redis_at=${REDIS_AT:-redis:6380} postgres_at=${POSTGRES_AT:-postgres}
directory=${1:-secrets}
[ $# -eq 0 ] || shift
command -v openssl >/dev/null || { echo "$0: openssl is needed" >&2; exit 1; }

random() { openssl rand -hex 32; }
sha256() { printf %s "$1" | openssl dgst -sha256 -r | cut -d' ' -f1; }
put() { printf '%s\n' "$2" >"$directory/$1"; }

certificate() {
  local names='DNS:redis,DNS:localhost,IP:127.0.0.1' name work
  for name in "$@"; do
    if [[ $name =~ ^[0-9.]+$ || $name == *:* ]]; then names+=",IP:$name"; else names+=",DNS:$name"; fi
  done
  work=$(mktemp -d)
  printf 'subjectAltName=%s\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' "$names" >"$work/names"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/key" -out "$work/request" -subj /CN=redis 2>/dev/null
  openssl x509 -req -in "$work/request" -CA "$directory/redis-ca.pem" -CAkey "$directory/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -days 825 -extfile "$work/names" -out "$work/certificate" 2>/dev/null
  install -m 0644 "$work/key" "$directory/redis.key"
  install -m 0644 "$work/certificate" "$directory/redis.pem"
  rm -rf "$work"
}

if [ -n "$renew" ]; then
  [ -f "$directory/ca.key" ] || { echo "$0: $directory has no ca.key; without it only new secrets help" >&2; exit 1; }
  certificate "$@"
  echo "Made: $directory/redis.pem and redis.key. With Compose: docker compose restart redis"
  echo "Without: install these two, and no other file, where Redis has them, and restart it."
  exit 0
fi

if [ -e "$directory" ]; then
  echo "$0: $directory exists; nothing was changed. Move it away if you want other secrets: what it opens stays locked then." >&2
  exit 1
fi
mkdir -m 0700 "$directory"

postgres=$(random) hub=$(random) probe=$(random) admin=$(random)
put postgres-password "$postgres"
put database-url "postgres://betteruptime:$postgres@$postgres_at/betteruptime"
put redis-hub-url "rediss://bu-hub:$hub@$redis_at"
[ -z "$compose" ] || put redis-probe-url "rediss://bu-probe-LOCAL-compose:$probe@$redis_at"
put redis-admin-url "rediss://bu-admin:$admin@$redis_at"
put jwt-secret-key "$(openssl rand -base64 48 | tr -d '\n')"
put metrics-token "$(random)"
[ -z "$compose" ] || put grafana-password "$(random)"

# As in docs/OPERATIONS.md. The default user is off, and has the commands that Redis reads back from its log in its name; the hub reaches its own keys, a probe those of its region and worker,
# the administrator only makes users, and who asks whether Redis is there can do nothing else.
cat >"$directory/users.acl" <<ACL
user default off resetpass resetkeys resetchannels -@all ~betteruptime:* +@stream +multi +exec +unlink
user bu-hub on #$(sha256 "$hub") resetkeys resetchannels -@all ~betteruptime:* +ping +hello +client|setname +client|id +scan +time +multi +exec +discard +xadd +xreadgroup +xack +xdel +xautoclaim +xpending +xrange +xtrim +xlen +info +xgroup|create +xgroup|createconsumer +xgroup|delconsumer +xgroup|setid +xgroup|destroy +xinfo|stream +xinfo|groups +xinfo|consumers +unlink
user bu-probe-LOCAL-compose on #$(sha256 "$probe") resetkeys resetchannels -@all +ping +client|setname %RW~betteruptime:website:LOCAL +xreadgroup +xack +xautoclaim (-@all +xadd %W~betteruptime:tick:LOCAL:compose)
user bu-admin on #$(sha256 "$admin") resetkeys resetchannels -@all +ping +hello +client|setname +client|kill +acl
user bu-health on nopass resetkeys resetchannels -@all +ping
ACL

[ -n "$compose" ] || sed -i '/^user bu-probe-LOCAL-compose /d' "$directory/users.acl"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$directory/ca.key" -out "$directory/redis-ca.pem" \
  -days 7300 -subj "/CN=BetterUptime Redis" -addext 'basicConstraints=critical,CA:true,pathlen:0' -addext keyUsage=critical,keyCertSign 2>/dev/null
chmod 0600 "$directory/ca.key"
certificate "$@"
echo "Made: $directory ($(find "$directory" -type f | wc -l) files). Keep a copy where the backups are."
