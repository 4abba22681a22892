#!/usr/bin/env bash
# What is put out for a version, from programs that are built already:
#
#   scripts/release.sh DIRECTORY BINARY ...
#
# Of each program an archive betteruptime-<program>-<version>-<target>.tar.gz (one folder of that name: program, unit, settings to
# begin with, manual page, completions, licence, changelog) and a Debian package where there is one of its kind; for each archive what it is made
# of (CycloneDX), and SHA256SUMS of all. The same commit and the same programs give the same bytes; time is that of the commit.
#
#   cargo build --release --locked -p hub && scripts/build-probes.sh
#   scripts/release.sh dist target/release/betteruptime-hub .cross/target/*/dist/betteruptime-probe
#
# Needs readelf (binutils), dpkg-deb, cargo, python3 3.11 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2; }
out=$1
shift
[ ! -e "$out" ] || { echo "$0: $out exists; give a directory that does not" >&2; exit 1; }
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
umask 022
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As the compiler names them.
target_of() {
  local header libc=musl
  header=$(LC_ALL=C readelf -h -A "$1")
  if LC_ALL=C readelf -dW "$1" | grep -q NEEDED; then libc=gnu; fi
  case $header in
    *X86-64*) echo "x86_64-unknown-linux-$libc" ;;
    *AArch64*) echo "aarch64-unknown-linux-$libc" ;;
    *VFP\ registers* | *hard-float*) echo "armv7-unknown-linux-${libc}eabihf" ;;
    *) echo "$0: $1 is for a machine we do not know" >&2; return 1 ;;
  esac
}

for binary in "$@"; do
  name=$(basename "$binary")
  case $name in betteruptime-hub | betteruptime-probe) ;; *) echo "$0: $binary is none of ours" >&2; exit 2 ;; esac
  kind=${name#betteruptime-}
  target=$(target_of "$binary")
  folder=$name-$version-$target
  at=$work/$folder
  mkdir "$at"
  install -m 0755 "$binary" "$at/$name"
  install -m 0644 systemd/"$name"*.service "systemd/$kind.env" "docs/man/$name.1" LICENSE CHANGELOG.md .env.example "$at/"
  mv "$at/.env.example" "$at/all-settings.env"
  for one in "bash/$name" "zsh/_$name" "fish/$name.fish"; do install -D -m 0644 "ops/completions/$one" "$at/completions/$one"; done
  [ "$kind" = probe ] || install -m 0755 scripts/make-secrets.sh "$at/"
  scripts/sbom.py "$kind" "$target" >"$out/$folder.cdx.json"
  tar --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=ustar -cf - "$folder" | gzip -9n >"$out/$folder.tar.gz"
  scripts/build-deb.sh "$kind" "$binary" "$out" >/dev/null
done
(cd "$out" && LC_ALL=C sha256sum -- *.deb *.json *.tar.gz >"$work/sums" && mv "$work/sums" SHA256SUMS)
(cd "$out" && sha256sum --quiet --check SHA256SUMS && ls -l)
