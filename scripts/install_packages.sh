#!/usr/bin/env bash
# Installs the missing Debian packages of the groups named (see packages.txt): install_packages.sh build run test
# Does nothing, and asks for no rights, when all are there. Exit codes: 0 all there, 3 could not install.
# shellcheck disable=SC2086  # $packages is a list of words everywhere
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
export EXIT_CODE=3

wanted() { awk -v groups=" $* " '!/^#/ && NF && index(groups, " " $1 " ") {print $2}' "$here/packages.txt"; }

missing() {
  local package
  for package in $(wanted "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else return 126; fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -q "$@"; }

# True if apt's lists know every package that is missing.
known() { [ "$(apt-cache policy "$@" 2>/dev/null | grep 'Candidate:' | grep -vc '(none)')" = $# ]; }

install() { apt install -y --no-install-recommends "$@"; }

command -v dpkg-query >/dev/null || die "this is not a Debian system, so nothing can be installed here. Install what
  scripts/packages.txt lists by your system's means, then call ./run with --no-install."
packages=$(missing "$@")
[ -n "$packages" ] || exit 0
count=$(wc -w <<<"$packages")
say "Installing $count Debian package(s):" $packages
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
  die "installing needs root, and there is no sudo. As root: apt-get install --no-install-recommends" $packages
fi
updated=
known $packages || { apt update && updated=yes; } || die "apt-get update failed: see its message above"
# A list that is some days old names versions that the mirror has dropped: read it again, once.
install $packages || { [ -z "$updated" ] && apt update && install $packages; } ||
  die "apt-get could not install:" $packages
packages=$(missing "$@")
[ -z "$packages" ] || die "still missing after the installation:" $packages
