# shellcheck shell=bash
# A Docker engine for tests: the one that runs, else one of our own in a folder, with its own socket. Source it after
# lib.sh; it defines functions only. Nothing of a running engine is changed but images and containers of the test.

# Exit code of a test that this machine cannot run.
skip() { printf 'skipped: %s\n' "$*" >&2; exit 77; }

# start_engine DIR: sets DOCKER_HOST if it starts one, whose data, log and socket lie in DIR. Skips if there is no way.
start_engine() {
  local folder=$1 daemon waited=0
  command -v docker >/dev/null || skip "no Docker client (package docker.io)"
  if docker info >/dev/null 2>&1; then say "Using the Docker engine that runs"; return; fi
  [ "$(id -u)" = 0 ] || skip "no Docker engine answers, and starting one needs root"
  daemon=$(command -v dockerd) || skip "no Docker engine answers, and there is none to start (package docker.io)"
  mkdir -p "$folder"
  say "Starting a Docker engine in $folder"
  "$daemon" --data-root "$folder/data" --exec-root "$folder/run" --pidfile "$folder/pid" \
    --host "unix://$folder/socket" >"$folder/log" 2>&1 &
  engine_pid=$!
  export DOCKER_HOST=unix://$folder/socket
  until docker info >/dev/null 2>&1; do
    waited=$((waited + 1))
    if ! kill -0 "$engine_pid" 2>/dev/null || [ "$waited" -gt 300 ]; then
      tail -n 5 "$folder/log" >&2
      skip "the Docker engine does not start here, see above; its whole log is $folder/log"
    fi
    sleep 0.1
  done
}

# Ends the engine that start_engine started, if it did.
stop_engine() {
  [ -n "${engine_pid:-}" ] || return 0
  kill "$engine_pid" 2>/dev/null || true
  wait "$engine_pid" 2>/dev/null || true
  engine_pid=
}

# base_image DIR MIRROR: prints the image to build on: THINWIRE_BASE_IMAGE, else one made by debootstrap in DIR.
base_image() {
  local folder=$1 mirror=$2 name=thinwire-base:bookworm
  if [ -n "${THINWIRE_BASE_IMAGE:-}" ]; then echo "$THINWIRE_BASE_IMAGE"; return; fi
  if ! docker image inspect "$name" >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || skip "THINWIRE_BASE_IMAGE names no image, and making one with debootstrap needs root"
    command -v debootstrap >/dev/null || skip "THINWIRE_BASE_IMAGE names no image, and there is no debootstrap"
    say "Making $name with debootstrap" >&2
    mkdir -p "$folder"
    debootstrap --variant=minbase bookworm "$folder/root" "$mirror" >"$folder/log" 2>&1 ||
      { tail -n 5 "$folder/log" >&2; skip "debootstrap failed; the whole output is in $folder/log"; }
    rm -rf "$folder"/root/var/lib/apt/lists/* "$folder"/root/var/cache/apt/*.bin "$folder"/root/var/cache/apt/archives/*.deb
    tar -C "$folder/root" -c . | docker import - "$name" >/dev/null
    rm -rf --one-file-system "$folder/root"
  fi
  echo "$name"
}

# compose ARGS...: docker compose, or docker-compose where the client has no such plugin.
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}
