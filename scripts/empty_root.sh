# shellcheck shell=bash
# Shared by the tests that work in an empty Debian 12 root (package_test.sh, fresh_root_test.sh). Source it after lib.sh,
# with `root` set to where the root goes by default.
mirror=http://deb.debian.org/debian
keep=no

# root_flag ARGUMENT...: takes --root DIR, --mirror URL, --keep or --help from the front; `taken` says how many arguments
# that were, 0 if the first is none of these. --help prints the script's head.
root_flag() {
  taken=2
  case $1 in
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
    --keep) keep=yes; taken=1 ;;
    --root) root=${2:?--root needs a folder} ;;
    --mirror) mirror=${2:?--mirror needs a URL} ;;
    *) taken=0 ;;
  esac
}

# make_root PROGRAM PACKAGES: unless there is a root with PROGRAM already. Exit code 3: not on this machine.
make_root() {
  local EXIT_CODE=3
  [ "$(id -u)" = 0 ] || die "this needs root: it makes a root file system and enters it"
  command -v debootstrap >/dev/null || die "debootstrap is not installed (package debootstrap)"
  if [ ! -x "$root/$1" ]; then
    say "Making an empty Debian 12 root in $root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$2" bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
      { tail -n 20 "$root.log" >&2; die "debootstrap failed, the whole output is in $root.log"; }
  fi
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
}

# mounts on|off: /dev and /proc of the root.
mounts() {
  local point
  for point in dev proc; do
    case $1 in
      on) mountpoint -q "$root/$point" || mount --bind "/$point" "$root/$point" ;;
      off) ! mountpoint -q "$root/$point" || umount "$root/$point" 2>/dev/null || umount --lazy "$root/$point" ;;
    esac
  done
}

leave_root() {
  mounts off
  [ "$keep" = yes ] || rm -rf --one-file-system "$root" "$root.log"
}

# inside SCRIPT: runs it in the root.
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive bash -euo pipefail -c "$1"
}
