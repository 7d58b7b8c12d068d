#!/usr/bin/env bash
# Runs the fuzz targets that build/fuzz has for a given processor time, and says what came of it, now and in all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
export LC_ALL=C  # decimal points

usage() {
  cat <<'EOT'
Usage: ./run fuzz [--seconds N] [--jobs N] [--table FILE] [TARGET...]
Builds the targets of tests/fuzz with libFuzzer and sanitizers and runs each for N seconds (default 60) of processor
time, user and system, however long that takes on a busy machine; --jobs targets at a time (default 1). Each starts from
its corpus and from what earlier runs found, which is kept in out/fuzz/TARGET. Prints a table: inputs and processor time
of this run and of all runs so far (out/fuzz/TARGET.total), branches covered, inputs kept. An input that violates
anything is in out/fuzz too, its report in out/fuzz/TARGET.log: put it into tests/fuzz/corpus/TARGET, where ./run test
replays it. SIGINT and SIGTERM end it early, with the table.

  --table FILE     writes a page with the totals of all targets: docs/results/fuzzing.md
  --programs DIR   where the targets' programs are (default build/fuzz/bin)
  --out DIR        in place of out/fuzz

Exit codes: 0 nothing found; 1 something found; 2 wrong usage; 130 ended early, and nothing found.
EOT
}

seconds=60 parallel=1 programs=build/fuzz/bin out=out/fuzz table='' targets=()
command="./run fuzz${*:+ $*}"
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --seconds) seconds=${2:-}; shift 2 || true ;;
    --jobs) parallel=${2:-}; shift 2 || true ;;
    --programs) programs=${2:-}; shift 2 || true ;;
    --out) out=${2:-}; shift 2 || true ;;
    --table)
      table=${2:-}
      [ -n "$table" ] || EXIT_CODE=2 die "--table needs a file"
      shift 2 ;;
    -*) EXIT_CODE=2 die "unknown option '$1'. See ./run fuzz --help" ;;
    *) targets+=("$1"); shift ;;
  esac
done
for number in "--seconds $seconds" "--jobs $parallel"; do
  case ${number#* } in '' | *[!0-9]* | 0*) EXIT_CODE=2 die "${number% *} needs a positive number" ;; esac
done
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz/corpus && printf '%s\n' *)
for target in "${targets[@]}"; do
  [ -x "$programs/${target}_fuzz" ] || EXIT_CODE=2 die "no target '$target'; there are: $(cd tests/fuzz/corpus && echo *)"
done

# libFuzzer measures wall time, which is never less than its one thread's processor time: slices of at most what is
# left cannot overshoot. They are short enough that a run that is killed outright loses little of its totals.
slice_limit=300
interrupted_code=72  # libFuzzer's, after SIGINT or SIGTERM
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Sets cpu_ms: user and system time of all children of this shell that have ended.
read_cpu() {
  local part parts digits
  times >"$scratch/times.$BASHPID"
  { read -r _ && read -r -a parts; } <"$scratch/times.$BASHPID"
  cpu_ms=0
  for part in "${parts[@]}"; do  # 1m4.384s
    digits=${part#*m} digits=${digits%s}
    cpu_ms=$((cpu_ms + ${part%m*} * 60000 + 10#${digits/./}))
  done
}

in_seconds() { printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)); }
total_of() { awk -v key="$2" '$1 == key {print $2}' "$out/$1.total" 2>/dev/null || true; }  # TARGET KEY
last_number() { grep -a "$2" "$1" | tail -n 1 | sed "s/.*$2:* *//; s/ .*//" || true; }     # LOG NAME

# add_to_total TARGET INPUTS MILLISECONDS FOUND
add_to_total() {
  local inputs cpu found
  inputs=$(total_of "$1" inputs) cpu=$(total_of "$1" cpu_seconds) found=$(total_of "$1" found)
  awk -v inputs="${inputs:-0}" -v more="$2" -v cpu="${cpu:-0}" -v ms="$3" -v found="${found:-0}" -v new="$4" \
    'BEGIN {printf "inputs %.0f\ncpu_seconds %.3f\nfound %d\n", inputs + more, cpu + ms / 1000, found + new}' \
    >"$out/$1.total.new"
  mv "$out/$1.total.new" "$out/$1.total"
}

# run_slice TARGET SECONDS: one run of libFuzzer; sets code, inputs and spent, in milliseconds.
run_slice() {
  local before log="$out/$1.log"
  read_cpu; before=$cpu_ms
  "$programs/${1}_fuzz" -max_total_time="$2" -artifact_prefix="$out/" -print_final_stats=1 "$out/$1" \
    "tests/fuzz/corpus/$1" >"$log" 2>&1 &
  pid=$!
  [ -z "$early" ] || kill -TERM "$pid"  # told to end before there was a program to tell
  # A signal ends the wait before it has a code, with one of its own; the shell keeps the program's for the next wait.
  while true; do
    told= code=0
    wait "$pid" || code=$?
    [ -n "$told" ] || break
  done
  read_cpu; spent=$((cpu_ms - before))
  inputs=$(last_number "$log" stat::number_of_executed_units)
}

# A process of its own: fuzzes one target and leaves its row of the table, and its verdict, in the scratch folder.
fuzz_target() {
  local target=$1 all_inputs=0 all_ms=0 finds=0 verdict=nothing pid=
  trap 'early=1 told=1; [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true' INT TERM
  mkdir -p "$out/$target"
  exec 9>"$out/$target.lock"
  flock -n 9 || die "another run fuzzes $target"
  while [ $all_ms -lt $((seconds * 1000)) ] && [ "$verdict" = nothing ]; do
    local left=$(((seconds * 1000 - all_ms + 999) / 1000))
    run_slice "$target" $((left < slice_limit ? left : slice_limit))
    all_inputs=$((all_inputs + ${inputs:-0})) all_ms=$((all_ms + spent))
    say "$target: $(in_seconds $all_ms) of $seconds s, $all_inputs inputs"
    case $code in
      0) [ -n "$inputs" ] || verdict="did not run, see $out/$target.log" ;;
      "$interrupted_code") early=1 ;;  # the terminal's SIGINT reaches the program first
      *) verdict="see $out/$target.log" finds=1 ;;
    esac
    add_to_total "$target" "${inputs:-0}" "$spent" "$finds"
    [ -z "$early" ] || break
  done
  [ "$verdict" != nothing ] || [ -z "$early" ] || verdict="nothing, ended early"
  printf '| %s | %d | %s | %s | %s | %s | %d | %s |\n' "$target" "$all_inputs" "$(in_seconds $all_ms)" \
    "$(total_of "$target" inputs)" "$(total_of "$target" cpu_seconds)" "$(last_number "$out/$target.log" cov)" \
    "$(find "$out/$target" -type f | wc -l)" "$verdict" >"$scratch/$target.row"
}

# What the source of a target says at its top, in one line.
purpose_of() { sed -n '/^\/\/ /!q; s/^\/\/ //p' "tests/fuzz/${1}_fuzz.cc" | tr '\n' ' ' | sed 's/ $//'; }

write_page() {
  local target inputs cpu found
  cat <<EOT
# Fuzzing

Made by \`$command\` on $(date -u +%F), at $(git rev-parse --short HEAD 2>/dev/null || echo "an unknown revision").

libFuzzer tries inputs that reach code which no input before has reached, under the address and the undefined behaviour
sanitizers. A target ends at the first input that makes the program crash, leak, hang or break what the target says of
it. Such an input is put into \`tests/fuzz/corpus\` with the repair, and \`./run test\` replays all of that (tests
\`NAME_fuzz_corpus\`), so that what was found once stays repaired. The totals are of all runs on one machine; processor
time is user and system.

| target | inputs | processor seconds | found |
| --- | --- | --- | --- |
EOT
  for target in tests/fuzz/corpus/*; do
    target=${target##*/} inputs=$(total_of "${target##*/}" inputs) cpu=$(total_of "${target##*/}" cpu_seconds)
    found=$(total_of "$target" found)
    printf '| `%s` | %s | %.0f | %s |\n' "$target" "${inputs:-0}" "${cpu:-0}" "${found:-0}"
  done
  printf '\nWhat a target does with its input:\n\n'
  for target in tests/fuzz/corpus/*; do printf -- '- `%s`: %s\n' "${target##*/}" "$(purpose_of "${target##*/}")"; done
}

mkdir -p "$out"
early=
trap 'early=1; kill -TERM $(jobs -rp) 2>/dev/null || true' INT TERM
for target in "${targets[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "$parallel" ]; do wait -n || true; done
  [ -z "$early" ] || break
  say "$target, $seconds s of processor time"
  fuzz_target "$target" &
done
while [ -n "$(jobs -rp)" ]; do wait || true; done

printf '\n| target | inputs | CPU s | inputs in all | CPU s in all | branches | kept | found |\n'
printf '| --- | --- | --- | --- | --- | --- | --- | --- |\n'
found=0
for target in "${targets[@]}"; do
  if [ -f "$scratch/$target.row" ]; then
    cat "$scratch/$target.row"
    grep -q '| nothing[^|]*|$' "$scratch/$target.row" || found=1
  elif [ -z "$early" ]; then
    found=1
  fi
done
[ -z "$table" ] || write_page >"$table"
[ $found = 1 ] || [ -z "$early" ] || found=130
exit $found
