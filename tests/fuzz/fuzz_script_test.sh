#!/usr/bin/env bash
# Processor time, totals and exit codes of scripts/fuzz.sh, with programs that only look like libFuzzer's:
# fuzz_script_test.sh PATH_OF_FUZZ_SH
set -uo pipefail
script=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/programs"
failures=0
fail() { printf '%s\n' "$*"; failures=$((failures + 1)); }

# fake TARGET CODE: a program that uses 0.3 s of processor time, says that it tried 100 inputs, and exits with CODE. One
# that is told to stop says so at once, as libFuzzer does; of code 72 it waits to be told.
fake() {
  cat >"$folder/programs/$1_fuzz" <<EOF
#!/usr/bin/env python3
import os, signal, sys, time
def end(code):
    print('#100 DONE cov: 7 ft: 8')
    print('stat::number_of_executed_units: 100', flush=True)
    os._exit(code)
signal.signal(signal.SIGTERM, lambda *_: end(72))
if $2 == 72:
    open('$folder/started', 'w').close()  # blocks until the test reads
    signal.pause()
while time.process_time() < 0.3:
    pass
end($2)
EOF
  chmod +x "$folder/programs/$1_fuzz"
}
run_script() { "$script" --programs "$folder/programs" --out "$folder/out" "$@" >"$folder/printed" 2>&1 </dev/null; }
# total_is TARGET AT_LEAST AT_MOST: inputs in all
total_is() {
  local inputs
  inputs=$(sed -n 's/^inputs //p' "$folder/out/$1.total" 2>/dev/null)
  [ "${inputs:-0}" -ge "$2" ] && [ "${inputs:-0}" -le "$3" ] || fail "$1: $inputs inputs in all, not $2 to $3"
}

fake frame 0
fake manifest 0
run_script --seconds 1 --jobs 2 frame manifest || fail "code $? where nothing is to be found: $(cat "$folder/printed")"
# Slices of 0.3 s until there is a second: four, or three where starting a program takes long.
total_is frame 100 400
total_is manifest 100 400
cpu=$(sed -n 's/^cpu_seconds //p' "$folder/out/frame.total")
case $cpu in 0.* | '') fail "a run of one second of processor time ended after $cpu" ;; esac
grep -q '| frame | .* | 7 | 0 | nothing |' "$folder/printed" || fail "no row of frame: $(cat "$folder/printed")"

before=$(sed -n 's/^inputs //p' "$folder/out/frame.total")
fake frame 77
run_script --seconds 1 --table "$folder/page.md" frame
[ $? = 1 ] || fail "an input that was found is not reported"
total_is frame $((before + 100)) $((before + 100))  # added to what was there, and nothing tried after it

# The page has all targets with all their runs, the ones before it too.
row() { grep -c "^| \`$1\` | $2 | $3 | $4 |\$" "$folder/page.md" || true; }
[ "$(row frame $((before + 100)) '[1-9]' 1)" = 1 ] || fail "the page has not what was found in frame: $(cat "$folder/page.md")"
[ "$(row manifest '[1-9][0-9]*' 1 0)" = 1 ] || fail "the page has not manifest, which ran before: $(cat "$folder/page.md")"
[ "$(row rdu 0 0 0)" = 1 ] || fail "the page has not rdu, which never ran: $(cat "$folder/page.md")"
grep -q -- '^- `manifest`: Any bytes as a manifest' "$folder/page.md" || fail "the page does not say what manifest does"
fake frame 0
run_script --seconds 1 --table "$folder/page.md" frame || fail "code $? after the repair"
[ "$(row frame '[1-9][0-9]*' '[1-9]' 1)" = 1 ] || fail "the page forgets what was found: $(cat "$folder/page.md")"

fake payload 72
mkfifo "$folder/started"
"$script" --programs "$folder/programs" --out "$folder/out" --seconds 1 payload >/dev/null 2>&1 &
pid=$!
cat "$folder/started"
# Another run of a target that is being fuzzed is refused.
run_script --seconds 1 --jobs 1 payload
[ $? = 1 ] && grep -q 'another run fuzzes payload' "$folder/printed" || fail "two runs fuzz one target"
kill -TERM $pid
wait $pid
[ $? = 130 ] || fail "a run that is told to end does not say so"
total_is payload 100 100

run_script --seconds 0 frame; [ $? = 2 ] || fail "--seconds 0 is taken"
run_script --seconds 1 --table; [ $? = 2 ] || fail "--table without a file is taken"
run_script --jobs x frame; [ $? = 2 ] || fail "--jobs x is taken"
run_script no_such_target; [ $? = 2 ] || fail "a target that is not there is taken"
[ "$failures" = 0 ]
