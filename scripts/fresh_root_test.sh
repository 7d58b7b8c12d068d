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
mirror=http://deb.debian.org/debian
keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
    --root) root=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- "./run test" "./run demo"
export EXIT_CODE=3
[ "$(id -u)" = 0 ] || die "this needs root: it makes a root file system and enters it"
command -v debootstrap >/dev/null || die "debootstrap is not installed (package debootstrap)"

if [ ! -x "$root/usr/bin/git" ]; then
  say "Making an empty Debian 12 root in $root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "debootstrap failed, the whole output is in $root.log"; }
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
fi

leave() {
  local point
  for point in dev proc; do
    if mountpoint -q "$root/$point"; then umount "$root/$point" 2>/dev/null || umount --lazy "$root/$point"; fi
  done
  [ "$keep" = yes ] || rm -rf --one-file-system "$root"
}
trap leave EXIT
for point in dev proc; do
  mountpoint -q "$root/$point" || mount --bind "/$point" "$root/$point"
done

# A bundle is a file: nothing of this checkout is visible inside but what is committed.
git bundle create -q "$root/root/thinwire.bundle" HEAD
rm -rf "$root/root/thinwire"
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 bash -c "$1"
}
inside 'git -c advice.detachedHead=false clone -q /root/thinwire.bundle /root/thinwire'

unset EXIT_CODE
for command in "$@"; do
  say "In the fresh root: $command"
  begin=$SECONDS
  inside "cd /root/thinwire && $command" || die "'$command' failed with exit code $? after $((SECONDS - begin)) s"
  say "'$command' passed in $((SECONDS - begin)) s"
done
