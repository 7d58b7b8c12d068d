#!/usr/bin/env bash
# What ./run says and with which exit code, as far as that needs no build: run_script_test.sh PATH_OF_RUN
set -uo pipefail
run=$1
failures=0

# expect CODE TEXT ARGUMENTS...: ./run ARGUMENTS exits with CODE and prints TEXT somewhere.
expect() {
  local code=$1 text=$2 output got
  shift 2
  output=$("$run" "$@" 2>&1 </dev/null)
  got=$?
  if [ "$got" != "$code" ] || ! grep -qF -- "$text" <<<"$output"; then
    printf 'run %s: exit code %s, expected %s and "%s"; it printed:\n%s\n' "$*" "$got" "$code" "$text" "$output"
    failures=$((failures + 1))
  fi
}

expect 0 "Usage: ./run COMMAND"
expect 0 "Usage: ./run COMMAND" help
expect 0 "Usage: ./run COMMAND" --help
for command in demo look test fuzz bench soak experiment build package-test deploy-test compose-test; do expect 0 "Usage: ./run $command" "$command" --help; done
expect 0 "demo-accuracy" experiment
expect 2 "unknown command 'dmeo'" dmeo
expect 2 "unknown option '--fast'" --no-install test --fast
expect 2 "--label needs a value" --no-install test --label
expect 0 "--tls " compose-test --tls --help
expect 2 "unknown option '--fast'" --no-install compose-test --tls --fast
expect 2 "unknown option '--tls'" --no-install deploy-test --tls
expect 2 "--root needs a value" --no-install package-test --preset dev --root
# What the script behind the command says, which the flags have reached.
expect 2 "no data set in /no/such/data" --no-install compose-test --tls --packages /no/such/folder --data /no/such/data
expect 2 "no experiment 'nothing'" --no-install experiment nothing
expect 3 "no run" --no-install look /no/such/run rounds
[ "$failures" = 0 ]
