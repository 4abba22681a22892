#!/usr/bin/env bash
# A Debian package of a program that is built already: scripts/build-deb.sh hub|probe BINARY [directory]
#
# For Debian 12 or newer and Raspberry Pi OS, of the architecture of BINARY (amd64, arm64, armhf). Nothing is started when it is
# installed: there are no settings yet. An update restarts what runs. Purging removes settings, and what a probe keeps; the data
# of the hub stay, and it is said where. The same BINARY gives the same package, to the bit. Needs dpkg-deb and readelf (binutils).
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-} binary=${2:-} out=${3:-dist}
case $kind in hub | probe) ;; *) echo "usage: $0 hub|probe BINARY [directory]" >&2; exit 2 ;; esac
[ -f "$binary" ] || { echo "$0: there is no $binary" >&2; exit 2; }
name=betteruptime-$kind
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

header=$(LC_ALL=C readelf -h -A "$binary")
case $header in
  *X86-64*) arch=amd64 ;;
  *AArch64*) arch=arm64 ;;
  *ARM*VFP_args*VFP\ registers* | *hard-float*) arch=armhf ;;
  *) echo "$0: $binary is for none of amd64, arm64, armhf" >&2; exit 2 ;;
esac

# What a program that is not static needs: the C library, as new as the newest symbol it asks for.
depends=
if LC_ALL=C readelf -dW "$binary" | grep -q NEEDED; then
  glibc=$(LC_ALL=C readelf -VW "$binary" | grep -o 'GLIBC_2\.[0-9]*' | sort -Vu | tail -1)
  depends="libc6 (>= ${glibc#GLIBC_})"
  LC_ALL=C readelf -dW "$binary" | grep -q 'libgcc_s' && depends+=", libgcc-s1"
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 0755 "$root"
umask 022
doc=$root/usr/share/doc/$name
install -d "$root/DEBIAN" "$root/usr/bin" "$root/usr/lib/systemd/system" "$doc/examples" "$root/usr/share/man/man1"
install -d "$root/etc/betteruptime"
install -m 0755 "$binary" "$root/usr/bin/$name"
for unit in "systemd/$name.service" "systemd/$name@.service"; do
  [ ! -f "$unit" ] || sed 's|/usr/local/bin/|/usr/bin/|' "$unit" >"$root/usr/lib/systemd/system/${unit##*/}"
done
install -m 0644 "systemd/$kind.env" "$doc/examples/"
install -m 0644 .env.example "$doc/examples/all-settings.env"
for text in docs/OPERATIONS.md CHANGELOG.md; do gzip -9nc "$text" >"$doc/${text##*/}.gz"; done
[ "$kind" = probe ] || install -m 0755 scripts/make-secrets.sh "$doc/examples/"
cat >"$doc/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: BetterUptime
Source: https://github.com/betteruptime/betteruptime

Files: *
Copyright: $(sed -n 's/^Copyright (c) //p' LICENSE)
License: Expat
$(sed -e '1,/^Permission/{/^Permission/!d}' -e 's/^$/./' -e 's/^/ /' LICENSE)
COPYRIGHT
gzip -9n >"$doc/changelog.gz" <<CHANGES
$name ($version) stable; urgency=medium

  * CHANGELOG.md.gz, beside this file, says what has changed.

 -- BetterUptime <packages@betteruptime.invalid>  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGES
install -D -m 0644 "ops/completions/bash/$name" "$root/usr/share/bash-completion/completions/$name"
install -D -m 0644 "ops/completions/zsh/_$name" "$root/usr/share/zsh/vendor-completions/_$name"
install -D -m 0644 "ops/completions/fish/$name.fish" "$root/usr/share/fish/vendor_completions.d/$name.fish"
gzip -9nc "docs/man/$name.1" >"$root/usr/share/man/man1/$name.1.gz"
# A static program is what is wanted here.
if [ -z "$depends" ]; then
  install -d "$root/usr/share/lintian/overrides"
  printf '%s: statically-linked-binary [usr/bin/%s]\n' "$name" "$name" >"$root/usr/share/lintian/overrides/$name"
fi

for script in postinst prerm postrm; do
  source=ops/debian/$script
  [ -f "$source" ] || source+=.$kind
  sed "s/@NAME@/$name/g" "$source" >"$root/DEBIAN/$script"
  chmod 0755 "$root/DEBIAN/$script"
done

if [ "$kind" = hub ]; then
  about='website monitoring: schedule, verdicts, alerts, pages and API
 Checks websites from several regions and says what is down, since when and
 why. With nothing beside it, it keeps everything in a file and checks from
 this machine; with PostgreSQL and Redis, probes check from anywhere.'
  extra='Recommends: ca-certificates
Suggests: postgresql (>= 14), redis-server (>= 5:7.0), betteruptime-probe'
else
  about='website monitoring: a probe that checks websites from its region
 Takes checks from a Redis, measures name, connection, encryption, waiting and
 transfer of each, and hands the results in. Small enough for any board.'
  extra='Recommends: ca-certificates'
fi
size=$(du -k -s --apparent-size --exclude=DEBIAN "$root" | cut -f1)
{
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: BetterUptime <packages@betteruptime.invalid>\n' "$name" "$version" "$arch"
  printf 'Installed-Size: %s\nSection: net\nPriority: optional\nHomepage: https://github.com/betteruptime/betteruptime\n' "$size"
  [ -z "$depends" ] || printf 'Depends: %s\n' "$depends"
  printf '%s\nDescription: %s\n' "$extra" "$about"
} >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/${name}_${version}_$arch.deb" >/dev/null
echo "$out/${name}_${version}_$arch.deb"
