#!/usr/bin/env bash
# Looks at a run of ./run demo again. Its server is gone, its state is not: this starts the server on that state, asks it
# one thing with the operator's tool, and stops it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
bin=${THINWIRE_BIN:-build/dev/bin}

usage() {
  cat <<'EOF'
Usage: ./run look [DIR] [VERB [OPTIONS]]

Asks the server of an earlier ./run demo: VERB is one of the verbs of the tool `thinwire` that ask a server (status,
rounds, export), by default rounds; OPTIONS are the verb's. DIR is the run's folder, by default the newest in out/.
EOF
}

# Nothing if there is none.
newest() {
  { find out -mindepth 2 -maxdepth 2 -name server.textproto -printf '%T@ %h\n' 2>/dev/null || true; } |
    sort -rn | head -n 1 | cut -d' ' -f2-
}

control_address() { sed -n 's/.*"control": *"\([^"]*\)".*/\1/p' "$1" 2>/dev/null; }

case ${1:-} in --help | -h) usage; exit ;; esac
directory=
case ${1:-} in */* | .) directory=${1%/}; shift ;; esac
directory=${directory:-$(newest)}
export EXIT_CODE=3
[ -f "$directory/server.textproto" ] || die "no run${directory:+ in $directory}: ./run demo makes one"
[ -x "$bin/thinwire-server" ] || die "$bin/thinwire-server is not there: ./run build makes it"

endpoints=$directory/state/endpoints.json
rm -f "$endpoints"
"$bin/thinwire-server" --insecure --config "$directory/server.textproto" >>"$directory/logs/look.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
until [ -n "$(control_address "$endpoints")" ]; do
  kill -0 "$server" 2>/dev/null || { tail -n 15 "$directory/logs/look.log" >&2; die "the server ended, see above"; }
  sleep 0.05
done
verb=${1:-rounds}
[ $# -eq 0 ] || shift
"$bin/thinwire" "$verb" --insecure --server "$(control_address "$endpoints")" "$@"
