#!/usr/bin/env bash
# Installs the Debian packages in an empty Debian 12 root, starts every program, verifies the units, removes and purges
# and looks for what is left, and builds the example of thinwire-dev there; then boots the root with systemd in a
# container without network and does the same with the services at work: a federation trains, its server is killed, an
# upgrade, a federation with mutual TLS, removal (scripts/package_test_boot.sh).
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
root=/var/tmp/thinwire-packages
. scripts/empty_root.sh

packages=
data=/usr/share/datasets/fashion-mnist
while [ $# -gt 0 ]; do
  root_flag "$@"
  [ "$taken" = 0 ] || { shift "$taken"; continue; }
  case $1 in
    --packages) packages=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    *) EXIT_CODE=2 die "unknown option '$1', see --help" ;;
  esac
done
[ -n "$packages" ] || EXIT_CODE=2 die "--packages DIR is missing: ./run packages makes them in out/packages"
make_root lib/systemd/systemd systemd,systemd-sysv,procps
trap leave_root EXIT
nothing_left() {
  local left
  left=$(inside 'find / -xdev \( -path /proc -o -path /dev -o -path /root \) -prune -o -name "*thinwire*" -print
                 grep thinwire /etc/passwd /etc/group || true')
  [ -z "$left" ] || die "left after purge: $left"
}

mounts on
rm -rf "$root/root/packages"
cp -r "$packages" "$root/root/packages"
inside 'apt-get update -q >/dev/null; dpkg --purge thinwire-server thinwire-client thinwire thinwire-dev >/dev/null 2>&1 || true'
nothing_left
for package in thinwire-server thinwire thinwire-client; do
  say "Installing $package"
  inside "apt-get install -q -y --no-install-recommends /root/packages/${package}_*.deb" >"$root/root/apt.log" 2>&1 ||
    { tail -n 20 "$root/root/apt.log" >&2; die "$package does not install"; }
done
say "Installing thinwire-dev and building its example"
inside 'apt-get install -q -y --no-install-recommends /root/packages/thinwire-dev_*.deb g++ cmake make
        rm -rf /root/example; cp -r /usr/share/doc/thinwire-dev/examples/trainer /root/example; cd /root/example
        cmake -S . -B build; cmake --build build; build/cars-client --help | grep -q "task cars"' \
  >"$root/root/example.log" 2>&1 || { tail -n 20 "$root/root/example.log" >&2; die "the example does not build"; }
for program in thinwire-server thinwire-client thinwire-client-torch "thinwire"; do
  inside "$program --help >/dev/null"
done
inside 'thinwire-server --version; thinwire-client --version; thinwire version
        thinwire-server --check --config /etc/thinwire/server.textproto
        systemd-analyze verify --man=no /lib/systemd/system/thinwire-server.service \
          /lib/systemd/system/thinwire-client@.service'
say "Removing"
inside 'apt-get remove -q -y thinwire-server thinwire-client thinwire thinwire-dev >/dev/null
        if command -v thinwire-server || command -v thinwire-client || command -v thinwire; then exit 1; fi
        test -f /etc/thinwire/server.textproto'  # configuration stays until purge
say "Purging"
inside 'dpkg --purge thinwire-server thinwire-client thinwire thinwire-dev >/dev/null'
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
