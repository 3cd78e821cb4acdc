#!/usr/bin/env bash
# fuzz-all.sh BIN SECONDS OUT: runs every fuzz target two at a time over its kept corpus, in a copy, and reports.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=$1 seconds=$2 out=$3
rm -rf "$out"; mkdir -p "$out"
begin=$SECONDS
export seconds out
one() {
  local target=$1 name=${1##*fuzz_} corpus status
  corpus=$(find tests/fuzz -type d -path "*/corpus/$name" | head -n 1)
  mkdir -p "$out/$name"
  [ -n "$corpus" ] && cp -r "$corpus/." "$out/$name/"
  (cd "$out" && "$OLDPWD/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
     -artifact_prefix="$name-" "$name") >"$out/$name.log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$name.log")
  if [ $status -eq 0 ]; then echo ok >"$out/$name.ok"; printf '   %-24s %12s runs, nothing found\n' "$name" "${runs:-?}"
  else printf '   %-24s FOUND something: %s\n' "$name" "$(grep -m1 -E 'ERROR|SUMMARY' "$out/$name.log")"; fi
}
export -f one
find "$bin" -maxdepth 1 -name 'fuzz_*' -type f -executable | sort | xargs -r -P 2 -I{} bash -c 'one {}'
total=$(find "$bin" -maxdepth 1 -name 'fuzz_*' -type f -executable | wc -l)
ok=$(find "$out" -maxdepth 1 -name '*.ok' | wc -l)
echo "$ok" >"$out/passed"; echo $((total - ok)) >"$out/failed"; echo $((SECONDS - begin)) >"$out/seconds"
[ "$total" -gt 0 ] && [ "$ok" -eq "$total" ]
