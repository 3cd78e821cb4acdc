#!/usr/bin/env bash
# Installs what packaging/debian-packages.txt names and this machine lacks. Does nothing, quickly, when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
# A line is a package, and after it, where another source may already have brought the same, the command that tells so.
while read -r package command _; do
  [ -n "$command" ] && command -v "$command" >/dev/null && continue
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done < <(grep -vE '^\s*(#|$)' packaging/debian-packages.txt)
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "This needs root. Run as root once, or: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  exit 1
fi
