#!/usr/bin/env bash
# The newcomer's check: an empty Debian 12 root file system with git, a clone of HEAD in it, and there, as the README
# says, ./run test and ./run demo. Needs root and debootstrap; takes up to half an hour and 5 GB.
#
#   scripts/fresh_root_test.sh [--root DIR] [--mirror URL] [--keep] [COMMAND...]
#
# --root DIR   where the root goes (default /var/tmp/thinwire-root); if a root is there already it is used as it is
# --mirror URL Debian mirror (default http://deb.debian.org/debian)
# --keep       leave the root in place at the end
# COMMAND...   instead of './run test' './run demo', e.g. './run demo --rounds 2'; each runs in the clone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
root=/var/tmp/thinwire-root
. scripts/empty_root.sh

while [ $# -gt 0 ]; do
  root_flag "$@"
  [ "$taken" = 0 ] && break
  shift "$taken"
done
[ $# -gt 0 ] || set -- "./run test" "./run demo"
make_root usr/bin/git git,ca-certificates
trap leave_root EXIT
mounts on

# A bundle is a file: nothing of this checkout is visible inside but what is committed.
git bundle create -q "$root/root/thinwire.bundle" HEAD
rm -rf "$root/root/thinwire"
inside 'git -c advice.detachedHead=false clone -q /root/thinwire.bundle /root/thinwire'

for command in "$@"; do
  say "In the fresh root: $command"
  begin=$SECONDS
  inside "cd /root/thinwire && $command" || die "'$command' failed with exit code $? after $((SECONDS - begin)) s"
  say "'$command' passed in $((SECONDS - begin)) s"
done
