#!/usr/bin/env bash
# Runs the fuzz targets that build/fuzz has, one after the other, and says what came of it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

usage() {
  cat <<'EOT'
Usage: ./run fuzz [--seconds N] [TARGET...]
Builds the targets of tests/fuzz with libFuzzer and sanitizers and runs each for N seconds (default 60), starting from
its corpus and from what earlier runs found, which is kept in out/fuzz/TARGET. Prints a table: inputs tried, branches
covered, inputs kept, processor time. An input that violates anything is in out/fuzz too, its report in
out/fuzz/TARGET.log: put it into tests/fuzz/corpus/TARGET, where ./run test replays it.

Exit codes: 0 nothing found; 1 something found; 2 wrong usage.
EOT
}

seconds=60 targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --seconds) seconds=${2:-}; shift 2 || true ;;
    -*) EXIT_CODE=2 die "unknown option '$1'. See ./run fuzz --help" ;;
    *) targets+=("$1"); shift ;;
  esac
done
case $seconds in '' | *[!0-9]* | 0) EXIT_CODE=2 die "--seconds needs a positive number" ;; esac
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz/corpus && printf '%s\n' *)
for target in "${targets[@]}"; do
  [ -x "build/fuzz/bin/${target}_fuzz" ] || EXIT_CODE=2 die "no target '$target'; there are: $(cd tests/fuzz/corpus && echo *)"
done

found=0 rows=()
for target in "${targets[@]}"; do
  say "$target, $seconds s"
  mkdir -p "out/fuzz/$target"
  log="out/fuzz/$target.log" verdict=nothing
  TIMEFORMAT='cpu_seconds %U'
  { time "build/fuzz/bin/${target}_fuzz" -max_total_time="$seconds" -artifact_prefix=out/fuzz/ -print_final_stats=1 \
      "out/fuzz/$target" "tests/fuzz/corpus/$target"; } >"$log" 2>&1 || { verdict="see $log"; found=1; }
  number() { grep -a "$1" "$log" | tail -n 1 | sed "s/.*$1:* *//; s/ .*//"; }
  rows+=("| $target | $(number stat::number_of_executed_units) | $(number cov) | $(find "out/fuzz/$target" -type f | wc -l) | $(number cpu_seconds) | $verdict |")
done
printf '\n| target | inputs | branches | kept | CPU s | found |\n| --- | --- | --- | --- | --- | --- |\n'
printf '%s\n' "${rows[@]}"
exit $found
