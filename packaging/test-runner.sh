#!/usr/bin/env bash
# The body of ./test. Every group prints what it ran and how long it took; the last line is the count of all.
set -uo pipefail
cd "$(dirname "$0")/.."

long=""
only=""
while [ $# -gt 0 ]; do
  case "$1" in
    --long) long=1 ;;
    --only) only="$2"; shift ;;
    --help | -h) sed -n '2,3p' test | sed 's/^# //'; echo "Groups: house unit tsan fuzz interop system removed bench"; exit 0 ;;
    *) echo "unknown option $1; try --help" >&2; exit 2 ;;
  esac
  shift
done

packaging/install-packages.sh || exit 1
mkdir -p out/test
passed=0 failed=0 skipped=0
failures=()
started=$SECONDS
export CAHN_LONG="$long" ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer

wants() { [ -z "$only" ] || [ "$only" = "$1" ]; }

headline() { printf '\n== %s\n' "$1"; }

# count NAME PASSED FAILED SKIPPED SECONDS
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  printf '   %-28s %4d passed, %d failed, %d skipped  (%d s)\n' "$1" "$2" "$3" "$4" "$5"
  [ "$3" -eq 0 ] || failures+=("$1")
}

# build PRESET TARGET…
build() {
  local preset=$1 begin=$SECONDS log="out/test/build-$1.log"
  shift
  if cmake --preset "$preset" >"$log" 2>&1 && cmake --build --preset "$preset" ${1:+--target "$@"} >>"$log" 2>&1; then
    printf '   built %-8s (%d s)\n' "$preset" $((SECONDS - begin))
  else
    grep -E 'error|FAILED|Error' "$log" | head -n 20
    echo "   the build of $preset failed; the whole of it is in $log"
    failed=$((failed + 1)) failures+=("build $preset")
    return 1
  fi
}

# gtest PRESET PROGRAM…: runs each GoogleTest program and counts its tests.
gtests() {
  local preset=$1 program log begin ok bad skip
  shift
  for program in "$@"; do
    [ -x "$program" ] || continue
    begin=$SECONDS log="out/test/$preset-$(basename "$program").log"
    TSAN_OPTIONS=halt_on_error=1:suppressions=$PWD/tests/tsan.supp:external_symbolizer_path=/usr/bin/llvm-symbolizer \
      UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
      ASAN_OPTIONS=detect_stack_use_after_return=1 LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
      timeout 600 "$program" >"$log" 2>&1
    local status=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] .* ([0-9]* ms)$' "$log")
    skip=$(grep -c '^\[  SKIPPED \] .* ([0-9]* ms)$' "$log")
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$bad" -ne 0 ]; then tail -n 25 "$log"; fi
    count "$(basename "$program")" "$ok" "$bad" "$skip" $((SECONDS - begin))
  done
}

# pythons FOLDER: runs every test_*.py of a folder, each in a process of its own.
pythons() {
  local file log begin ok bad skip ran status
  for file in "$1"/test_*.py; do
    [ -e "$file" ] || continue
    begin=$SECONDS log="out/test/$(basename "$1")-$(basename "$file" .py)${2:+-$2}.log"
    timeout "${PATIENCE:-1200}" /usr/bin/python3 -m unittest -v "$file" >"$log" 2>&1
    status=$?
    ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/^FAILED (.*/&/p' "$log" | grep -oE '(failures|errors)=[0-9]+' | cut -d= -f2 | paste -sd+ | bc 2>/dev/null)
    skip=$(grep -cE '\.\.\. skipped ' "$log")
    bad=${bad:-0} ran=${ran:-0}
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    ok=$((ran - bad - skip)); [ $ok -lt 0 ] && ok=0
    if [ "$bad" -ne 0 ]; then grep -E -A 25 '^(FAIL|ERROR):' "$log" | head -n 60; [ "$ran" -eq 0 ] && tail -n 15 "$log"; fi
    [ "$skip" -eq 0 ] || grep -E '\.\.\. skipped ' "$log" | sed 's/^/      /'
    count "$(basename "$file" .py)${2:+ ($2)}" "$ok" "$bad" "$skip" $((SECONDS - begin))
  done
}

if wants house; then headline "The house"; pythons tests/house; fi

if wants system || wants bench; then
  headline "Release build"
  build release || true
fi

if wants unit || wants fuzz || wants interop; then
  headline "Build with AddressSanitizer, UBSan and fuzz targets"
  build asan || true
fi
if wants unit; then headline "Unit tests, with the sanitizers"; gtests asan build/asan/bin/unit_*; fi

if wants tsan; then
  headline "ThreadSanitizer: what is concurrent"
  if cmake --preset tsan >out/test/configure-tsan.log 2>&1; then
    mapfile -t concurrent <build/tsan/concurrent-tests.txt
    build tsan "${concurrent[@]}" && gtests tsan "${concurrent[@]/#/build/tsan/bin/}"
  else
    tail -n 20 out/test/configure-tsan.log; failed=$((failed + 1)) failures+=("configure tsan")
  fi
fi

if wants fuzz; then
  seconds=10; [ -n "$long" ] && seconds=60
  headline "Fuzzing, $seconds s a target"
  /usr/bin/env bash packaging/fuzz-all.sh build/asan/bin "$seconds" out/test/fuzz
  fuzz_status=$?
  count "fuzz targets" "$(cat out/test/fuzz/passed)" "$(cat out/test/fuzz/failed)" 0 "$(cat out/test/fuzz/seconds)"
  [ $fuzz_status -eq 0 ] || true
fi

if wants interop; then
  headline "Interop, with the sanitizers"
  CAHN_BIN="$PWD/build/asan/bin" pythons tests/interop asan
fi

if wants system; then
  headline "System tests in network namespaces"
  if [ "$(id -u)" -ne 0 ]; then
    count "system (needs root)" 0 0 "$(grep -hc 'def test_' tests/system/test_*.py | paste -sd+ | bc)" 0
  else
    CAHN_BIN="$PWD/build/release/bin" pythons tests/system
  fi
fi

# The build of the copy comes on top, so that only the long run has it.
if [ "$only" = removed ] || { [ -n "$long" ] && [ -z "$only" ]; }; then
  headline "Checks taken out one by one: does a test notice?"
  PATIENCE=3600 pythons tests/removed
fi

if wants bench; then
  headline "Benchmarks$([ -n "$long" ] || echo ' (short)')"
  begin=$SECONDS
  if CAHN_BIN="$PWD/build/release/bin" bench/run-all ${long:+--long} >out/test/bench.log 2>&1; then bad=0; else bad=1; fi
  cat out/test/bench.log
  count bench $((1 - bad)) $bad 0 $((SECONDS - begin))
fi

printf '\n%d min %d s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
[ ${#failures[@]} -eq 0 ] || printf 'failed: %s\n' "${failures[*]}"
[ $((passed + failed)) -gt 0 ] || { echo "no test ran"; exit 1; }
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && { [ -z "${CI:-}" ] || [ $skipped -eq 0 ] || { echo "in CI nothing may be skipped"; exit 1; }; }
