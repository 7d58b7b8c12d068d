#!/usr/bin/env bash
# Proves docker-compose.yml in a real engine: builds the images, brings server, four clients and an evaluator up, kills
# the server's container in mid-round, starts it again, waits until the run completes, checks the model that it exports,
# and takes all down. Exit codes: 0 passed, 1 failed, 77 no engine here and none can be started.
#
#   scripts/compose_test.sh [--tls] [--packages DIR] [--data DIR] [--dir DIR] [--mirror URL] [--keep]
#
# --tls           with the overlay deploy/docker/compose.tls.yml: mutual TLS, certificates of an authority made for it
# --packages DIR  Debian packages to put into the images; without it they are compiled in the images' build
# --data DIR      the data set (default /usr/share/datasets/fashion-mnist)
# --dir DIR       for the engine and the base image, if they have to be made (default /var/tmp/thinwire-compose)
# --mirror URL    Debian mirror, for debootstrap (default http://deb.debian.org/debian)
# --keep          keeps the folder, so that the next run finds base image and layers
# THINWIRE_BASE_IMAGE in the environment names the base image; without it debootstrap makes one. No registry is asked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
. scripts/engine.sh

packages=
data=/usr/share/datasets/fashion-mnist
folder=/var/tmp/thinwire-compose
mirror=http://deb.debian.org/debian
keep=no
tls=no
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
    --packages) packages=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --dir) folder=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    --tls) tls=yes; shift ;;
    *) EXIT_CODE=2 die "unknown option '$1', see --help" ;;
  esac
done
[ -d "$data" ] || EXIT_CODE=2 die "no data set in $data (package dataset-fashion-mnist)"
rounds=6
project=thinwire-test-$$
work=$(mktemp -d)
chmod 755 "$work"

leave() {
  local code=$?
  trap - EXIT INT TERM
  [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || compose_test logs --tail 20 >&2 || true
  compose_test down --volumes --timeout 5 >"$work/down.log" 2>&1 || true
  stop_engine
  rm -rf "$work"
  [ "$keep" = yes ] || rm -rf --one-file-system "$folder"
  exit "$code"
}
compose_test() {
  local files=(-f docker-compose.yml)
  [ "$tls" = no ] || files+=(-f deploy/docker/compose.tls.yml)
  compose --project-name "$project" "${files[@]}" "$@"
}
# in_image ARGS...: docker run of the server's image, as root, with the certificates in /certs.
in_image() { docker run --rm --user 0:0 --volume "$work/certs:/certs" "$@"; }
tool() {
  if [ "$tls" = no ]; then compose_test exec -T server thinwire "$@" --insecure; return; fi
  local me=/certs/operator-me
  in_image --network "${project}_federation" --env THINWIRE_CA=$me/ca.pem --env THINWIRE_CERT=$me/cert.pem \
    --env THINWIRE_KEY=$me/key.pem --entrypoint thinwire thinwire-server "$@" --server server:9481
}

# What the head of compose.tls.yml says, with the tool and the users of the images.
make_certificates() {
  mkdir "$work/certs"
  in_image --entrypoint bash thinwire-server -euc '
    thinwire certs init /certs --server server,127.0.0.1 --operators me \
      --clients client-1,client-2,client-3,client-4,evaluator
    cp /certs/revoked /certs/server/
    chown -R 980:980 /certs/server
    chown -R 981:981 /certs/client-*' >"$work/certs.log" 2>&1 || { cat "$work/certs.log" >&2; die "no certificates"; }
}

# status FIELD: of `thinwire status`; nothing while the server does not answer.
status() { tool status --format json 2>/dev/null | sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" || true; }

# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$limit" ] || die "$what: not within the time; last status: $(tool status 2>&1 | head -n 5)"
    sleep 0.3
  done
}
answers() { [ -n "$(status state)" ]; }
training() { [ "$(status round_state)" = ROUND_STATE_TRAINING ]; }
training_beyond() { [ "$(status round)" -gt "$1" ] 2>/dev/null && training; }
ended() { case $(status state) in RUN_STATE_COMPLETED | RUN_STATE_FAILED | RUN_STATE_STOPPED) ;; *) false ;; esac; }

trap leave EXIT
trap 'exit 130' INT TERM
start_engine "$folder/engine"
command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ||
  skip "no docker-compose (package docker-compose)"
THINWIRE_BASE_IMAGE=$(base_image "$folder/base" "$mirror")
export THINWIRE_BASE_IMAGE THINWIRE_DATA=$data THINWIRE_SAMPLES=12000 THINWIRE_PACKAGES=compile
if [ -n "$packages" ]; then
  THINWIRE_PACKAGES=prebuilt
  mkdir -p out/packages
  if [ ! "$packages" -ef out/packages ]; then
    rm -f out/packages/*.deb
    cp "$packages"/*.deb out/packages/ || EXIT_CODE=2 die "no packages in $packages: ./run packages makes them"
  fi
fi
# The default configuration, but a short run.
for name in server server.tls; do
  sed "s/rounds: [0-9]*/rounds: $rounds/" "deploy/docker/$name.textproto" >"$work/$name.textproto"
done
export THINWIRE_SERVER_CONFIG=$work/server.textproto THINWIRE_TLS_CONFIG=$work/server.tls.textproto
export THINWIRE_CERTS=$work/certs THINWIRE_CONTROL_PORT=

say "Building the images on $THINWIRE_BASE_IMAGE ($THINWIRE_PACKAGES packages)"
begin=$SECONDS
compose_test build >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the images cannot be built"; }
say "Built in $((SECONDS - begin)) s"
for image in thinwire-server thinwire-client; do
  say "$image: $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB"
done
[ "$(docker image inspect --format '{{.Size}}' thinwire-server)" -lt 300000000 ] ||
  die "the server's image has 300 MB or more"

[ "$tls" = no ] || make_certificates
begin=$SECONDS
compose_test up --detach --no-build >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; die "the cluster does not come up"; }
await 300 "the cluster trains" training
say "Up and training in $((SECONDS - begin)) s"
user=$(compose_test exec -T server id -u)
[ "$user" != 0 ] || die "the server runs as root"

await 600 "a round after the first trains" training_beyond 1
round=$(status round)
container=$(compose_test ps --quiet server)
docker kill --signal KILL "$container" >/dev/null
docker wait "$container" >/dev/null
say "Killed the server in round $round"
begin=$SECONDS
docker start "$container" >/dev/null
await 60 "the restarted server answers" answers
say "Answers again after $((SECONDS - begin)) s"
# The server's own word: the round that it found open, with clients at work in it.
round=$(compose_test logs --no-color server | sed -n 's/.* resumed run=.* round=\([0-9]*\) .* assignments=[1-9].*/\1/p')
[ -n "$round" ] || die "the server was not killed in mid-round, or did not resume it; its log has no such line"
say "It resumed round $round"

await 900 "the run completes" ended
[ "$(status state)" = RUN_STATE_COMPLETED ] || die "the run ended as $(status state): $(status reason)"
tool rounds
published=$(tool rounds | grep -c PUBLISHED || true)
[ "$published" = "$rounds" ] || die "$published of $rounds rounds were published"
path=$(status model_path)
[ -n "$path" ] || die "the completed run names no exported model"
compose_test exec -T server cat "$path" >"$work/model.safetensors"
python3 - "$work/model.safetensors" <<'PYTHON' || die "the exported model $path is no safetensors file"
import json, struct, sys
data = open(sys.argv[1], 'rb').read()
size = struct.unpack('<Q', data[:8])[0]
tensors = {k: v for k, v in json.loads(data[8:8 + size]).items() if k != '__metadata__'}
assert tensors and max(t['data_offsets'][1] for t in tensors.values()) == len(data) - 8 - size
print(f'model: {len(tensors)} tensors, {len(data)} bytes')
PYTHON
say "Passed: $rounds rounds, the server killed in round $round, accuracy $(status accuracy)"
