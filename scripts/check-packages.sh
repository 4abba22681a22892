#!/usr/bin/env bash
# The packages on a real Debian under a real systemd: scripts/check-packages.sh HUB.deb PROBE.deb [root]
#
# Makes a small Debian 12 (debootstrap, some minutes, from the usual mirror) in a directory, or takes one that was made so, boots its
# systemd in namespaces of its own, and there: installs the packages, starts hub and two probes with the sandbox of their
# units, has a website checked, kills, updates, removes, purges. Then it follows docs/OPERATIONS.md, whose commands marked
# tested=install are run as they stand, until a probe of a region reports. What is outside is not touched; at the end all of it is
# gone, but for a root that was given. As root, on a machine with cgroups.
#
# Needs Debian's debootstrap, iproute2 and redis-server.
set -euo pipefail
hub_deb=$(realpath "${1:?HUB.deb}") probe_deb=$(realpath "${2:?PROBE.deb}") root=${3:-}
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "$0: only root can boot a system" >&2; exit 2; }
redis=$(command -v redis-server) || { echo "$0: redis-server is not here" >&2; exit 2; }
work=$(mktemp -d)
booted='' redis_pid=''
end() {
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
  # A namespace of processes ends with its first.
  if [ -n "$booted" ]; then
    kill -KILL "$booted" 2>/dev/null || true
    for _ in $(seq 50); do if [ ! -d "/proc/$booted" ]; then break; fi; sleep 0.1; done
  fi
  rm -rf --one-file-system "$work"
}
trap end EXIT
trap 'exit 143' INT TERM

if [ -z "$root" ]; then root=$work/root; fi
if [ ! -x "$root/lib/systemd/systemd" ]; then
  echo "Making a Debian in $root."
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps,curl bookworm "$root" >"$work/debootstrap.log" 2>&1 \
    || { tail "$work/debootstrap.log" >&2; exit 1; }
fi
if [ ! -x "$root/usr/bin/redis-server" ]; then
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  # shellcheck disable=SC2016 # for the shell inside
  unshare --mount --propagation private sh -ec 'mount -t proc proc "$1/proc"; mount --bind /dev "$1/dev"
    DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -y --no-install-recommends postgresql redis-server sudo openssl' - "$root" \
    >"$work/apt.log" 2>&1 || { tail "$work/apt.log" >&2; exit 1; }
  rm "$root/usr/sbin/policy-rc.d"
fi
mkdir -p "$root/packages"
cp "$hub_deb" "$root/packages/hub.deb"
cp "$probe_deb" "$root/packages/probe.deb"
# Blocks of commands, each in a file of its own; and the addition to the unit by which the hub has port 443.
rm -rf "$root/packages/steps"
mkdir "$root/packages/steps"
awk '/^```ini / { inside = 1; next } /^```/ { inside = 0 } inside' docs/OPERATIONS.md >"$root/packages/tls.conf"
awk -v at="$root/packages/steps/" '/^```sh tested=install$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > sprintf("%s%02d", at, n) }' docs/OPERATIONS.md

cat >"$work/boot" <<'BOOT'
set -e
R=$1
mount --bind "$R" "$R"
mount -t proc proc "$R/proc"
mount -t sysfs -o ro sysfs "$R/sys"
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
else
  mount -t tmpfs tmpfs "$R/sys/fs/cgroup"
  mkdir -p "$R/sys/fs/cgroup/systemd" "$R/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$R/sys/fs/cgroup/systemd"
  mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup/unified"
fi
mount -t tmpfs -o mode=755 tmpfs "$R/run"
mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
mount -t tmpfs -o mode=755 tmpfs "$R/dev"
node() { mknod -m 666 "$R/dev/$1" c "$2" "$3"; }
node null 1 3; node zero 1 5; node full 1 7; node random 1 8; node urandom 1 9; node tty 5 0
mkdir "$R/dev/pts" "$R/dev/shm" "$R/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$R/dev/shm"
ln -s /proc/self/fd "$R/dev/fd"
ip link set lo up
cd "$R"
mkdir -p old
pivot_root . old
umount -l /old
# Credentials are mounted by a process of systemd's and have to be seen by all.
mount --make-rshared /
exec env -i container=check PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal --unit=basic.target
BOOT

cat >"$root/packages/inside" <<'INSIDE'
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
fail() { echo "FAILED: $*" >&2; journalctl --no-pager -n 40 -u 'betteruptime*' >&2 || true; exit 1; }
ok() { echo "  ok  $*"; }
until_ok() { local what=$1 n; shift; for n in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done; fail "$what"; }
state() { systemctl is-active "$1" || true; }

# Before that /tmp is emptied, too. What is left of an earlier check goes.
until_ok "the system to be there" systemctl is-active basic.target
dpkg --purge betteruptime-hub betteruptime-probe >/dev/null 2>&1 || true
rm -rf /var/lib/private/betteruptime* /var/lib/betteruptime* /etc/betteruptime

dpkg -i /packages/hub.deb /packages/probe.deb >/tmp/install 2>&1 || { cat /tmp/install; fail "dpkg -i"; }
grep -q "has no settings yet" /tmp/install || fail "nobody is told what to do next"
[ "$(state betteruptime-hub)" = inactive ] && [ "$(state betteruptime-probe)" = inactive ] || fail "something runs without settings"
ok "installed, and nothing runs without settings"
systemctl enable --now betteruptime-probe 2>/dev/null
[ "$(state betteruptime-probe)" = inactive ] || fail "a probe without settings is started"
ok "a probe that is enabled without settings waits for them"

# As docs/OPERATIONS.md has it.
install -m 0640 /usr/share/doc/betteruptime-hub/examples/hub.env /etc/betteruptime/hub.env
systemctl enable --now betteruptime-hub 2>/dev/null
until_ok "the hub to be ready" curl -fs http://127.0.0.1:3001/readyz
ok "the hub is ready, $(systemctl show -P ActiveState betteruptime-hub)"

pid=$(systemctl show -P MainPID betteruptime-hub)
grep -q '^CapEff:.0000000000000000' "/proc/$pid/status" && grep -q '^NoNewPrivs:.1' "/proc/$pid/status" && grep -q '^Seccomp:.2' "/proc/$pid/status" \
  || fail "the hub has rights"
[ "$(stat -c %u "/proc/$pid")" != 0 ] || fail "the hub is root"
[ "$(awk '/Max core file size/ {print $5}' "/proc/$pid/limits")" = 0 ] || fail "the hub may dump its memory"
[ "$(stat -c %a /var/lib/private/betteruptime)" = 700 ] || fail "others read the data"
# Files as that process sees them, even for root.
sees=/proc/$pid/root
for place in /etc /usr /opt /var/log /home /root /boot; do
  if touch "$sees$place/check" 2>/dev/null; then fail "the hub may write in $place"; fi
done
{ touch "$sees/var/lib/private/betteruptime/check" && rm "$sees/var/lib/private/betteruptime/check"; } || fail "the hub may not write its data"
for program in /bin/sh /usr/bin/curl /usr/bin/dpkg; do
  if "$sees$program" --version >/dev/null 2>&1; then fail "the hub may start $program"; fi
done
"$sees/usr/bin/betteruptime-hub" --version >/dev/null || fail "the hub may not start itself"
ok "its sandbox: no root, no rights, no core dump, nothing to write but its own data, nothing to start"

api() { curl -fsS -H "content-type: application/json" ${token:+-H "token: $token"} "$@"; }
api -d '{"username":"check","password":"correct horse battery"}' http://127.0.0.1:3001/signup >/dev/null
token=$(api -d '{"username":"check","password":"correct horse battery"}' http://127.0.0.1:3001/signin | sed 's/.*"token":"\([^"]*\)".*/\1/')
api -d '{"url":"http://127.0.0.1:3001/healthz","interval_s":10}' http://127.0.0.1:3001/api/v1/websites >/dev/null
has_up() { api "http://127.0.0.1:3001/api/v1/websites?state=up" | grep -q healthz; }
until_ok "a website to be checked" has_up
ok "a website is checked from inside the sandbox"

before=$pid
kill -KILL "$pid"
until_ok "the hub to be back" curl -fs http://127.0.0.1:3001/readyz
pid=$(systemctl show -P MainPID betteruptime-hub)
[ "$before" != "$pid" ] || fail "the hub was not killed"
until_ok "the website to be known still" has_up
ok "killed, it is back with its data"

echo 'NO_SUCH_SETTING=1' >>/etc/betteruptime/hub.env
systemctl restart betteruptime-hub || true
# A bound, for it must not come up: it has ended for good once systemd says so.
ended() { [ "$(state betteruptime-hub)" = failed ]; }
until_ok "wrong settings to end it for good" ended
journalctl -u betteruptime-hub -n 20 --no-pager | grep -q NO_SUCH_SETTING || fail "nobody says which setting is wrong"
sed -i '$d' /etc/betteruptime/hub.env
systemctl reset-failed betteruptime-hub
systemctl start betteruptime-hub
until_ok "the hub to be ready again" curl -fs http://127.0.0.1:3001/readyz
ok "a setting that there is not is named, and is not tried over and over"

# Two probes of one machine, by the plain unit and by the template.
settings() { printf 'REDIS_URL=redis://127.0.0.1:6379\nCONSUMER_GROUP_REGION_ID=INDIA\nWORKER_ID=%s\nCANARIES=off\n' "$1"; }
settings one >/etc/betteruptime/probe.env
settings two >/etc/betteruptime/probe-two.env
chmod 0640 /etc/betteruptime/*.env
systemctl restart betteruptime-probe
systemctl enable --now betteruptime-probe@two 2>/dev/null
for unit in betteruptime-probe betteruptime-probe@two; do
  waits() { journalctl -u "$unit" --no-pager | grep -q "Waiting for the hub to open region INDIA"; }
  until_ok "$unit to reach Redis" waits
  pid=$(systemctl show -P MainPID "$unit")
  grep -q '^CapEff:.0000000000000000' "/proc/$pid/status" && [ "$(stat -c %u "/proc/$pid")" != 0 ] || fail "$unit has rights"
  if tr '\0' '\n' <"/proc/$pid/environ" | grep -q REDIS_URL; then fail "the environment of $unit has a secret"; fi
  if touch "/proc/$pid/root/etc/check" 2>/dev/null; then fail "$unit may write in /etc"; fi
  if "/proc/$pid/root/bin/true"; then fail "$unit may start other programs"; fi 2>/dev/null
done
[ -d /var/lib/private/betteruptime-probe ] && [ -d /var/lib/private/betteruptime-probe-two ] || fail "there is no room for what cannot be sent"
ok "two probes on one machine, each with settings and room of its own, without secrets in the environment"

began=$(date +%s%N)
systemctl stop betteruptime-probe@two betteruptime-hub
ms=$((($(date +%s%N) - began) / 1000000))
[ "$ms" -lt 25000 ] || fail "stopping took $ms ms"
[ "$(systemctl show -P Result betteruptime-hub)" = success ] || fail "the hub did not end by itself"
ok "stopped in $ms ms"
systemctl start betteruptime-hub betteruptime-probe@two
until_ok "the hub to be ready once more" curl -fs http://127.0.0.1:3001/readyz

hub=$(systemctl show -P MainPID betteruptime-hub) two=$(systemctl show -P MainPID betteruptime-probe@two)
dpkg -i /packages/hub.deb /packages/probe.deb >/tmp/install 2>&1 || { cat /tmp/install; fail "an update"; }
until_ok "the hub to be ready after an update" curl -fs http://127.0.0.1:3001/readyz
[ "$hub" != "$(systemctl show -P MainPID betteruptime-hub)" ] && [ "$two" != "$(systemctl show -P MainPID betteruptime-probe@two)" ] \
  || fail "an update does not restart what runs"
until_ok "the website to be known after an update" has_up
ok "an update restarts what runs; data and settings stay"

dpkg --remove betteruptime-hub betteruptime-probe >/dev/null 2>&1
[ "$(state betteruptime-hub)" != active ] && [ "$(state betteruptime-probe@two)" != active ] || fail "what was removed runs"
[ -e /etc/betteruptime/hub.env ] && [ -e /etc/betteruptime/probe-two.env ] || fail "removing takes settings away"
dpkg --purge betteruptime-hub betteruptime-probe >/tmp/purge 2>&1
[ ! -e /etc/betteruptime ] || fail "purging leaves settings: $(ls /etc/betteruptime)"
[ ! -e /var/lib/private/betteruptime-probe-two ] || fail "purging leaves what a probe kept"
[ -e /var/lib/private/betteruptime/betteruptime.sqlite ] && grep -q "are kept in /var/lib/private/betteruptime" /tmp/purge || fail "purging takes the data away, or does not say where they are"
leftover=$(find /etc/systemd/system -name 'betteruptime*')
[ -z "$leftover" ] || fail "purging leaves $leftover"
ok "removed: settings stay; purged: only the hub's data stay, and it is said where"

# --- docs/OPERATIONS.md, as it stands --------------------------------------------------------------------------------
rm -rf /var/lib/private/betteruptime
grep -q redis.example.com /etc/hosts || echo "127.0.0.1 redis.example.com status.example.com $(uname -n)" >>/etc/hosts
mkdir -p /root/steps
cd /root/steps
rm -rf -- *
cp /packages/hub.deb betteruptime-hub_0.1.0_amd64.deb
cp /packages/probe.deb betteruptime-probe_0.1.0_amd64.deb
redis-cli -p 6379 shutdown nosave
# As after a first installation of theirs.
systemctl start postgresql redis-server
until_ok "Postgres to be there" sudo -u postgres psql -c 'select 1'
sudo -u postgres psql -q -c 'drop database if exists betteruptime' -c 'drop database if exists betteruptime_restored' -c 'drop role if exists betteruptime' -c 'drop role if exists betteruptime_web' 2>/dev/null
count=0
for step in /packages/steps/*; do
  # What people copy from machine to machine.
  if grep -q 'ca.pem$' "$step"; then cp /etc/betteruptime/secrets/redis-ca.pem .; fi
  began=$(date +%s%N)
  if ! bash -e "$step" >"/tmp/said" 2>&1; then
    cat "$step" /tmp/said >&2
    fail "a step of docs/OPERATIONS.md"
  fi
  count=$((count + 1))
  printf '  ok  step %s of docs/OPERATIONS.md (%s ms): %s\n' "$count" "$((($(date +%s%N) - began) / 1000000))" "$(grep -v '^#' "$step" | head -1 | cut -c1-90)"
  if grep -q doctor "$step"; then grep -E "fail|warn|FAIL|WARN" /tmp/said | sed 's/^/        /' || true; fi
  if grep -q 'systemctl.*betteruptime-hub' "$step"; then until_ok "the hub to be ready after this step" curl -fs http://127.0.0.1:3001/readyz; fi
done
listed() { STATE_DIRECTORY=/var/lib/betteruptime betteruptime-hub --config /etc/betteruptime/hub.env probe list --json | tr -d '\n ' | grep -q '"seen_at":"20[^}]*"worker":"pi-1"'; }
until_ok "the probe that was enrolled to report" listed
certificates=/etc/letsencrypt/live/status.example.com
mkdir -p "$certificates" /etc/systemd/system/betteruptime-hub.service.d
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=status.example.com -addext subjectAltName=DNS:status.example.com \
  -keyout "$certificates/privkey.pem" -out "$certificates/fullchain.pem" 2>/dev/null
chmod 0600 "$certificates/privkey.pem"
cp /packages/tls.conf /etc/systemd/system/betteruptime-hub.service.d/override.conf
systemctl daemon-reload
systemctl restart betteruptime-hub
until_ok "the hub to speak TLS on port 443" curl -fsS --cacert "$certificates/fullchain.pem" https://status.example.com/readyz
ok "the hub speaks TLS itself, on port 443, with certificates that are root's"
rm -r /etc/systemd/system/betteruptime-hub.service.d
ok "$count steps of docs/OPERATIONS.md: hub on Postgres and Redis with TLS, and a probe that was enrolled reports"
INSIDE

unshare --mount --pid --fork --kill-child --net --ipc --uts --cgroup --propagation private bash "$work/boot" "$root" </dev/null >"$work/boot.log" 2>&1 &
outer=$!
is_systemd() { [ -n "$booted" ] && [ "$(cat "/proc/$booted/comm" 2>/dev/null)" = systemd ]; }
for _ in $(seq 100); do
  [ -d "/proc/$outer" ] || { cat "$work/boot.log" >&2; exit 1; }
  read -r booted _ <"/proc/$outer/task/$outer/children" || true
  if is_systemd; then break; fi
  sleep 0.1
done
is_systemd || { echo "systemd did not start" >&2; cat "$work/boot.log" >&2; exit 1; }
began=$SECONDS
# Redis is this machine's, in the network of that one.
nsenter -t "$booted" -n "$redis" --port 6379 --bind 127.0.0.1 --save '' --dir "$work" --maxmemory-policy noeviction >"$work/redis.log" &
redis_pid=$!
timeout 240 nsenter -t "$booted" -m -p -n -i -u -C -r -w bash /packages/inside
echo "packages: all of it holds ($((SECONDS - began)) s)"
