#!/usr/bin/env bash
# Installs the Debian packages in an empty Debian 12 root, starts every program, verifies the units, removes and purges
# and looks for what is left; then boots the root with systemd in a container without network and does the same with
# the services at work: a federation trains, its server is killed, an upgrade, removal (scripts/package_test_boot.sh).
# Needs root and debootstrap, for the second part systemd-nspawn; downloads LibTorch from the mirror.
#
#   scripts/package_test.sh --packages DIR [--root DIR] [--mirror URL] [--data DIR] [--keep]
#
# --packages DIR the packages (./run packages makes them in out/packages)
# --root DIR     where the root goes (default /var/tmp/thinwire-packages); if one is there already it is used as it is
# --mirror URL   Debian mirror (default http://deb.debian.org/debian)
# --data DIR     the data set to train on (default /usr/share/datasets/fashion-mnist)
# --keep         leaves the root in place at the end
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

packages=
root=/var/tmp/thinwire-packages
mirror=http://deb.debian.org/debian
data=/usr/share/datasets/fashion-mnist
keep=no
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;;
    --packages) packages=$2; shift 2 ;;
    --root) root=$2; shift 2 ;;
    --mirror) mirror=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    *) EXIT_CODE=2 die "unknown option '$1', see --help" ;;
  esac
done
[ -n "$packages" ] || EXIT_CODE=2 die "--packages DIR is missing: ./run packages makes them in out/packages"
export EXIT_CODE=3
[ "$(id -u)" = 0 ] || die "this needs root: it makes a root file system and enters it"
command -v debootstrap >/dev/null || die "debootstrap is not installed (package debootstrap)"
if [ ! -x "$root/lib/systemd/systemd" ]; then
  say "Making an empty Debian 12 root with systemd in $root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,procps bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "debootstrap failed, the whole output is in $root.log"; }
fi
cp /etc/resolv.conf /etc/hosts "$root/etc/"

mounts() {
  local point
  for point in dev proc; do
    case $1 in
      on) mountpoint -q "$root/$point" || mount --bind "/$point" "$root/$point" ;;
      off) ! mountpoint -q "$root/$point" || umount "$root/$point" || umount --lazy "$root/$point" ;;
    esac
  done
}
leave() {
  mounts off
  [ "$keep" = yes ] || rm -rf --one-file-system "$root" "$root.log"
}
trap leave EXIT
unset EXIT_CODE
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive bash -euo pipefail -c "$1"
}
nothing_left() {
  local left
  left=$(inside 'find / -xdev \( -path /proc -o -path /dev -o -path /root \) -prune -o -name "*thinwire*" -print
                 grep thinwire /etc/passwd /etc/group || true')
  [ -z "$left" ] || die "left after purge: $left"
}

mounts on
rm -rf "$root/root/packages"
cp -r "$packages" "$root/root/packages"
inside 'apt-get update -q >/dev/null; dpkg --purge thinwire-server thinwire-client thinwire >/dev/null 2>&1 || true'
nothing_left
for package in thinwire-server thinwire thinwire-client; do
  say "Installing $package"
  inside "apt-get install -q -y --no-install-recommends /root/packages/${package}_*.deb" >"$root/root/apt.log" 2>&1 ||
    { tail -n 20 "$root/root/apt.log" >&2; die "$package does not install"; }
done
for program in thinwire-server thinwire-client thinwire-client-torch "thinwire"; do
  inside "$program --help >/dev/null"
done
inside 'thinwire-server --version; thinwire-client --version; thinwire version
        thinwire-server --check --config /etc/thinwire/server.textproto
        systemd-analyze verify --man=no /lib/systemd/system/thinwire-server.service \
          /lib/systemd/system/thinwire-client@.service'
say "Removing"
inside 'apt-get remove -q -y thinwire-server thinwire-client thinwire >/dev/null
        if command -v thinwire-server || command -v thinwire-client || command -v thinwire; then exit 1; fi
        test -f /etc/thinwire/server.textproto'  # configuration stays until purge
say "Purging"
inside 'dpkg --purge thinwire-server thinwire-client thinwire >/dev/null'
nothing_left
mounts off

command -v systemd-nspawn >/dev/null || die "systemd-nspawn is not installed (package systemd-container)"
say "Booting the root with systemd"
install -m 755 scripts/package_test_boot.sh "$root/root/boot.sh"
cat >"$root/etc/systemd/system/package-test.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/root/boot.sh
StandardOutput=append:/root/boot.log
StandardError=append:/root/boot.log
ExecStopPost=/bin/sh -c 'echo "$SERVICE_RESULT" >/root/boot.result; systemctl --no-block poweroff 2>/dev/null'
[Install]
WantedBy=multi-user.target
UNIT
rm -f "$root/root/boot.log" "$root/root/boot.result"
touch "$root/root/boot.log"
inside 'systemctl --quiet enable package-test.service; systemctl --quiet set-default multi-user.target'
timeout 500 systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --private-network \
  --bind-ro="$data:/srv/data" --boot </dev/null >"$root/root/console.log" 2>&1 || true
cat "$root/root/boot.log"
[ "$(cat "$root/root/boot.result" 2>/dev/null)" = success ] || {
  tail -n 5 "$root/root/console.log" >&2
  die "the services failed under systemd, see above"
}
rm -f "$root/etc/systemd/system/package-test.service" "$root"/etc/systemd/system/*/package-test.service
nothing_left
say "Passed"
