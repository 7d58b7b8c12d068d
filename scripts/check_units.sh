#!/usr/bin/env bash
# Checks the systemd units: installs them from a build folder into a temporary prefix, lets systemd-analyze verify them,
# and fails if they are less locked down than they are now (systemd-analyze security: 0 best, 10 worst).
#   scripts/check_units.sh [BUILD_DIR]      (default build/dev; the programs must be built)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
case ${1:-} in --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;; esac
build=${1:-build/dev}
worst=1.4
command -v systemd-analyze >/dev/null || EXIT_CODE=3 die "systemd-analyze is not installed (package systemd)"
[ -f "$build/cmake_install.cmake" ] || EXIT_CODE=3 die "$build is not a build folder: ./run build makes one"
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
for component in server client; do
  cmake --install "$build" --component "$component" --prefix "$prefix" >/dev/null
done
for unit in "$prefix"/lib/systemd/system/*.service; do
  # Everything that it prints is a complaint: unknown keys, programs that are not there.
  complaints=$(systemd-analyze verify --man=no "$unit" 2>&1) || die "$(basename "$unit") is refused: $complaints"
  [ -z "$complaints" ] || die "$(basename "$unit"): $complaints"
  exposure=$(systemd-analyze security --no-pager --offline=yes "$unit" 2>/dev/null |
    sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p')
  [ -n "$exposure" ] || die "systemd-analyze security says nothing about $(basename "$unit")"
  [ "${exposure/./}" -le "${worst/./}" ] || die "$(basename "$unit"): exposure $exposure, the limit is $worst"
  say "$(basename "$unit"): verified, exposure $exposure of 10"
done
