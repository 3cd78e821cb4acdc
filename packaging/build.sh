#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures and builds, showing one line of progress on a terminal and errors anywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
mkdir -p out
log="out/build-$preset.log"
begin=$SECONDS
if ! cmake --preset "$preset" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  exit 1
fi
show() {
  if [ -t 1 ]; then
    while IFS= read -r line; do
      case "$line" in "["*) printf '\r\033[KBuilding (%s) %s' "$preset" "${line%%]*}]" ;; esac
    done
    printf '\r\033[K'
  else
    cat >/dev/null
  fi
}
if ! cmake --build --preset "$preset" ${1:+--target "$@"} 2>&1 | tee -a "$log" | show; then
  grep -E 'error|FAILED' "$log" | head -n 20 >&2
  echo "The build failed; the whole of it is in $log" >&2
  exit 1
fi
printf 'Built (%s) in %d s\n' "$preset" $((SECONDS - begin))
