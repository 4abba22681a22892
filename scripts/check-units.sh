#!/usr/bin/env bash
# The units of systemd: how much of the host they leave open, and whether systemd understands them: scripts/check-units.sh
#
# No systemd has to run. Fails where the exposure is above the goal (0 is nothing, 10 is all). Needs Debian's systemd, 250 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

declare -A goal=([betteruptime-hub]=2.5 [betteruptime-probe]=1.5 [betteruptime-probe@]=1.5)
code=0
for unit in "${!goal[@]}"; do
  file=systemd/$unit.service
  # An instance is judged, not the template; what it runs is not installed here, and something has to be there for `verify`.
  copy=$work/${unit/@/@pi1}.service
  sed 's|^\(ExecStart=\)/usr/local/bin/[^ ]*|\1/bin/true|' "$file" >"$copy"
  if ! said=$(systemd-analyze verify --man=no --recursive-errors=no "$copy" 2>&1) || [ -n "$said" ]; then
    printf '%s: %s\n' "$file" "$said" >&2
    code=1
  fi
  exposure=$(systemd-analyze security --offline=true --no-pager "$copy" 2>&1 | sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p')
  [ -n "$exposure" ] || { echo "$file: systemd-analyze says no exposure" >&2; exit 1; }
  printf '%-36s exposure %s, goal %s\n' "$file" "$exposure" "${goal[$unit]}"
  awk "BEGIN { exit !($exposure > ${goal[$unit]}) }" && { echo "$file: more than the goal" >&2; code=1; }
done

# The template is the plain unit with names of its own.
plain() { sed -e '/^#/d' -e 's/-%i//; s/-%i//; s/ %i//' "$1"; }
diff <(plain systemd/betteruptime-probe.service) <(plain systemd/betteruptime-probe@.service) || { echo "the template differs" >&2; code=1; }
exit "$code"
