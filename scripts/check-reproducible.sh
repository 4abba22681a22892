#!/usr/bin/env bash
# Two builds of one commit give the same bytes: scripts/check-reproducible.sh [x86_64] [aarch64] [armv7]   (default: all)
#
# The probes are built here (what was built already is brought up to date), and once more in a clone: another folder, another home of
# cargo, another HOME, TMPDIR, umask, time zone and language. scripts/release.sh then makes archives, packages, sums and what they are made
# of, of each. All have to be the same, to the bit. What is not committed is refused: it would not be in the clone.
#
# KEEP=directory has the second build stay there, and be taken up where it was. Needs what scripts/build-probes.sh and scripts/release.sh
# need, and 4 GB of disk more; as long as a build takes.
set -euo pipefail
cd "$(dirname "$0")/.."
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(x86_64 aarch64 armv7)
changed=$(git status --porcelain --untracked-files=no)
[ -z "$changed" ] || { printf '%s: commit this first:\n%s\n' "$0" "$changed" >&2; exit 2; }
work=${KEEP:-$(mktemp -d)}
mkdir -p "$work/tmp"
work=$(cd "$work" && pwd)
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
here=$PWD there=$work/somewhere-else-with-a-longer-name/betteruptime

scripts/build-probes.sh "${names[@]}" | tee "$work/built"
mapfile -t programs < <(sed -n 's|.*, static: .*/\(\.cross/target/.*\)|\1|p' "$work/built")

umask 077
if [ ! -d "$there" ]; then
  git clone --quiet . "$there"
  mkdir -p "$there/.cross" "$work/cargo"
  # The compiler is the same, and not what is looked at: linked where that can be, else copied.
  cp -al .cross/rust "$there/.cross/rust" 2>/dev/null || cp -a .cross/rust "$there/.cross/rust"
  if [ -d "${CARGO_HOME:-$HOME/.cargo}/registry" ]; then cp -a "${CARGO_HOME:-$HOME/.cargo}/registry" "$work/cargo/"; fi
fi
git -C "$there" fetch --quiet "$here" HEAD
git -C "$there" checkout --quiet --detach FETCH_HEAD
elsewhere=(env "CARGO_HOME=$work/cargo" "RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}" "HOME=$work" "TMPDIR=$work/tmp" TZ=Asia/Kathmandu LC_ALL=C.UTF-8)
"${elsewhere[@]}" "$there/scripts/build-probes.sh" "${names[@]}"

differ=0
for program in "${programs[@]}"; do
  if cmp -s "$program" "$there/$program"; then
    printf 'the same    %s  %s\n' "$(sha256sum "$program" | cut -c1-64)" "$program"
  else
    printf 'DIFFERENT   %s\n' "$program"
    cmp -l "$program" "$there/$program" 2>&1 | wc -l | sed 's/^/            bytes: /'
    differ=1
  fi
done
[ "$differ" = 0 ] || exit 1

rm -rf "$work/here" "$work/there"
(umask 022; scripts/release.sh "$work/here" "${programs[@]}" >/dev/null)
"${elsewhere[@]}" "$there/scripts/release.sh" "$work/there" "${programs[@]}" >/dev/null
diff -r "$work/here" "$work/there" || { echo "archives or packages differ" >&2; exit 1; }
sed 's/^/the same    /' "$work/here/SHA256SUMS"
